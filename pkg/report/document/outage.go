package document

import (
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// outageEnd is how long after a complaint about the resolver a refusal for want of a name
// may be due to it.
const outageEnd = 10 * time.Minute

// outage is the latest outage of the host's resolver: the time from the first to the last
// of complaints that follow each other within outageEnd. Postfix refuses clients for now
// meanwhile (450 4.7.25), because it cannot look up their names. The outage does not end
// with the hour, so the windows of Days share one, and it is stored with them. Example: a
// complaint at 10:59, and a client that is refused at 11:02.
//
// A complaint of another time begins a new outage, also if it is earlier. So one with a
// wrong date hides nothing after the next complaint.
type outage struct{ first, last time.Time }

// note takes the time of a complaint.
func (o *outage) note(at time.Time) {
	if o.last.IsZero() || at.Sub(o.last) > outageEnd || o.first.Sub(at) > outageEnd {
		o.first, o.last = at, at
		return
	}
	widen(&o.first, &o.last, at)
}

// holds reports whether a refusal of a time may be due to the outage.
func (o *outage) holds(at time.Time) bool {
	return !o.last.IsZero() && !at.Before(o.first) && at.Sub(o.last) <= outageEnd
}

func (o *outage) encode(c *wire.Codec) {
	c.Time(&o.first)
	c.Time(&o.last)
}

// refusedInOutage counts a client that was refused for now while the resolver was in
// trouble, and reports whether it was. The window need not hold a complaint.
func (w *Watch) refusedInOutage(e *event.Event) bool {
	if e.Kind != event.NoHostname || !strings.HasPrefix(e.Code, "4") || !w.outage.holds(e.Time) {
		return false
	}
	f := w.faultOf(event.DNSFault)
	f.refused += e.Attempts
	widen(&f.first, &f.last, e.Time)
	return true
}
