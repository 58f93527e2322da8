package health

import "slices"

const (
	// maxSpans bounds what is remembered of outages and of proofs that our DNS
	// works. The oldest goes first.
	maxSpans = 256
	// faultBefore is how long before a fault is logged it may have had its
	// effect: a query that runs into its time limit.
	faultBefore = minute
	// faultTogether is within what time faults of two clients are one outage.
	faultTogether = 10 * minute
	// maxHeard bounds the witnesses that are remembered for a day.
	maxHeard = 64
)

// troubled remembers when a service of ours was in trouble. Trouble lasts for a while
// after each fault, and on until somebody gets in again or silence is over.
type troubled struct {
	lasts, silence uint32 // constants

	spans     []span
	open      bool // nobody got in since the last fault
	lastFault uint32
	lost      uint32 // end of the newest span that had no more room
}

// fault notes trouble.
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

// ends notes that somebody got in.
func (t *troubled) ends(at uint32) {
	if t.open && at > t.lastFault {
		last := &t.spans[len(t.spans)-1]
		last.end = max(last.end, min(at, t.lastFault+t.silence))
		t.open = false
	}
}

// covers reports whether the service was in trouble. Of what is too long ago to
// know it says yes.
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

// outage is trouble that is certainly ours: regulars met it.
type outage struct {
	troubled
	witnesses int // how many regulars that fail without a fault in the log make an outage

	failing []witness // regulars that fail since somebody got in
	since   uint32    // the first of those failures
	heard   []witness // those that made an outage, the latest last
}

// witness is a regular that fails.
type witness struct {
	key, account uint64
	at           uint32
}

// regularFails notes that a source which got in before fails; newly says that it
// did not before. account is who failed there, or the source itself: those who
// have made an outage make no second one on that day, or whoever has two accounts
// could stage one for ever.
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

// isKnown reports whether an account speaks of this outage already, or spoke of
// another one within the day.
func (o *outage) isKnown(account uint64, at uint32) bool {
	return slices.ContainsFunc(o.failing, func(w witness) bool { return w.account == account }) ||
		slices.ContainsFunc(o.heard, func(w witness) bool { return w.account == account && isWithin(w.at, at, day) })
}

// works notes that somebody got in.
func (o *outage) works(at uint32) {
	o.failing = o.failing[:0]
	o.ends(at)
}
