package scenario

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// evidencePerGroup is how many events a group remembers as evidence.
const evidencePerGroup = 6

// reference is an event in few bytes: enough to say what happened when the ring
// holds its text no more.
type reference uint64

// The parts of a reference: seconds since 2020 (31 bits), the end of the number
// in the ring (18), attempts (6, no more than 63), kind (6) and service (3).
const (
	epoch2020    = 1577836800
	numberBits   = 18
	mostAttempts = 63
)

func newReference(t int64, number uint32, k event.Kind, s event.Service) reference {
	seconds := max(t/int64(time.Second)-epoch2020, 0) & (1<<31 - 1)
	return reference(seconds)<<33 | reference(number&(1<<numberBits-1))<<15 | 1<<9 | reference(k&63)<<3 | reference(s&7)
}

func (r reference) seconds() int64         { return int64(r>>33) + epoch2020 }
func (r reference) number() uint32         { return uint32(r>>15) & (1<<numberBits - 1) }
func (r reference) attempts() int          { return int(r >> 9 & mostAttempts) }
func (r reference) kind() event.Kind       { return event.Kind(r >> 3 & 63) }
func (r reference) service() event.Service { return event.Service(r & 7) }

// isOf is true if the clone is the event that the reference means.
func (r reference) isOf(c *clone) bool {
	return c.number != 0 && c.number&(1<<numberBits-1) == r.number() && c.kind == r.kind() &&
		max(c.time/int64(time.Second), epoch2020) == r.seconds()
}

// texts is how many texts an event holds.
const texts = 12

// clone is an event in the ring, with the texts in one buffer that is used
// again.
type clone struct {
	time     int64
	addr     netip.Addr
	number   uint32
	pid      int32
	attempts int32
	kind     event.Kind
	service  event.Service
	lengths  [texts]uint32
	text     []byte
}

// ring holds the text of the newest events that counted somewhere.
type ring struct {
	clones []clone
	number uint32 // of the newest
}

// maxText bounds what the ring keeps of one text.
const maxText = 2048

func textsOf(e *event.Event) [texts]*string {
	return [texts]*string{
		&e.Host, &e.Program, &e.User, &e.ClientName, &e.Helo, &e.Sender,
		&e.Recipient, &e.Mechanism, &e.Code, &e.Reason, &e.Session, &e.Message,
	}
}

// add copies the event. The same event once more keeps its number.
func (r *ring) add(e *event.Event, t int64) uint32 {
	if last := r.slot(r.number); last.number == r.number && last.is(e, t) {
		return r.number
	}
	r.number++
	r.slot(r.number).fill(e, t, r.number)
	return r.number
}

func (c *clone) fill(e *event.Event, t int64, number uint32) {
	c.time, c.addr, c.number = t, e.Addr, number
	c.pid, c.attempts, c.kind, c.service = int32(e.PID), int32(e.Attempts), e.Kind, e.Service
	c.text = c.text[:0]
	for i, text := range textsOf(e) {
		part := (*text)[:min(len(*text), maxText)]
		c.lengths[i] = uint32(len(part))
		c.text = append(c.text, part...)
	}
}

func (r *ring) slot(number uint32) *clone { return &r.clones[number%uint32(len(r.clones))] }

// find returns the clone that a reference means, or nil. The whole number follows
// from its end: it is the latest one that is not after the newest.
func (r *ring) find(ref reference) *clone {
	if len(r.clones) == 0 {
		return nil
	}
	back := (r.number - ref.number()) & (1<<numberBits - 1)
	if c := r.slot(r.number - back); ref.isOf(c) {
		return c
	}
	return nil
}

// is true if the clone is one of this very event.
func (c *clone) is(e *event.Event, t int64) bool {
	if c.time != t || c.kind != e.Kind || c.addr != e.Addr || c.pid != int32(e.PID) {
		return false
	}
	n := len(c.text) - int(c.lengths[texts-1])
	return string(c.text[n:]) == e.Message[:min(len(e.Message), maxText)]
}

// event returns a copy of its own.
func (c *clone) event() event.Event {
	e := event.Event{
		Time: stamp(c.time), Addr: c.addr, PID: int(c.pid), Attempts: int(c.attempts), Kind: c.kind, Service: c.service,
	}
	all := string(c.text)
	for i, text := range textsOf(&e) {
		*text, all = all[:c.lengths[i]], all[c.lengths[i]:]
	}
	return e
}

// remember notes the event at hand as evidence of the group.
func (e *Engine) remember(gi uint32) {
	if len(e.ring.clones) == 0 {
		return
	}
	if e.current == 0 {
		e.current = e.ring.add(e.in.ev, e.at)
	}
	g := e.groups.at(gi)
	ref := &g.evidence[g.newest]
	if g.seen > 0 && ref.number() == e.current&(1<<numberBits-1) && ref.isOf(e.ring.slot(e.current)) {
		if ref.attempts() < mostAttempts {
			*ref += 1 << 9
		}
		return
	}
	if g.seen > 0 {
		g.newest = (g.newest + 1) % evidencePerGroup
	}
	g.seen = min(g.seen+1, evidencePerGroup)
	g.evidence[g.newest] = newReference(e.at, e.current, e.in.ev.Kind, e.in.ev.Service)
}

// evidenceOf returns the newest events of the group of the kinds in the set, not
// older than from, the oldest first.
func (e *Engine) evidenceOf(g *group, kinds KindSet, from int64) []event.Event {
	if g.seen == 0 {
		return nil
	}
	found := make([]event.Event, 0, g.seen)
	for i := range int(g.seen) {
		at := (int(g.newest) + evidencePerGroup - int(g.seen) + 1 + i) % evidencePerGroup
		ref := g.evidence[at]
		if !kinds.Has(ref.kind()) || ref.seconds() < from/int64(time.Second) {
			continue
		}
		found = append(found, e.resolve(ref, g))
	}
	return found
}

// resolve finds the event in the ring, or tells of it in its few facts.
func (e *Engine) resolve(ref reference, g *group) event.Event {
	var found event.Event
	if c := e.ring.find(ref); c != nil {
		found = c.event()
	} else {
		found = event.Event{Time: time.Unix(ref.seconds(), 0).UTC(), Kind: ref.kind(), Service: ref.service()}
		if g.bits == 128 {
			found.Addr = g.key().addr()
		}
	}
	found.Attempts = ref.attempts()
	return found
}

func stamp(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
