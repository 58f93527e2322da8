package session

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"csmail/pkg/arena"
	"csmail/pkg/event"
)

// messages finds the client and the session of a message by its queue ID. Every accepted message is put
// and hardly any is looked up, so put must be cheap. It is a ring of the latest messages,
// with a hash index whose chains lead from a message to the next older one of the same
// bucket. Only a lookup brings the index up to date. Overwritten messages stay in the
// index, because a chain ends where it reaches one.
type messages struct {
	ring    arena.Slab[message] // see nth
	put64   uint64              // number of messages put so far; the next goes to put64 % most
	indexed uint64              // number of them that the index holds or no longer needs
	buckets []uint64            // the number of the newest message of each bucket, from 1; 0: none
	most    int
}

type message struct {
	key     messageKey
	addr    address
	process processKey // of smtpd, if the message is counted as taken from addr; else zero
	older   uint64     // the number of the next message in the chain; 0: none
}

// nth returns the place of the n-th message that was put, from 0 on.
func (m *messages) nth(n uint64) *message { return m.ring.At(uint32(n%uint64(m.most)) + 1) }

// len returns the number of messages in the ring.
func (m *messages) len() int { return m.ring.Len() }

func (m *messages) put(k messageKey, addr netip.Addr, process processKey) {
	if m.len() < m.most {
		m.ring.Grow()
	}
	*m.nth(m.put64) = message{key: k, addr: addressOf(addr), process: process}
	m.put64++
}

// index brings the index up to date. If it is too small for the ring its chains are long,
// so it is made again in a greater size.
func (m *messages) index() {
	if len(m.buckets) < m.len() {
		m.buckets, m.indexed = make([]uint64, 1<<bits.Len(uint(min(2*m.len(), m.most)))), 0
	}
	m.indexed = max(m.indexed, m.put64-uint64(m.len()))
	for ; m.indexed < m.put64; m.indexed++ {
		found := m.nth(m.indexed)
		bucket := m.bucketOf(&found.key)
		found.older, *bucket = *bucket, m.indexed+1
	}
}

func (m *messages) bucketOf(k *messageKey) *uint64 {
	sum := k.host
	for at := 0; at < maxQueueID; at += 8 {
		sum = (sum ^ binary.LittleEndian.Uint64(k.queueID[at:])) * 0x9e3779b97f4a7c15
		sum ^= sum >> 29
	}
	return &m.buckets[sum&uint64(len(m.buckets)-1)]
}

// get returns the newest message with the key, or nil. It is valid until the next put.
func (m *messages) get(k messageKey) *message {
	if m.len() == 0 {
		return nil
	}
	m.index()
	for n := *m.bucketOf(&k); n > 0 && n+uint64(m.len()) > m.put64; {
		found := m.nth(n - 1)
		if found.key == k {
			return found
		}
		n = found.older
	}
	return nil
}

// reject gives r, a filter's rejection of a whole message, the client of the message if
// it names none, and withdraws the message from its session: smtpd logged it as accepted
// when its first recipient was.
func (m *messages) reject(r *event.Record, sessions *fifoMap[processKey, smtpSession]) {
	k, ok := messageKeyOf(r)
	if !ok {
		return
	}
	found := m.get(k)
	if found == nil {
		return
	}
	if !r.Addr.IsValid() {
		r.Addr = found.addr.addr()
	}
	if found.addr != addressOf(r.Addr) || found.process == (processKey{}) {
		return
	}
	r.Withdrawn = 1
	if s := sessions.get(found.process); s != nil && s.addr == found.addr && s.messages > 0 {
		s.messages--
	}
	found.process = processKey{}
}

// each calls yield with every message, the oldest first.
func (m *messages) each(yield func(*message)) {
	for n := m.put64 - uint64(m.len()); n < m.put64; n++ {
		yield(m.nth(n))
	}
}
