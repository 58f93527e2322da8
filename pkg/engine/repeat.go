package engine

import (
	"strconv"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// repetition reads "last message repeated N times", which classic syslogd writes
// without a tag in place of N lines that are equal to the line before (sysklogd
// and FreeBSD, syslogd.c, fprintlog).
func repetition(h *logline.Header, message string) (int, bool) {
	if h.Program != "" {
		return 0, false
	}
	rest, ok := strings.CutPrefix(message, "last message repeated ")
	if !ok {
		return 0, false
	}
	count, unit, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(count, 10, 16)
	return int(n), err == nil && n > 0 && (unit == "times" || unit == "time")
}

// Repeater gives the repetitions of one source back what they repeat. The zero
// value is ready. It keeps hold of the text of one event.
type Repeater struct{ last event.Record }

// Clone makes it hold a copy of that text, so that the log's own may go.
func (p *Repeater) Clone() { p.last.Event = p.last.Event.Clone() }

// Take is shown each record of the source before Step gets it. A repetition
// becomes an event if the line right before it, by its number and of the same
// host, was one: syslogd compares with nothing else. It takes the time of its own
// line and all else from the event. Every other record stays as it is.
func (p *Repeater) Take(r *event.Record) {
	switch {
	case r.Outcome == event.Noted:
		p.last = *r
	case r.Testimony == event.Repeated && p.last.Outcome == event.Noted && r.Line == p.last.Line+1 && r.Host == p.last.Host:
		p.last.Line = r.Line // several repetitions may follow each other
		at, times := r.Time, r.Attempts
		*r = p.last
		r.Time, r.Attempts = at, r.Attempts*times
	}
}

// Repeatable returns the event that the line after a given one may repeat, for a
// Repeater that is to go on elsewhere: it is shown to that one's Take.
func (p *Repeater) Repeatable(line int64) (event.Record, bool) {
	return p.last, p.last.Outcome == event.Noted && p.last.Line == line
}
