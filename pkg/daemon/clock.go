package daemon

import (
	"time"

	"csmail/pkg/clock"
)

// logClock is the time by the clock of the logs, which may differ from the host's: the
// time of the latest event plus the time that has passed since it arrived.
type logClock struct{ latest clock.Reading }

// seen notes the time of an event.
func (c *logClock) seen(t time.Time) {
	if t.After(c.latest.Shown) {
		c.latest = clock.Reading{Shown: t, At: time.Now()}
	}
}

// now returns the time by the logs, and false if there was no event yet.
func (c *logClock) now(now time.Time) (time.Time, bool) {
	return c.latest.Now(now), !c.latest.IsZero()
}

const (
	clockJump  = 5 * time.Second // between two ticks: more than this is a jump, less is drift
	clockAhead = time.Minute     // by this the engine may be ahead of the clock
)

// watchClock logs that the clock was set. Set forward, buckets leak as if the time had
// passed. Set back, the state dated in the future would not expire, so it is dropped.
func (d *Daemon) watchClock(at time.Time) {
	shown := d.options.Now()
	jump := d.wall.Jump(shown, at)
	d.wall = clock.Reading{Shown: shown, At: at}
	switch {
	case jump >= clockJump:
		d.metrics.clockJumps.WithLabelValues("forward").Inc()
		d.log.Warn("the clock was set forward, or the host slept", "by", jump.Round(time.Second), "hint", clockHint)
	case jump <= -clockJump:
		d.metrics.clockJumps.WithLabelValues("back").Inc()
		d.log.Warn("the clock was set back", "by", (-jump).Round(time.Second), "hint", clockHint)
		d.rewind()
	}
}

const clockHint = "a time service keeps it right: systemctl status chrony systemd-timesyncd; nothing was lost or banned for it"

// rewind drops the state that the engine dated in the future while the clock was ahead.
// The checkpoint after it is due at once.
func (d *Daemon) rewind() {
	if d.cluster != nil {
		return // judges go by the stream
	}
	now := d.options.Now()
	ahead := d.engine.Now().Sub(now)
	if ahead < clockAhead {
		return
	}
	d.log.Warn("logs were read with a clock that was ahead; what was counted then is forgotten", "ahead", ahead.Round(time.Second))
	d.engine.Rewind(now)
	d.clock, d.checkpoint = logClock{}, time.Time{}
}
