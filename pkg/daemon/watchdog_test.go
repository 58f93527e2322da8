package daemon

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// With a door for postscreen the daemon shortens the period, and says that it works; so it
// does without one, after the loop's ticks.
func TestWatchdogOfADaemon(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		socketmap bool
		period    time.Duration // of the service manager
		want      []string
	}{
		"postscreen asks":                    {true, time.Minute, []string{"WATCHDOG_USEC=5000000", "READY=1", "WATCHDOG=1"}},
		"the unit's period is shorter":       {true, 3 * time.Second, []string{"WATCHDOG_USEC=3000000", "READY=1", "WATCHDOG=1"}},
		"postscreen does not ask":            {false, time.Minute, []string{"READY=1", "WATCHDOG=1"}},
		"postscreen asks without a watchdog": {true, 0, []string{"READY=1", "WATCHDOG=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			decisions, url := newDecisions(t)
			decisions.set(false)
			more := ""
			if c.socketmap {
				more = fmt.Sprintf("  socketmap: {listen: [%s]}\n", r.path("screen"))
			}
			r.enforcing(url, more)
			r.watchdog = c.period
			options := r.options()
			ctx, cancel := context.WithCancel(t.Context())
			r.cancel, r.ended = cancel, make(chan error, 1)
			go func() { r.ended <- Run(ctx, options) }()
			t.Cleanup(r.stop)
			for _, want := range c.want {
				select {
				case got := <-r.told:
					if got != want {
						t.Fatalf("systemd is told %q, want %q of %q", got, want, c.want)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("systemd is not told %q", want)
				}
			}
		})
	}
}

// The watchdog is silent while the loop is stuck, and while a door for postscreen hangs or
// is gone.
func TestWatchdogIsSilent(t *testing.T) {
	t.Parallel()
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hung.Close() })
	works, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { works.Close() })
	go func() {
		for {
			c, err := works.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("9:NOTFOUND ,")) // before the question, which changes nothing for this test
			defer c.Close()
		}
	}()
	for name, c := range map[string]struct {
		places []string
		stuck  time.Duration
		speaks bool
	}{
		"all is well":              {[]string{works.Addr().String()}, 0, true},
		"the loop is stuck":        {[]string{works.Addr().String()}, time.Hour, false},
		"the door hangs":           {[]string{hung.Addr().String()}, 0, false},
		"one of two doors hangs":   {[]string{works.Addr().String(), hung.Addr().String()}, 0, false},
		"the door's socket is off": {[]string{"unix:" + t.TempDir() + "/none"}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := 20 * time.Second
			if !c.speaks {
				within = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			var said atomic.Int64
			w := &watchdog{period: time.Minute, every: 50 * time.Millisecond, screen: c.places, cancel: cancel, notify: func(m string) {
				if m == "WATCHDOG=1" && said.Add(1) == 3 {
					cancel()
				}
			}}
			then := time.Now().Add(-c.stuck)
			w.looped.Store(&then)
			w.group.Go(func() { w.run(ctx) })
			w.group.Wait()
			if got := said.Load() > 0; got != c.speaks {
				t.Errorf("the watchdog says %d times that csmail works, want that it does: %t", said.Load(), c.speaks)
			}
		})
	}
}
