package daemon

import "time"

// logClock is the time by the clock of the logs, which may differ from ours: that
// of the latest event plus what has passed since it came.
type logClock struct{ event, came time.Time }

func (c *logClock) seen(t time.Time) {
	if t.After(c.event) {
		c.event, c.came = t, time.Now()
	}
}

func (c *logClock) now(now time.Time) (time.Time, bool) {
	return c.event.Add(now.Sub(c.came)), !c.event.IsZero()
}

const (
	clockJump  = 5 * time.Second // between two looks, that is a jump and no drift
	clockAhead = time.Minute     // what the engine may be ahead of the clock
)

// wallWatch finds out that the clock was set: it then shows another time than what
// has passed, which the system counts apart (CLOCK_MONOTONIC, clock_gettime(2)).
type wallWatch struct {
	shown time.Time // by the clock, at
	at    time.Time // with the monotonic reading
}

// jump returns by how much the clock was set since the last call.
func (w *wallWatch) jump(shown, at time.Time) time.Duration {
	jump := shown.Round(0).Sub(w.shown.Round(0)) - at.Sub(w.at)
	w.shown, w.at = shown, at
	return jump
}

// watchClock tells of a clock that was set. Forward, counts leak as if the time had
// passed; back, what the engine holds of a time that has not come would stand still.
func (d *Daemon) watchClock(at time.Time) {
	jump := d.wall.jump(d.options.Now(), at)
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

// rewind takes the engine back if it is ahead of the clock, as it is after a time
// with a wrong clock. The checkpoint after it is due at once.
func (d *Daemon) rewind() {
	now := d.options.Now()
	ahead := d.engine.Now().Sub(now)
	if ahead < clockAhead {
		return
	}
	d.log.Warn("logs were read with a clock that was ahead; what was counted then is forgotten", "ahead", ahead.Round(time.Second))
	d.engine.Rewind(now)
	d.clock, d.checkpoint = logClock{}, time.Time{}
}
