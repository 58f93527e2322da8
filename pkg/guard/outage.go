package guard

import "slices"

const (
	// maxSpans bounds what is remembered of outages and of proofs that our DNS
	// works. The oldest goes first.
	maxSpans = 256
	// faultBefore is how long before a fault is logged it may have had its
	// effect: a query that runs into its time limit.
	faultBefore = minute
	// maxHeard bounds the witnesses that are remembered for a day.
	maxHeard = 64
)

// span is a stretch of time, both ends included.
type span struct {
	start, end uint32
	by         uint64 // of evidence: the only source behind it, 0 for several
}

// trouble is when a service of ours did not work. It lasts for a while after each
// fault, and on until somebody gets in again or silence is over.
type trouble struct {
	lasts, silence uint32 // constants
	refutable      bool   // constant: a login ends it at once

	spans     []span
	open      bool // nobody got in since the last fault
	lastFault uint32
	lost      uint32 // end of the newest span that had no more room
}

// fault notes that the service failed, with its effects from a time on.
func (t *trouble) fault(from, at uint32) {
	if n := len(t.spans); n > 0 {
		last := &t.spans[n-1]
		if at <= last.end || t.open && at <= t.lastFault+t.silence {
			last.start = min(last.start, from)
			last.end = max(last.end, at+t.lasts)
			t.lastFault, t.open = max(t.lastFault, at), true
			return
		}
		if n >= maxSpans {
			t.lost = t.spans[0].end
			t.spans = slices.Delete(t.spans, 0, 1)
		}
	}
	t.spans = append(t.spans, span{start: from, end: at + t.lasts})
	t.lastFault, t.open = max(t.lastFault, at), true
}

// works notes that somebody got in.
func (t *trouble) works(at uint32) {
	if !t.open || at <= t.lastFault {
		return
	}
	last := &t.spans[len(t.spans)-1]
	end := min(at, t.lastFault+t.silence)
	if !t.refutable {
		end = max(end, last.end)
	}
	last.end, t.open = end, false
}

// covers tells whether the service was in trouble. Of what is too long ago to
// know it says yes.
func (t *trouble) covers(at uint32) bool {
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

// outage remembers the trouble of a service: what is certainly ours, and what its
// clients met. They may have brought it about, so it takes several that we know to
// make an outage, who tell of no second one on that day, and it is over when
// somebody gets in.
type outage struct {
	certain, claimed trouble
	witnesses        int // how many good sources in trouble make an outage; 0: none do

	worked     uint32 // last time somebody got in, and who
	workedBy   uint64
	workedElse uint32 // last time somebody else than that one did

	failing []witness // good sources in trouble since somebody got in
	since   uint32    // when the first of them was
	heard   []witness // those that made an outage, the latest last
}

// witness is a good source in trouble: it fails, or meets a fault of ours.
type witness struct {
	key, account uint64
	at           uint32
}

func (o *outage) set(lasts, silence uint32, witnesses int) {
	o.certain.lasts, o.certain.silence = lasts, silence
	o.claimed.lasts, o.claimed.silence, o.claimed.refutable = lasts, silence, true
	o.witnesses = witnesses
}

// fault notes trouble that is certainly ours.
func (o *outage) fault(at uint32) { o.certain.fault(at-min(at, faultBefore), at) }

// fails notes that a source which got in before is in trouble; newly says that it
// was not before. account is who met it (identity).
func (o *outage) fails(key, account uint64, at uint32, newly bool) {
	if o.isFailing(key) || newly && o.hears(witness{key, account, at}, 1) {
		o.claim(at)
	}
}

// friendFails notes that an account of a host that we trust is in trouble. Its word is
// enough.
func (o *outage) friendFails(account uint64, at uint32) {
	if o.isFailing(account) || o.hears(witness{account, account, at}, o.witnesses) {
		o.claim(at)
	}
}

func (o *outage) isFailing(key uint64) bool {
	return slices.ContainsFunc(o.failing, func(w witness) bool { return w.key == key })
}

// hears takes a witness that counts for so many. Those who have made an outage make
// no second one on that day, or whoever has two accounts could stage one for ever.
func (o *outage) hears(w witness, times int) bool {
	if len(o.failing) >= o.witnesses {
		return true
	}
	if o.isKnown(w.account, w.at) {
		return false
	}
	if len(o.failing) == 0 {
		o.since = w.at
	}
	for ; times > 0 && len(o.failing) < o.witnesses; times-- {
		o.failing = append(o.failing, w)
	}
	if len(o.failing) == o.witnesses {
		o.heard = append(o.heard, o.failing...)
		o.heard = slices.Delete(o.heard, 0, max(0, len(o.heard)-maxHeard))
	}
	return true
}

// claim notes trouble that there are witnesses of, if they are enough: from the first
// of them on, and not while somebody got in.
func (o *outage) claim(at uint32) {
	if len(o.failing) < o.witnesses {
		return
	}
	from := min(o.since, max(o.since-min(o.since, faultBefore), o.worked))
	o.claimed.fault(from, o.since)
	o.claimed.fault(max(from, at-min(at, faultBefore)), at)
}

// isKnown tells whether an account speaks of this outage already, or spoke of
// another one within the day.
func (o *outage) isKnown(account uint64, at uint32) bool {
	return slices.ContainsFunc(o.failing, func(w witness) bool { return w.account == account }) ||
		slices.ContainsFunc(o.heard, func(w witness) bool { return w.account == account && isWithin(w.at, at, day) })
}

// works notes that somebody got in.
func (o *outage) works(key uint64, at uint32) {
	if key != o.workedBy {
		o.workedBy, o.workedElse = key, o.worked
	}
	o.worked = max(o.worked, at)
	o.failing = o.failing[:0]
	o.certain.works(at)
	o.claimed.works(at)
}

// covers tells whether the service was in trouble.
func (o *outage) covers(at uint32) bool { return o.certain.covers(at) || o.claimed.covers(at) }

// metBy tells whether a fault that one source alone met then excuses what it did at
// another time: not if somebody else got in since.
func (o *outage) metBy(key uint64, fault, at uint32) bool {
	if fault == 0 || !isWithin(fault, at, o.certain.lasts) || !isWithin(at, fault, faultBefore) {
		return false
	}
	return !o.worksForOthers(key, fault)
}

// worksForOthers tells whether others than key got in after a time.
func (o *outage) worksForOthers(key uint64, since uint32) bool {
	return o.workedElse > since || o.worked > since && o.workedBy != key
}

// mayWork tells whether somebody may yet get in and show that a fault was nobody
// else's.
func (o *outage) mayWork(fault, now uint32) bool { return isWithin(fault, now, o.certain.silence) }
