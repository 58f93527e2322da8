package session

import "net/netip"

// recent holds the clients of the latest messages. Most are never asked for, so
// it is a plain ring: cheap to write to, and looked through from the newest on.
type recent struct {
	messages []message // in the order of their coming, as a ring once there are most
	next     int       // the place that is written next
	most     int
}

type message struct {
	key  messageKey
	addr netip.Addr
}

func (m *recent) put(k messageKey, addr netip.Addr) {
	if len(m.messages) < m.most {
		if len(m.messages) == cap(m.messages) { // twice the room: a busy host fills it soon
			m.grow(min(m.most, max(2*cap(m.messages), 256)))
		}
		m.messages = append(m.messages, message{})
	}
	m.messages[m.next] = message{k, addr}
	m.next = (m.next + 1) % m.most
}

func (m *recent) grow(room int) {
	messages := make([]message, len(m.messages), room)
	copy(messages, m.messages)
	m.messages = messages
}

// get returns the client of the newest message with the key, or the zero Addr.
func (m *recent) get(k messageKey) netip.Addr {
	for n := range len(m.messages) {
		at := m.next - 1 - n
		if at < 0 {
			at += len(m.messages)
		}
		if m.messages[at].key == k {
			return m.messages[at].addr
		}
	}
	return netip.Addr{}
}
