//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/daemon"
)

// The environment that makes this test binary a daemon whose clock is not right.
const (
	shiftedDaemon = "CSMAIL_TEST_CONFIG"
	shiftedBy     = "CSMAIL_TEST_AHEAD"
)

// runShifted runs a daemon whose clock is ahead.
func runShifted(path, by string) int {
	ahead, err := time.ParseDuration(by)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	hangups, reload := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			reload <- struct{}{}
		}
	}()
	err = daemon.Run(ctx, daemon.Options{
		Load: func() (config.Config, error) { return config.Load(path) }, Path: path, Version: "test",
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Reload: reload, Now: func() time.Time { return time.Now().Add(ahead) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shiftClock puts the clock of a host ahead, for what it logs and for its csmail.
func (h *hosts) shiftClock(t *testing.T, edge int, ahead time.Duration) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p := h.edges[edge]
	p.env = []string{shiftedDaemon + "=" + p.args[1], shiftedBy + "=" + ahead.String()}
	p.path, p.args = self, nil
	h.shifts = make([]time.Duration, len(h.edges))
	h.shifts[edge] = ahead
	must(t, os.WriteFile(h.paths[edge], []byte(shifted(t, h.logs[edge][:1], ahead)[0]+"\n"), 0o600))
}

const stampForm = "2006-01-02T15:04:05.000000-07:00"

// shifted are lines as a host logs them whose clock is ahead.
func shifted(t *testing.T, lines []string, ahead time.Duration) []string {
	t.Helper()
	if ahead == 0 {
		return lines
	}
	var all []string
	for _, line := range lines {
		stamp, rest, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		must(t, err)
		all = append(all, at.Add(ahead).Format(stampForm)+" "+rest)
	}
	return all
}
