package health

import "slices"

const (
	// maxSpans is the number of spans that are kept of an outage or of evidence. The
	// oldest goes first.
	maxSpans = 256
	// faultBefore is how long before its log line a fault may have had its effect, for
	// example during a query that runs into its time limit.
	faultBefore = minute
	// faultTogether is the time within which faults of two clients are taken for one
	// outage.
	faultTogether = 10 * minute
	// maxHeard is the number of witnesses that are remembered for a day.
	maxHeard = 64
)

// troubled remembers when a service was in trouble. Trouble lasts for a while after each
// fault, and then until a client gets in or silence has passed.
type troubled struct {
	lasts, silence uint32 // constants, in seconds

	spans     []span
	open      bool // no client got in since the last fault
	lastFault uint32
	lost      uint32 // end of the newest span that was dropped at the limit
}

// fault adds a fault. One that falls into the newest trouble extends it.
func (t *troubled) fault(at uint32) {
	if n := len(t.spans); n > 0 {
		last := &t.spans[n-1]
		if at <= last.end || t.open && at <= t.lastFault+t.silence {
			last.start = min(last.start, at-min(at, faultBefore))
			last.end = max(last.end, at+t.lasts)
			t.lastFault, t.open = max(t.lastFault, at), true
			return
		}
		if n >= maxSpans {
			t.lost = t.spans[0].end
			t.spans = slices.Delete(t.spans, 0, 1)
		}
	}
	t.spans = append(t.spans, span{start: at - min(at, faultBefore), end: at + t.lasts})
	t.lastFault, t.open = max(t.lastFault, at), true
}

// ends closes the trouble, since a client got in.
func (t *troubled) ends(at uint32) {
	if t.open && at > t.lastFault {
		last := &t.spans[len(t.spans)-1]
		last.end = max(last.end, min(at, t.lastFault+t.silence))
		t.open = false
	}
}

// covers reports whether the service was in trouble at a time. Times before the oldest
// span that is kept count as trouble, because a ban must rest on what is known.
func (t *troubled) covers(at uint32) bool {
	if t.lost != 0 && at <= t.lost {
		return true
	}
	for _, s := range slices.Backward(t.spans) {
		if s.start <= at && at <= s.end {
			return true
		}
	}
	return t.open && at > t.lastFault && at <= t.lastFault+t.silence
}

// outage is trouble that is certainly the host's, because regular clients met it.
type outage struct {
	troubled
	witnesses int // so many regulars that fail make an outage, even if no fault is logged

	failing []witness // regulars that failed since the last client that got in
	since   uint32    // the first of those failures
	heard   []witness // regulars that made an outage, the latest last
}

// witness is a regular client that fails.
type witness struct {
	key, account uint64
	at           uint32
}

// regularFails adds a failure of a source that logged in before; newly reports whether it
// is its first since then. account is the account it failed on, or the source itself.
//
// Accounts that have made an outage cannot make another one within a day. Otherwise an
// attacker with two accounts could keep an outage open for ever.
func (o *outage) regularFails(key, account uint64, at uint32, newly bool) {
	known := slices.ContainsFunc(o.failing, func(w witness) bool { return w.key == key })
	if !known {
		if !newly || len(o.failing) < o.witnesses && o.isKnown(account, at) {
			return
		}
		if len(o.failing) == 0 {
			o.since = at
		}
		if len(o.failing) < o.witnesses {
			o.failing = append(o.failing, witness{key, account, at})
			if len(o.failing) == o.witnesses {
				o.heard = append(o.heard, o.failing...)
				o.heard = slices.Delete(o.heard, 0, max(0, len(o.heard)-maxHeard))
			}
		}
	}
	if len(o.failing) >= o.witnesses {
		o.fault(o.since)
		o.fault(at)
	}
}

// isKnown reports whether an account is a witness of the present outage, or was one of
// another outage within a day.
func (o *outage) isKnown(account uint64, at uint32) bool {
	return slices.ContainsFunc(o.failing, func(w witness) bool { return w.account == account }) ||
		slices.ContainsFunc(o.heard, func(w witness) bool { return w.account == account && isWithin(w.at, at, day) })
}

// works ends the outage, since a client got in.
func (o *outage) works(at uint32) {
	o.failing = o.failing[:0]
	o.ends(at)
}
