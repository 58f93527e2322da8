package bucket

import (
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
)

// evidencePerGroup is the number of events that a group remembers as evidence. The first
// of them are in the group itself.
const (
	evidencePerGroup = 6
	evidenceAtHand   = 3
)

// ringCount counts remembered events. From evidencePerGroup on it counts in a circle, so it
// also yields the place of the newest.
type ringCount uint8

func (t ringCount) seen() int   { return min(int(t), evidencePerGroup) }
func (t ringCount) newest() int { return (int(t) + evidencePerGroup - 1) % evidencePerGroup }

func (t ringCount) more() ringCount {
	if t++; t == 2*evidencePerGroup {
		return evidencePerGroup
	}
	return t
}

// reference describes an event in eight bytes, which suffice when the ring no longer
// holds its text.
type reference uint64

// The parts of a reference: seconds since 2020, the end of the number in the ring,
// attempts (no more than fit), kind and service, from the highest bit on.
const (
	epoch2020    = 1577836800
	secondsBits  = 31
	numberBits   = 16
	attemptsBits = 6
	kindBits     = 6
	refService   = 5 // bits of the service

	mostAttempts = 1<<attemptsBits - 1
	oneAttempt   = reference(1) << (refService + kindBits)
)

// The compiler refuses a constant below zero: a part that its bits do not hold, or
// parts that are too many.
const (
	_ = uint(64 - secondsBits - numberBits - attemptsBits - kindBits - refService)
	_ = uint(1<<kindBits - event.KindCount)
	_ = uint(1<<refService - event.ServiceCount)
	_ = uint(1<<numberBits - maxTexts)
)

// newReference packs an event into a reference.
func newReference(t int64, number uint32, k event.Kind, s event.Service) reference {
	seconds := max(t/int64(time.Second)-epoch2020, 0) & (1<<secondsBits - 1)
	r := reference(seconds)<<numberBits | reference(number&(1<<numberBits-1))
	return (r<<attemptsBits|1)<<(kindBits+refService) | reference(k)<<refService | reference(s)
}

func (r reference) seconds() int64 {
	return int64(r>>(numberBits+attemptsBits+kindBits+refService)) + epoch2020
}

func (r reference) number() uint32 {
	return uint32(r>>(attemptsBits+kindBits+refService)) & (1<<numberBits - 1)
}

func (r reference) attempts() int { return int(r >> (kindBits + refService) & mostAttempts) }

func (r reference) kind() event.Kind       { return event.Kind(r >> refService & (1<<kindBits - 1)) }
func (r reference) service() event.Service { return event.Service(r & (1<<refService - 1)) }

// isOf reports whether the clone is the event of the reference.
func (r reference) isOf(c *clone) bool {
	return c.number != 0 && c.number&(1<<numberBits-1) == r.number() && c.kind == r.kind() &&
		max(c.time/int64(time.Second), epoch2020) == r.seconds()
}

// texts is the number of texts of an event.
const texts = 12

// clone is an event in the ring, with the texts in one buffer that is used again: first
// the message, of which most other texts are parts, then those that are not.
type clone struct {
	time     int64
	addr     netip.Addr
	number   uint32
	pid      int32
	attempts int32
	kind     event.Kind
	service  event.Service
	places   [texts]uint16 // of the texts in the buffer
	lengths  [texts]uint16
	text     []byte
	shared   string // a copy of the buffer for all evidence; "" until some is made
}

// ring holds the texts of the newest events that any scenario counted.
type ring struct {
	clones []clone
	number uint32 // of the newest
}

// The bytes that are kept of an event's texts. A daemon logs a line of at most 2,000
// bytes (Postfix, MSG_SYSLOG_RECLEN), but a client may fill it with one field, and the
// message repeats every field.
const (
	maxMessage = 2048
	maxField   = 256
	maxTexts   = 1 << 16 // events in a ring
	longPart   = 48      // of a text that is worth a search in the message
)

// kept shortens the text at a place among the texts of an event.
func kept(text string, place int) string {
	if place == texts-1 {
		return text[:min(len(text), maxMessage)]
	}
	return text[:min(len(text), maxField)]
}

// textsOf returns the texts of an event, in the order of their places.
func textsOf(e *event.Event) [texts]*string {
	return [texts]*string{
		&e.Host, &e.Program, &e.User, &e.ClientName, &e.Helo, &e.Sender,
		&e.Recipient, &e.Mechanism, &e.Code, &e.Reason, &e.Session, &e.Message,
	}
}

// add copies the event. If it is the newest one already, it keeps its number.
func (r *ring) add(e *event.Event, t int64) uint32 {
	if last := r.slot(r.number); last.number == r.number && last.is(e, t) {
		return r.number
	}
	r.number++
	r.slot(r.number).fill(e, t, r.number)
	return r.number
}

// fill copies an event into a clone, in the memory that it has.
func (c *clone) fill(e *event.Event, t int64, number uint32) {
	c.time, c.addr, c.number = t, e.Addr, number
	c.pid, c.attempts, c.kind, c.service = int32(e.PID), int32(e.Attempts), e.Kind, e.Service
	message := kept(e.Message, texts-1)
	c.text, c.shared = append(c.text[:0], message...), ""
	for i, text := range textsOf(e) {
		part := kept(*text, i)
		at := event.PlaceIn(message, part)
		if at < 0 && len(part) >= longPart { // a name that was shortened, or restored
			at = strings.Index(message, part)
		}
		if at < 0 {
			at = len(c.text)
			c.text = append(c.text, part...)
		}
		c.places[i], c.lengths[i] = uint16(at), uint16(len(part))
	}
}

func (r *ring) slot(number uint32) *clone { return &r.clones[number%uint32(len(r.clones))] }

// find returns the clone of a reference, or nil. The whole number of the event is the
// latest one with the same end that is not after the newest.
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

// is reports whether the clone is that of the same event.
func (c *clone) is(e *event.Event, t int64) bool {
	if c.time != t || c.kind != e.Kind || c.addr != e.Addr || c.pid != int32(e.PID) {
		return false
	}
	return string(c.text[:c.lengths[texts-1]]) == kept(e.Message, texts-1)
}

// event returns a copy that shares no memory with the ring.
func (c *clone) event() event.Event { return c.eventIn(string(c.text)) }

// evidence returns a copy that shares its texts with other evidence. The problem: a flood
// of long names has thousands of findings that wait, each with six events, and the
// scenarios that found one source have mostly the same.
func (c *clone) evidence() event.Event {
	if c.shared == "" {
		c.shared = string(c.text)
	}
	return c.eventIn(c.shared)
}

// eventIn returns a copy with the texts from a copy of the buffer.
func (c *clone) eventIn(all string) event.Event {
	e := event.Event{
		Time: stamp(c.time), Addr: c.addr, PID: int(c.pid), Attempts: int(c.attempts), Kind: c.kind, Service: c.service,
	}
	for i, text := range textsOf(&e) {
		*text = all[c.places[i] : c.places[i]+c.lengths[i]]
	}
	return e
}

// remember adds the current event to the evidence of the group.
func (c *current) remember(g *group) {
	if len(c.ring.clones) == 0 {
		return
	}
	if c.number == 0 {
		c.number = c.ring.add(c.in.Event, c.at)
	}
	if g.remembered > 0 {
		newest := c.evidenceAt(g, g.remembered.newest())
		if newest.number() == c.number&(1<<numberBits-1) && newest.isOf(c.ring.slot(c.number)) {
			if newest.attempts() < mostAttempts {
				c.setEvidence(g, newest+oneAttempt)
			}
			return
		}
	}
	g.remembered = g.remembered.more()
	c.setEvidence(g, newReference(c.at, c.number, c.in.Event.Kind, c.in.Event.Service))
}

func (m *memory) evidenceAt(g *group, i int) reference {
	if i < evidenceAtHand {
		return g.evidence[i]
	}
	return reference(m.words.At(g.more, evidencePerGroup-evidenceAtHand)[i-evidenceAtHand])
}

// setEvidence sets the newest reference of a group.
func (m *memory) setEvidence(g *group, ref reference) {
	i := g.remembered.newest()
	if i < evidenceAtHand {
		g.evidence[i] = ref
		return
	}
	if g.more == 0 {
		g.more = m.words.Take(evidencePerGroup - evidenceAtHand)
	}
	m.words.At(g.more, evidencePerGroup-evidenceAtHand)[i-evidenceAtHand] = uint64(ref)
}

// evidenceOf returns the newest events of the group of the kinds in the set, not
// older than from, the oldest first.
func (m *memory) evidenceOf(g *group, kinds event.KindSet, from int64) []event.Event {
	seen := g.remembered.seen()
	if seen == 0 {
		return nil
	}
	found := make([]event.Event, 0, seen)
	for i := range seen {
		ref := m.evidenceAt(g, (g.remembered.newest()+evidencePerGroup-seen+1+i)%evidencePerGroup)
		if !kinds.Has(ref.kind()) || ref.seconds() < from/int64(time.Second) {
			continue
		}
		found = append(found, m.resolve(ref, g))
	}
	return found
}

// resolve returns the event from the ring, or only the facts of the reference.
func (m *memory) resolve(ref reference, g *group) event.Event {
	var found event.Event
	if c := m.ring.find(ref); c != nil {
		found = c.evidence()
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
