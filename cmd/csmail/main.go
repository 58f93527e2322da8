// Command csmail is CrowdSec for mail servers: it finds the attackers in the
// logs of Postfix and Dovecot and tells CrowdSec of them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"csmail/pkg/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
