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

// reachWithin bounds the time for the answers of the LAPI and the journal.
const reachWithin = 15 * time.Second

// reach tests conditions that a start would only meet later: whether each log can be
// read, and whether the LAPI accepts the credentials. It reports every failure and
// returns the last one, which decides the exit status.
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
// register itself has nothing to log in with, and an edge sends no alerts.
func reachLAPI(ctx context.Context, c config.Config, std Streams) error {
	if c.Detect && !c.SendsAlerts() {
		_, err := fmt.Fprintln(std.Out, "this host is an edge: the judges send its alerts to the LAPI")
		return err
	}
	if _, err := lapi.LoadCredentials(c.LAPI.Credentials); err != nil && c.LAPI.RegistrationToken != "" {
		_, err = fmt.Fprintln(std.Out, "the LAPI is asked at the start, when this machine registers")
		return err
	}
	who, _, err := greetLAPI(ctx, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "the LAPI takes %s\n", who)
	return err
}
