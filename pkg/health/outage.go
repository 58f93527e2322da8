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

// outage remembers when a service of ours was in trouble. It lasts for a while
// after each fault, and on until somebody gets in again or silence is over.
type outage struct {
	lasts, silence uint32 // constants
	witnesses      int    // how many good sources that fail make an outage; 0: none does

	spans     []span
	open      bool // nobody got in since the last fault
	lastFault uint32
	lost      uint32 // end of the newest span that had no more room

	client   uint64 // who met the latest fault that a client met
	clientAt uint32

	worked   uint32 // last time somebody got in, and who
	workedBy uint64

	failing []witness // good sources that fail since somebody got in
	since   uint32    // the first of those failures
	heard   []witness // those that made an outage, the latest last
}

// witness is a good source that fails.
type witness struct {
	key, account uint64
	at           uint32
}

func (o *outage) set(lasts, silence uint32, witnesses int) {
	o.lasts, o.silence, o.witnesses = lasts, silence, witnesses
}

// fault notes trouble that is certainly ours.
func (o *outage) fault(at uint32) {
	if n := len(o.spans); n > 0 {
		last := &o.spans[n-1]
		if at <= last.end || o.open && at <= o.lastFault+o.silence {
			last.start = min(last.start, at-min(at, faultBefore))
			last.end = max(last.end, at+o.lasts)
			o.lastFault, o.open = max(o.lastFault, at), true
			return
		}
		if n >= maxSpans {
			o.lost = o.spans[0].end
			o.spans = slices.Delete(o.spans, 0, 1)
		}
	}
	o.spans = append(o.spans, span{start: at - min(at, faultBefore), end: at + o.lasts})
	o.lastFault, o.open = max(o.lastFault, at), true
}

// clientFault notes trouble that one client met. A client may have brought it
// about, so it takes a second one to make an outage.
func (o *outage) clientFault(key uint64, at uint32) {
	if o.client != 0 && o.client != key && isWithin(o.clientAt, at, faultTogether) {
		o.fault(o.clientAt)
		o.fault(at)
	}
	o.client, o.clientAt = key, at
}

// goodFails notes that a source which got in before fails; newly says that it
// did not before. account is who failed there, or the source itself: those who
// have made an outage make no second one on that day, or whoever has two accounts
// could stage one for ever.
func (o *outage) goodFails(key, account uint64, at uint32, newly bool) {
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

// isKnown tells whether an account speaks of this outage already, or spoke of
// another one within the day.
func (o *outage) isKnown(account uint64, at uint32) bool {
	return slices.ContainsFunc(o.failing, func(w witness) bool { return w.account == account }) ||
		slices.ContainsFunc(o.heard, func(w witness) bool { return w.account == account && isWithin(w.at, at, day) })
}

// works notes that somebody got in.
func (o *outage) works(key uint64, at uint32) {
	o.worked, o.workedBy = max(o.worked, at), key
	o.failing = o.failing[:0]
	if o.open && at > o.lastFault {
		last := &o.spans[len(o.spans)-1]
		last.end = max(last.end, min(at, o.lastFault+o.silence))
		o.open = false
	}
}

// covers tells whether the service was in trouble. Of what is too long ago to
// know it says yes.
func (o *outage) covers(at uint32) bool {
	if o.lost != 0 && at <= o.lost {
		return true
	}
	for _, s := range slices.Backward(o.spans) {
		if s.start <= at && at <= s.end {
			return true
		}
	}
	return o.open && at > o.lastFault && at <= o.lastFault+o.silence
}

// excusesOwn reports whether a fault that one client alone met excuses what it did
// at a time: not if somebody else got in since.
func (o *outage) excusesOwn(key uint64, faulted, at uint32) bool {
	if faulted == 0 || !isWithin(faulted, at, o.lasts) || !isWithin(at, faulted, faultBefore) {
		return false
	}
	return o.worked <= faulted || o.workedBy == key
}
