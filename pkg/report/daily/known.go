package daily

import (
	"encoding/binary"
	"strings"
)

// A line mostly counts in an entry that one of the lines before it counted in, and to look
// up its text in a map costs more than to count. So tables of fixed size keep the entries
// that were found before: one of each group of texts.

// groupOf returns the group of a text, by its length and its first bytes: what differs in
// the addresses of one domain. It only spreads texts over the groups.
func groupOf(text string) uint64 {
	word := uint64(len(text))
	if len(text) >= 8 {
		word += uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
	} else {
		for i := range len(text) {
			word = word<<8 + uint64(text[i])
		}
	}
	return (word * 0x9e3779b97f4a7c15) >> (64 - groupBits)
}

const (
	groupBits = 8
	groups    = 1 << groupBits
)

// knownCounts are entries of one Counts, for names that are few.
type knownCounts [8]struct {
	key   string
	count *int // 0 once its entry was dropped
}

// add does what addCount does.
func (k *knownCounts) add(counts Counts, key string, n int) {
	slot := &k[groupOf(key)%uint64(len(k))]
	if count := slot.count; count != nil && *count != 0 && *count+n != 0 && slot.key == key {
		*count += n
		return
	}
	addCount(counts, key, n)
	if count := counts[key]; count != nil {
		slot.key, slot.count = strings.Clone(key), count
	}
}

// knownTraffic are entries of mail addresses, with those of their domains.
type knownTraffic [groups]struct {
	address     string
	one, domain *Traffic
}

// of does what trafficOf does. It keeps the address, so that must not point into the log.
func (k *knownTraffic) of(addresses, domains map[string]*Traffic, address string) (one, domain *Traffic) {
	slot := &k[groupOf(address)]
	if slot.one == nil || slot.address != address {
		slot.address = address
		slot.one, slot.domain = trafficOf(addresses, domains, address)
	}
	return slot.one, slot.domain
}

// knownClient is what was counted of a client before. Many connect again and again, and
// the lines about one connection come close to each other.
type knownClient struct {
	addr      clientAddr
	connected bool // it is in SMTPDClients
	screened  bool // it is in ScreenClients

	name  string     // at its last disconnect
	ended *Connected // of its host, with that name; nil: it is not known yet

	reason  *Refusal // of the last refusal
	refused *int     // refusals of the client for that reason
}

// knownClients are some of the clients: the two latest of each group of addresses.
type knownClients [1 << clientBits]knownClient

const clientBits = 11

// of returns the place of a client, a new one if it has none.
func (k *knownClients) of(addr clientAddr) *knownClient {
	raw := addr.As16()
	at := ((binary.BigEndian.Uint64(raw[:8]) ^ binary.BigEndian.Uint64(raw[8:])) * 0x9e3779b97f4a7c15) >> (64 - clientBits)
	latest, other := &k[at], &k[at^1]
	switch addr {
	case latest.addr:
		return latest
	case other.addr:
		return other
	}
	*other = *latest
	*latest = knownClient{addr: addr}
	return latest
}

// client returns the place of a client.
func (l *latest) client(addr clientAddr) *knownClient {
	if l.clients == nil {
		l.clients = new(knownClients)
	}
	return l.clients.of(addr)
}

// connect counts the client of a connection that begins, among all of smtpd.
func (l *latest) connect(all Set[clientAddr], addr clientAddr) {
	if client := l.client(addr); !client.connected {
		client.connected = true
		all.add(addr)
	}
}

// screen counts the client of a connection to postscreen.
func (l *latest) screen(all Set[clientAddr], addr clientAddr) {
	if client := l.client(addr); !client.screened {
		client.screened = true
		all.add(addr)
	}
}

// refuseClient counts a refusal of a client, and reports whether it is its first one for
// the reason.
func (f *Figures) refuseClient(reason *Refusal, addr clientAddr) (isNew bool) {
	client := f.latest.client(addr)
	if client.reason == reason {
		*client.refused++
		return false
	}
	isNew = f.addClient(reason.By, addr, 1)
	if count := reason.By[addr]; count != nil {
		client.reason, client.refused = reason, count
	}
	return isNew
}

// names makes copies of mail addresses and login names, in lower case. Most come again and
// again, and then the copy is the one that was made before.
type names [groups]struct{ text, lower string }

// longestNear is how long a text may be to be kept for the next time.
const longestNear = 128

// lower returns a text in lower case that may be kept.
func (n *names) lower(text string) string {
	if text == "" {
		return ""
	}
	slot := &n[groupOf(text)]
	if slot.text == text {
		return slot.lower
	}
	text = strings.Clone(text)
	lower := strings.ToLower(text)
	if len(text) <= longestNear {
		slot.text, slot.lower = text, lower
	}
	return lower
}
