package cli

import (
	"context"
	"fmt"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/hint"
	"csmail/pkg/ingest"
	"csmail/pkg/lapi"
)

// reachWithin bounds how long the LAPI and the journal may take to answer.
const reachWithin = 15 * time.Second

// reach tries what a start would only find out later: whether each log can be read, and
// whether the LAPI takes the credentials. It says all that is wrong; the error, and with
// it the exit status, is the last of it.
func reach(ctx context.Context, c config.Config, std Streams) error {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	problems := ingest.Probe(ctx, c.Sources, ingest.Options{})
	if err := reachLAPI(ctx, c, std); err != nil {
		problems = append(problems, err)
	}
	if len(problems) == 0 {
		_, err := fmt.Fprintln(std.Out, "the logs can be read")
		return err
	}
	last := len(problems) - 1
	for _, problem := range problems[:last] {
		fmt.Fprintf(std.Err, "csmail: error: %v\n", problem)
		if advice := hint.Of(problem); advice != "" {
			fmt.Fprintf(std.Err, "csmail: hint: %s\n", advice)
		}
	}
	return problems[last]
}

// reachLAPI logs in and sends a heartbeat, as csmail check does. A machine that is yet to
// register itself has nothing to log in with.
func reachLAPI(ctx context.Context, c config.Config, std Streams) error {
	if _, err := lapi.LoadCredentials(c.LAPI.Credentials); err != nil && c.LAPI.RegistrationToken != "" {
		_, err = fmt.Fprintln(std.Out, "the LAPI is asked at the start, when this machine registers")
		return err
	}
	who, _, err := greetLAPI(ctx, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "the LAPI takes us: %s\n", who)
	return err
}
