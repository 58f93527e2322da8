package file

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/input"
)

// 50,000 lines a second are followed as they come, and a line that comes alone
// is there within milliseconds. The bounds are wide: the figures are in the log
// of the test.
func TestKeepsUp(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	w := newWriter(t, 1)
	r := start(t, Options{Globs: []string{w.path}}, "")
	const perTick, ticks = 500, 100
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	for range ticks {
		<-tick.C
		var burst strings.Builder
		for range perTick {
			w.count++
			burst.WriteString(line(w.count))
		}
		if _, err := w.file.WriteString(burst.String()); err != nil {
			t.Fatal(err)
		}
	}
	wrote := time.Since(begun)
	r.wait(t, w.count)
	behind := time.Since(begun) - wrote
	t.Logf("%d lines written in %v, the last one read %v later", w.count, wrote.Round(time.Millisecond), behind.Round(100*time.Microsecond))
	if behind > 2*time.Second {
		t.Errorf("%v behind, want at most %v", behind, 2*time.Second)
	}

	var delays []time.Duration
	for range 50 {
		<-tick.C
		w.count++
		begun := time.Now()
		put(t, w.path, line(w.count))
		r.wait(t, w.count)
		delays = append(delays, time.Since(begun))
	}
	slices.Sort(delays)
	t.Logf("a single line: median %v, slowest %v", delays[25].Round(10*time.Microsecond), delays[49].Round(10*time.Microsecond))
	if delays[25] > 200*time.Millisecond {
		t.Errorf("a single line takes %v, want delays at most %v", delays[25], 200*time.Millisecond)
	}
	r.stop()
	r.check(t, w.count)
}

// A follower at rest looks at its files at the safety poll, and does nothing in
// between.
func TestIdleFollowerRests(t *testing.T) {
	w := newWriter(t, 1)
	clock := newFakeClock()
	rest := &restingWaker{waker: newWaker()}
	source, err := New(Options{Globs: []string{w.path}, clock: clock, waker: rest})
	if err != nil {
		t.Fatal(err)
	}
	defer rest.close()
	err = source.Follow(t.Context(), "", func(b input.Batch) error {
		if strings.Contains(b.Text, "line 1 ") {
			return errKilled
		}
		if !rest.rested {
			rest.rested = true
			rest.atRest = func() { put(t, w.path, line(1)) }
		}
		return nil
	})
	if !errors.Is(err, errKilled) {
		t.Errorf("Follow: %v, want %q", err, errKilled)
	}
	if first := <-clock.waits; first != safetyPoll {
		t.Errorf("the follower rests %v, want %v", first, safetyPoll)
	}
}

// restingWaker does something as soon as the follower rests.
type restingWaker struct {
	waker
	rested bool
	atRest func()
}

func (w *restingWaker) sees() bool {
	if w.atRest != nil {
		w.atRest()
		w.atRest = nil
	}
	return w.waker.sees()
}

// fakeClock never waits: what sleeps goes on at once, and how long it would
// have slept is kept.
type fakeClock struct {
	now   time.Time
	waits chan time.Duration
}

func newFakeClock() *fakeClock {
	return &fakeClock{time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), make(chan time.Duration, 100)}
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.waits <- d
	tick := make(chan time.Time, 1)
	tick <- c.now
	return tick, func() {}
}
