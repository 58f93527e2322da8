package daemon

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/enforce/probe"
)

// The times of the watchdog.
const (
	// beforePostscreen is the watchdog's period while postscreen may ask. postscreen waits
	// for a csmail that hangs, serves nobody meanwhile, and is ended by a watchdog of its own
	// after ten seconds (event_server.c, 3.7). A killed csmail is no trouble: postscreen then
	// ignores the table. TimeoutAbortSec of the unit comes on top.
	beforePostscreen = 5 * time.Second

	watchEvery = time.Second
)

// watchdog reports to the service manager that csmail works. The manager kills and restarts a
// csmail that stays silent (WatchdogSec in systemd.service(5)).
//
// Without a door for postscreen the loop's ticks say so, and the unit's period of a minute
// is enough: every other door bounds its wait by itself. With one, a goroutine asks that
// door each second as postscreen does, speaks only if it answered and the loop is not stuck,
// and has the service manager shorten the period to five seconds.
type watchdog struct {
	notify func(string)
	screen []string      // places of the door for postscreen; empty: the loop speaks by itself
	period time.Duration // of the unit; 0: nobody listens
	every  time.Duration // between two questions to the door for postscreen
	looped atomic.Pointer[time.Time]
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// startWatchdog starts the watchdog of a daemon whose doors are open.
func startWatchdog(ctx context.Context, o Options, c config.Config) *watchdog {
	ctx, cancel := context.WithCancel(ctx)
	w := &watchdog{notify: o.Notify, period: o.Watchdog, every: watchEvery, cancel: cancel}
	if !c.Enforces() || o.Watchdog == 0 {
		return w
	}
	w.screen = c.Enforce.Socketmap.Listen
	if len(w.screen) == 0 {
		return w
	}
	now := time.Now()
	w.looped.Store(&now)
	w.notify(fmt.Sprintf("WATCHDOG_USEC=%d", min(beforePostscreen, o.Watchdog).Microseconds()))
	w.group.Go(func() { w.run(ctx) })
	return w
}

// loopWorks notes that the loop is not stuck.
func (w *watchdog) loopWorks(now time.Time) {
	if len(w.screen) == 0 {
		w.notify("WATCHDOG=1")
		return
	}
	w.looped.Store(&now)
}

func (w *watchdog) run(ctx context.Context) {
	for ctx.Err() == nil {
		if time.Since(*w.looped.Load()) < w.period && w.screenAnswers(ctx) {
			w.notify("WATCHDOG=1")
		}
		wait(ctx, w.every)
	}
}

// screenAnswers reports whether the door for postscreen answers in time.
func (w *watchdog) screenAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, beforePostscreen/2)
	defer cancel()
	for _, place := range w.screen {
		if probe.Answers(ctx, place) != nil {
			return false
		}
	}
	return true
}

// stop ends the watchdog. Nil is one that was never started.
func (w *watchdog) stop() {
	if w == nil {
		return
	}
	w.cancel()
	w.group.Wait()
}
