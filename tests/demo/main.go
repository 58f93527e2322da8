// Command demo shows csmail's main job from end to end: it starts a real
// CrowdSec Local API on loopback, scans a sample log, pushes, and shows what
// cscli says. It leaves nothing running and nothing behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"csmail/pkg/hint"
	"csmail/tests/lapitest"
)

func main() {
	csmail := flag.String("csmail", "bin/csmail", "the csmail binary")
	sample := flag.String("log", "tests/samples/mail-rfc3339.log", "the log to scan")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := demo(ctx, *csmail, *sample); err != nil {
		fmt.Fprintf(os.Stderr, "demo: error: %v\n", err)
		if advice := hint.Of(err); advice != "" {
			fmt.Fprintf(os.Stderr, "demo: hint: %s\n", advice)
		}
		stop()
		os.Exit(1)
	}
}

func demo(ctx context.Context, csmail, sample string) (err error) {
	options, err := lapitest.Find(lapitest.Current)
	if err != nil {
		return err
	}
	say("starting a CrowdSec Local API on loopback")
	server, err := lapitest.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := server.Stop(); err == nil {
			err = stopErr
		}
	}()
	credentials, err := server.AddMachine(ctx, "csmail")
	if err != nil {
		return err
	}
	config := filepath.Join(filepath.Dir(credentials), "csmail-demo.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "lapi:\n  credentials: %s\n", credentials), 0o600); err != nil {
		return err
	}
	say("csmail scan --banned --push %s", sample)
	if err := run(ctx, csmail, "scan", "-c", config, "--banned", "--push", sample); err != nil {
		return err
	}
	return show(ctx, server)
}

// show prints the decisions, and the newest alert as a person inspects it.
func show(ctx context.Context, server *lapitest.Server) error {
	say("cscli decisions list")
	table, err := server.Cscli(ctx, "decisions", "list")
	if err != nil {
		return err
	}
	fmt.Print(table)
	decisions, err := server.Decisions(ctx)
	if err != nil {
		return err
	}
	if len(decisions) == 0 {
		return fmt.Errorf("the sample log led to no decision")
	}
	id := fmt.Sprint(decisions[0].AlertID)
	say("cscli alerts inspect --details %s", id)
	alert, err := server.Cscli(ctx, "alerts", "inspect", "--details", id)
	fmt.Print(alert)
	return err
}

func run(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}

func say(format string, args ...any) { fmt.Printf("\n\033[1m$ "+format+"\033[0m\n", args...) }
