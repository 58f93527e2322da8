package session

import (
	"encoding/binary"
	"net/netip"
)

// messages finds the client of a message by its queue ID. Every accepted message is
// put and hardly any is asked for, so putting must be cheap: it is a ring of the
// latest messages, with a hash index whose chains lead from a message to the older one
// of the same bucket. Overwritten messages are not taken out of the index: a chain
// ends where it reaches one.
type messages struct {
	ring    []message
	put64   uint64   // how many messages were put in all; the next goes to put64 % most
	buckets []uint64 // the number of the newest message of each bucket, from 1; 0: none
	most    int
}

type message struct {
	key   messageKey
	addr  netip.Addr
	older uint64 // the number of the next message in the chain; 0: none
}

func (m *messages) put(k messageKey, addr netip.Addr) {
	if len(m.ring) < m.most && len(m.ring) == cap(m.ring) {
		m.grow(min(m.most, max(2*cap(m.ring), 256)))
	}
	at := m.put64 % uint64(m.most)
	if at == uint64(len(m.ring)) {
		m.ring = append(m.ring, message{})
	}
	m.put64++
	bucket := m.bucketOf(&k)
	m.ring[at] = message{k, addr, *bucket}
	*bucket = m.put64
}

// grow makes room for more messages and, as a full index has long chains, more
// buckets. The ring has not come round yet.
func (m *messages) grow(room int) {
	ring := m.ring
	m.ring = make([]message, len(ring), room)
	buckets := 1
	for buckets < room {
		buckets *= 2
	}
	m.buckets = make([]uint64, buckets)
	for i := range ring {
		bucket := m.bucketOf(&ring[i].key)
		m.ring[i] = message{ring[i].key, ring[i].addr, *bucket}
		*bucket = uint64(i) + 1
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

// get returns the client of the newest message with the key, or the zero Addr.
func (m *messages) get(k messageKey) netip.Addr {
	if len(m.ring) == 0 {
		return netip.Addr{}
	}
	for n := *m.bucketOf(&k); n > 0 && n+uint64(len(m.ring)) > m.put64; {
		found := &m.ring[(n-1)%uint64(m.most)]
		if found.key == k {
			return found.addr
		}
		n = found.older
	}
	return netip.Addr{}
}

// each calls yield with every message, the oldest first.
func (m *messages) each(yield func(messageKey, netip.Addr)) {
	for n := m.put64 - uint64(len(m.ring)); n < m.put64; n++ {
		found := &m.ring[n%uint64(m.most)]
		yield(found.key, found.addr)
	}
}
