package syslog

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reader collects what a receiver hands out.
type reader struct {
	mu      sync.Mutex
	lines   []string
	batches int
	grown   chan struct{}
}

func newReader() *reader { return &reader{grown: make(chan struct{}, 1)} }

func (r *reader) take(b input.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.Text != "" {
		r.lines = append(r.lines, strings.SplitAfter(strings.TrimSuffix(b.Text, "\n"), "\n")...)
		r.lines[len(r.lines)-1] += "\n"
	}
	r.batches++
	select {
	case r.grown <- struct{}{}:
	default:
	}
}

func (r *reader) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines)
}

// wait returns when n lines have come.
func (r *reader) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for r.len() < n {
		select {
		case <-r.grown:
		case <-deadline:
			t.Errorf("after 20 s %d of %d lines have come", r.len(), n)
			return
		}
	}
}

func (r *reader) check(t *testing.T, n int) {
	t.Helper()
	want := make([]string, n)
	for i := range want {
		want[i] = line(i + 1)
	}
	for i := range min(len(want), len(r.lines)) {
		if want[i] != r.lines[i] {
			t.Fatalf("line %d of %d is %q, want %q", i+1, len(r.lines), r.lines[i], want[i])
		}
	}
	if len(r.lines) != n {
		t.Fatalf("%d lines, want %d", len(r.lines), n)
	}
}

// until waits for a state that no line announces.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func line(n int) string {
	return fmt.Sprintf("Nov 24 03:00:00 mx test[1]: line %d %s\n", n, strings.Repeat("x", n%97))
}

// stopClock never waits, and ends the context at the first wait.
type stopClock struct{ stop func() }

func (stopClock) Now() time.Time { return time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC) }

func (c stopClock) After(time.Duration) (<-chan time.Time, func()) {
	c.stop()
	tick := make(chan time.Time, 1)
	tick <- c.Now()
	return tick, func() {}
}
