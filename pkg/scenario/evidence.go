package scenario

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
)

// evidencePerGroup is how many events a group remembers as evidence.
const evidencePerGroup = 6

// reference is an event in few bytes: enough to say what happened when the ring
// holds its text no more.
type reference struct {
	seconds  uint32 // since 1970
	number   uint32 // in the ring
	kind     event.Kind
	service  event.Service
	attempts uint16
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
		*text, all = strings.Clone(all[:c.lengths[i]]), all[c.lengths[i]:]
	}
	return e
}

// remember notes the event at hand as evidence of the group, once a pour.
func (e *Engine) remember(gi uint32) {
	if slices.Contains(e.touched, gi) {
		return
	}
	e.touched = append(e.touched, gi)
	if e.current == 0 {
		e.current = e.ring.add(e.in.ev, e.at)
	}
	g := e.groups.at(gi)
	ref := &g.evidence[g.newest]
	if g.seen > 0 && ref.number == e.current {
		ref.attempts++
		return
	}
	if g.seen > 0 {
		g.newest = (g.newest + 1) % evidencePerGroup
	}
	g.seen = min(g.seen+1, evidencePerGroup)
	g.evidence[g.newest] = reference{
		seconds: uint32(e.at / int64(time.Second)), number: e.current, kind: e.in.ev.Kind, service: e.in.ev.Service, attempts: 1,
	}
}

// evidenceOf returns the newest events of the group of the kinds in the set, not
// older than from, the oldest first.
func (e *Engine) evidenceOf(g *group, kinds KindSet, from int64) []event.Event {
	var found []event.Event
	for i := range int(g.seen) {
		at := (int(g.newest) + evidencePerGroup - int(g.seen) + 1 + i) % evidencePerGroup
		ref := g.evidence[at]
		if !kinds.Has(ref.kind) || int64(ref.seconds) < from/int64(time.Second) {
			continue
		}
		found = append(found, e.resolve(ref, g))
	}
	return found
}

// resolve finds the event in the ring, or tells of it in its few facts.
func (e *Engine) resolve(ref reference, g *group) event.Event {
	c := e.ring.slot(ref.number)
	var found event.Event
	if c.number == ref.number && c.kind == ref.kind && uint32(c.time/int64(time.Second)) == ref.seconds {
		found = c.event()
	} else {
		found = event.Event{Time: time.Unix(int64(ref.seconds), 0).UTC(), Kind: ref.kind, Service: ref.service}
		if g.bits == 128 {
			found.Addr = g.addr()
		}
	}
	found.Attempts = max(int(ref.attempts), 1)
	return found
}

func stamp(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
