package cli

import (
	"context"
	"fmt"
	"io"

	"csmail/pkg/control"
	"csmail/pkg/enforce/wiring"
	"csmail/pkg/host"
)

// askWiring returns the services of this host's mail servers that ask at the doors.
func askWiring(ctx context.Context, std Streams, e *control.Enforcement) wiring.Report {
	settings, err := host.AskMailSettings(ctx)
	if err != nil {
		fmt.Fprintf(std.Err, "csmail: warning: what is wired is not known: %v\n", err)
	}
	var doors wiring.Doors
	for _, d := range e.Doors {
		switch d.Name {
		case "policy":
			doors.Policy = d.Places
		case "auth-policy":
			doors.AuthPolicy = d.Places
		case "socketmap":
			doors.Socketmap = d.Places
		}
	}
	return wiring.Read(wiring.Settings(settings), doors)
}

// writeWiring prints each service, then each fault with its remedy.
func writeWiring(w io.Writer, r wiring.Report) error {
	text := ""
	for _, s := range r.Services {
		asks := "does not ask csmail (docs/enforcement.md has the lines)"
		if s.Asks {
			asks = "asks csmail"
		}
		text += fmt.Sprintf("%s %s\n", s.Name, asks)
	}
	for _, f := range r.Findings {
		text += fmt.Sprintf("%s: %s\n  mend: %s\n", f.Service, f.Problem, f.Mend)
	}
	_, err := io.WriteString(w, text)
	return err
}
