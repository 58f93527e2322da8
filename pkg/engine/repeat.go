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

// Repeater completes the repetitions of one source with the event that they repeat. The
// zero value is ready. It keeps the text of one event in memory.
type Repeater struct{ last event.Record }

// Clone copies that text, so that the log's block can be released.
func (p *Repeater) Clone() { p.last.Event = p.last.Event.Clone() }

// Take must get each record of the source before Step does. A repetition becomes an event
// if the line right before it, by its number and of the same host, was one, because
// syslogd compares with no other line. It keeps the time of its own line and takes the
// rest from the event. Every other record stays as it is.
func (p *Repeater) Take(r *event.Record) {
	switch {
	case r.Outcome == event.Noted:
		p.last = *r
	case r.Testimony == event.Repeated && p.last.Outcome == event.Noted && r.Line == p.last.Line+1 && r.Host == p.last.Host:
		p.last.Line = r.Line // several repetitions may follow one another
		at, times := r.Time, r.Attempts
		*r = p.last
		r.Time, r.Attempts = at, r.Attempts*times
	}
}

// forget is Take of a record that no repetition comes after.
func (p *Repeater) forget() { p.last.Outcome = event.NoHeader }

// Repeatable returns the event that the line after a given one may repeat, so that
// another Repeater can continue: its Take gets that event.
func (p *Repeater) Repeatable(line int64) (event.Record, bool) {
	return p.last, p.last.Outcome == event.Noted && p.last.Line == line
}
