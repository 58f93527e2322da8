package daily

import (
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"
)

// clientAddr is the address of a client; the zero Addr if it is unknown.
type clientAddr = netip.Addr

// mail is one queue file.
//
// A content filter takes a mail out of one queue file and brings it back in another. Such
// a child is linked to its parent; the root of the chain is the mail that counts. Since
// the lines that prove the link come late, a child may have been counted already, so all
// its counts can be undone.
type mail struct {
	host      *host
	id        string
	parent    *mail
	more      *history // nil for most
	seen      moment   // time of the first line about it
	born      moment   // when it was received or submitted; 0 if the log does not show it
	removedAt moment

	client    clientAddr
	messageID uint64 // hash of the Message-ID; 0: none is known
	user      string // whose login sent it, in lower case
	sender    string
	size      int64 // -1: unknown
	place     tablePlace
	facts     facts
	from      origin
}

// history is what a link to another queue file may change later. Only mails that a
// content filter may have to do with have it.
type history struct {
	deliveries []delivery // the latest ones
	deferrals  []moment
	recipients []string // of a local mail, to recognise a filter
	children   int      // linked by orig_queue_id
	lastChild  moment   // birth of the latest of them
}

// facts are what is known of a mail, a bit each.
type facts uint16

const (
	bySMTPD    facts = 1 << iota
	local            // from pickup or a loopback address
	near             // from this host or its own networks, as what a filter brings back
	piped            // a delivery by pipe(8) or to this host may have handed it to a filter
	indexed          // it can be found by its Message-ID
	reserved         // held or discarded: it counts although no size was logged
	received         // it is counted as received
	incomplete       // it is counted as given up
	dropped          // it was removed long ago
	putBack          // postsuper -r put it back into the queue, so its delays begin with its parent
	filed            // a mailbox server took it, so no filter by LMTP or SMTP did
	everyFact  facts = 1<<iota - 1
)

func (m *mail) is(f facts) bool { return m.facts&f != 0 }
func (m *mail) set(f facts)     { m.facts |= f }
func (m *mail) clear(f facts)   { m.facts &^= f }

// setIf sets a fact if it holds.
func (m *mail) setIf(holds bool, f facts) {
	if holds {
		m.set(f)
	}
}

// past returns the history of a mail, a new one if it has none.
func (m *mail) past() *history {
	if m.more == nil {
		m.more = &history{}
	}
	return m.more
}

// deliveries returns those that are kept.
func (m *mail) deliveries() []delivery {
	if m.more == nil {
		return nil
	}
	return m.more.deliveries
}

// origin is where a mail came from: this host, a user, or another server.
type origin uint8

const (
	fromMX origin = iota
	fromUser
	fromHere
	originCount
)

var originNames = [originCount]string{fromMX: "mx", fromUser: "submission", fromHere: "local"}

// delivery is one delivered recipient, as it was counted.
type delivery struct {
	at                  moment
	agent               string
	recipient, original string
	delay               time.Duration
	size                int64
	unsized             bool
	requeued            bool
}

// maxDeliveries is the number of deliveries and recipients that are kept of one mail.
const maxDeliveries = 64

// root returns the first mail of a chain of queue files.
func (m *mail) root() *mail {
	for range maxChain {
		if m.parent == nil {
			break
		}
		m = m.parent
	}
	return m
}

// maxChain is the number of filters that one mail may pass.
const maxChain = 16

// offset returns how long the mail had been under way when this queue file was born, in
// seconds.
func (m *mail) offset() time.Duration {
	root := m.root()
	if root == m || m.is(putBack) || root.born == 0 || m.born == 0 || m.born < root.born {
		return 0
	}
	return m.born.since(root.born)
}

// key returns the mail's member of Figures.Deferred.
func (m *mail) key() uint64 {
	h := fnv.New64a()
	for _, part := range [...]string{m.host.name, m.id, strconv.FormatInt(int64(m.born), 36)} {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// birth begins a queue file. Short queue IDs are used again within a day, so an older one
// with the same ID is another mail.
func (t *Tracker) birth(r *event.Logged, f *event.Flow) {
	h := t.queue.host(r.Host)
	if m := h.mails.find(f.QueueID); m != nil && m.opensAgain(f, momentOf(r.Time)) {
		h.isTwice = true
		return
	}
	m := t.queue.openNew(h, f.QueueID, momentOf(r.Time))
	m.born, m.client = m.seen, f.Addr
	m.setIf(f.Kind == event.FlowReceived, bySMTPD)
	m.setIf(!m.is(bySMTPD) || f.Addr.IsLoopback(), local)
	m.setIf(m.is(local) || f.Addr.IsPrivate() || f.Addr.IsLinkLocalUnicast(), near)
	m.from = originOf(m, f)
	if f.Kind == event.FlowSubmitted {
		m.sender = t.names.lower(f.Sender)
	}
	if m.is(bySMTPD) {
		t.openedBy(m, t.sessions.of(r), f)
	}
	if f.User != "" {
		m.user = t.names.lower(clip(f.User))
		if figures := t.at(r.Time); figures != nil {
			figures.addUser(f.User)
		}
	}
	if f.ID == "" {
		return
	}
	parent := h.mails.find(f.ID)
	switch {
	case parent == nil || parent == m:
	case m.is(bySMTPD):
		t.linkByOrigin(m, parent)
	default:
		m.set(putBack)
		t.link(m, parent)
	}
}

// openedBy takes what is known of the session where smtpd opened a queue file.
func (t *Tracker) openedBy(m *mail, s *session, f *event.Flow) {
	if s == nil {
		return
	}
	if f.User != "" {
		s.user = strings.Clone(clip(f.User))
	}
	if s.heldNext {
		s.heldNext = false
		t.reserve(m, s.sender)
	}
}

func originOf(m *mail, f *event.Flow) origin {
	switch {
	case m.is(local):
		return fromHere
	case f.User != "", strings.HasPrefix(f.Service, "submission"), strings.HasPrefix(f.Service, "smtps"):
		return fromUser
	}
	return fromMX
}

// nameID notes the Message-ID of a queue file, by which a filter's mail is recognised.
func (m *mail) nameID(id string) {
	if len(id) < len("<a>") || len(id) > maxText || m.messageID != 0 {
		return
	}
	m.messageID = hashID(id)
	if m.is(local) {
		m.index()
	}
}

// hashID returns the hash of a Message-ID, never 0. Its sender chooses it, so
// two mails may have the same one anyhow.
func hashID(id string) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for ; len(id) >= 8; id = id[8:] {
		word := uint64(id[0]) | uint64(id[1])<<8 | uint64(id[2])<<16 | uint64(id[3])<<24 |
			uint64(id[4])<<32 | uint64(id[5])<<40 | uint64(id[6])<<48 | uint64(id[7])<<56
		h = (h ^ word) * prime
		h ^= h >> 32 // a product moves no bit downwards
	}
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	return max(h, 1)
}

// index lets a mail be found by its Message-ID. Only those can be a filter's that came
// from this host or were handed to a pipe(8).
func (m *mail) index() {
	if m.is(indexed) || m.messageID == 0 {
		return
	}
	if list := m.host.byID[m.messageID]; len(list) < maxSameID {
		m.host.byID[m.messageID] = append(list, m)
		m.set(indexed)
	}
}

// maxSameID is the number of queue files that are compared because of the same
// Message-ID: a client chooses it.
const maxSameID = 8

// forgetID removes the queue file from the index of Message-IDs.
func (m *mail) forgetID() {
	if !m.is(indexed) {
		return
	}
	m.clear(indexed)
	list := m.host.byID[m.messageID]
	for i, other := range list {
		if other == m {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(m.host.byID, m.messageID)
		return
	}
	m.host.byID[m.messageID] = list
}

// queued notes sender and size, by which a queue file becomes a mail.
func (t *Tracker) queued(r *event.Logged, f *event.Flow) {
	m := t.queue.open(r, f.QueueID)
	if m.removedAt != 0 { // a bounce or the like that got the same queue ID
		m = t.queue.openNew(m.host, f.QueueID, momentOf(r.Time))
	}
	if m.size >= 0 {
		return // a deferred mail that is tried again
	}
	t.unreceive(m) // it was on hold
	m.sender, m.size = t.names.lower(f.Sender), f.Size
	t.receive(m)
}

// reserve counts a mail that was held or discarded, since the queue manager may never log
// its size.
func (t *Tracker) reserve(m *mail, sender string) {
	m.set(reserved)
	if m.sender == "" && !m.is(received) {
		m.sender = t.names.lower(sender)
	}
	t.receive(m)
}

// receive counts a mail as received, at its birth, unless a filter brought it back.
func (t *Tracker) receive(m *mail) {
	if m.born == 0 || m.parent != nil || m.is(received) {
		return
	}
	at := m.born.time()
	if figures := t.at(at); figures != nil {
		m.set(received)
		figures.receive(m, 1, t.hour(at))
	}
}

func (t *Tracker) unreceive(m *mail) {
	if !m.is(received) {
		return
	}
	m.clear(received)
	at := m.born.time()
	if figures := t.at(at); figures != nil {
		figures.receive(m, -1, t.hour(at))
	}
}

// receive adds n receipts of a mail, 1 or -1.
func (f *Figures) receive(m *mail, n int, hour string) {
	f.latest.receivedBy.add(f.ReceivedBy, originNames[m.from], n)
	bytes := int64(n) * max(m.size, 0)
	f.BytesReceived += bytes
	f.hour(hour).Received += n
	if f.latest.senders == nil {
		f.latest.senders = new(knownTraffic)
	}
	sender, domain := f.latest.senders.of(f.Senders, f.ReceivedDomains, m.sender)
	for _, t := range [...]*Traffic{sender, domain} {
		t.Count += n
		t.Bytes += bytes
	}
}

// addressKey returns an address as a key; the null sender in its form in SMTP.
func addressKey(address string) string {
	if address == "" {
		return "<>"
	}
	return clip(address)
}

// domainOf returns the part after the last @.
func domainOf(address string) string {
	if address == "" {
		return "<>"
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "(local)"
	}
	return clip(address[at+1:])
}

// isAbandoned reports whether a queue file that ends now never became a mail.
func (m *mail) isAbandoned() bool {
	return m.born != 0 && m.parent == nil && m.size < 0 && !m.is(reserved) && !m.is(incomplete)
}

// giveUp counts a queue file that ended before it became a mail: the client left after
// RCPT, or a filter refused the message at its end.
func (t *Tracker) giveUp(m *mail) {
	if !m.isAbandoned() {
		return
	}
	m.set(incomplete)
	t.count(m.born, func(f *Figures) { f.NotCompleted++ })
}
