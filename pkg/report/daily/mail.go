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
	seen      time.Time // time of the first line about it
	born      time.Time // when it was received or submitted; zero if the log does not show it
	removedAt time.Time

	client    clientAddr
	from      string // mx, submission or local
	bySMTPD   bool
	isLocal   bool // from pickup or a loopback address
	isNear    bool // from this host or its own networks, as what a filter brings back
	piped     bool // a pipe(8) delivery may have handed it to a filter
	indexed   bool // it can be found by its Message-ID
	messageID string
	user      string // whose login sent it, in lower case
	sender    string
	size      int64 // -1: unknown
	reserved  bool  // held or discarded: it counts although no size was logged

	parent    *mail
	children  int       // linked by orig_queue_id
	lastChild time.Time // birth of the latest of them

	received   bool // it is counted as received, as counted says
	counted    receipt
	incomplete bool
	forgotten  bool // it was removed long ago

	deliveries []delivery  // the latest ones, which a link may still change
	deferrals  []time.Time // of a mail that may turn out to be a filter's
	recipients []string    // of a local mail, to recognise a filter
}

// receipt describes how a mail was counted when it was received.
type receipt struct {
	hour   string
	sender string
	size   int64
}

// delivery is one delivered recipient, as it was counted.
type delivery struct {
	at                  time.Time
	agent, hour         string
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
	if root == m || root.born.IsZero() || m.born.IsZero() || m.born.Before(root.born) {
		return 0
	}
	return m.born.Sub(root.born)
}

// key returns the mail's member of Figures.Deferred.
func (m *mail) key() uint64 {
	h := fnv.New64a()
	for _, part := range [...]string{m.host.name, m.id, strconv.FormatInt(m.born.UnixNano(), 36)} {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// open returns the entry of a queue file, a new one if there is none.
func (t *Tracker) open(r *event.Record, id string) *mail {
	h := t.host(r.Host)
	if m := h.mails[id]; m != nil {
		return m
	}
	return t.openNew(h, id, r.Time)
}

// openNew makes the entry of a queue file.
func (t *Tracker) openNew(h *host, id string, seen time.Time) *mail {
	m := &mail{host: h, id: strings.Clone(id), seen: seen, size: -1}
	h.mails[m.id] = m
	t.births.push(m)
	return m
}

// birth begins a queue file. Short queue IDs are used again within a day, so an older one
// with the same ID is another mail.
func (t *Tracker) birth(r *event.Record, f *event.Flow) {
	h := t.host(r.Host)
	m := t.openNew(h, f.QueueID, r.Time)
	m.born, m.client = r.Time, f.Addr
	m.bySMTPD = f.Kind == event.FlowReceived
	m.isLocal = !m.bySMTPD || f.Addr.IsLoopback()
	m.isNear = m.isLocal || f.Addr.IsPrivate() || f.Addr.IsLinkLocalUnicast()
	m.from = origin(m, f)
	if f.Kind == event.FlowSubmitted {
		m.sender = strings.Clone(strings.ToLower(f.Sender))
	}
	if s := h.sessions[r.PID]; s != nil && m.bySMTPD {
		if f.User != "" {
			s.user = strings.Clone(clip(f.User))
		}
		if s.heldNext {
			s.heldNext = false
			t.reserve(m, s.sender)
		}
	}
	if f.User != "" {
		m.user = strings.Clone(strings.ToLower(clip(f.User)))
		if figures := t.options.At(r.Time); figures != nil {
			figures.addUser(f.User)
		}
	}
	if f.ID == "" {
		return
	}
	if parent := h.mails[f.ID]; parent != nil && parent != m {
		t.linkByOrigin(m, parent)
	}
}

// origin returns the origin of a mail: this host, a user, or another server.
func origin(m *mail, f *event.Flow) string {
	switch {
	case m.isLocal:
		return "local"
	case f.User != "", strings.HasPrefix(f.Service, "submission"), f.Service == "smtps":
		return "submission"
	}
	return "mx"
}

// named notes the Message-ID of a queue file, by which a filter's mail is recognised.
func (t *Tracker) named(r *event.Record, f *event.Flow) {
	m := t.open(r, f.QueueID)
	if len(f.ID) < len("<a>") || len(f.ID) > maxText || m.messageID != "" {
		return
	}
	m.messageID = strings.Clone(f.ID)
	if m.isLocal {
		m.index()
	}
}

// index lets a mail be found by its Message-ID. Only those can be a filter's that came
// from this host or were handed to a pipe(8).
func (m *mail) index() {
	if m.indexed || m.messageID == "" {
		return
	}
	if list := m.host.byID[m.messageID]; len(list) < maxSameID {
		m.host.byID[m.messageID] = append(list, m)
		m.indexed = true
	}
}

// maxSameID is the number of queue files that are compared because of the same
// Message-ID, which a client chooses.
const maxSameID = 8

// forgetID removes the queue file from the index of Message-IDs.
func (m *mail) forgetID() {
	if !m.indexed {
		return
	}
	m.indexed = false
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
func (t *Tracker) queued(r *event.Record, f *event.Flow) {
	m := t.open(r, f.QueueID)
	if m.size >= 0 {
		return // a deferred mail that is tried again
	}
	m.sender, m.size = strings.Clone(strings.ToLower(f.Sender)), f.Size
	if m.received { // it was on hold
		t.unreceive(m)
	}
	t.receive(m)
}

// reserve counts a mail that was held or discarded, since the queue manager may never log
// its size.
func (t *Tracker) reserve(m *mail, sender string) {
	m.reserved = true
	if m.sender == "" {
		m.sender = strings.Clone(strings.ToLower(sender))
	}
	t.receive(m)
}

// receive counts a mail as received, at its birth, unless a filter brought it back.
func (t *Tracker) receive(m *mail) {
	if m.born.IsZero() || m.parent != nil || m.received {
		return
	}
	figures := t.options.At(m.born)
	if figures == nil {
		return
	}
	m.received = true
	m.counted = receipt{hour: t.hour(m.born), sender: m.sender, size: max(m.size, 0)}
	figures.receive(m, 1)
}

func (t *Tracker) unreceive(m *mail) {
	if m.received {
		m.received = false
		t.count(m.born, func(f *Figures) { f.receive(m, -1) })
	}
}

// receive adds n receipts of a mail, 1 or -1.
func (f *Figures) receive(m *mail, n int) {
	addCount(f.ReceivedBy, m.from, n)
	bytes := int64(n) * m.counted.size
	f.BytesReceived += bytes
	f.addHour(m.counted.hour, Hour{Received: n})
	addTraffic(f.Senders, addressKey(m.counted.sender), Traffic{Count: n, Bytes: bytes})
	addTraffic(f.ReceivedDomains, domainOf(m.counted.sender), Traffic{Count: n, Bytes: bytes})
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

// remove notes that a queue file has gone.
func (t *Tracker) remove(r *event.Record, f *event.Flow) {
	m := t.host(r.Host).mails[f.QueueID]
	if m == nil || !m.removedAt.IsZero() {
		return
	}
	m.removedAt = r.Time
	t.keepRemoved(m)
	t.giveUp(m)
}

// keepRemoved keeps a removed queue file for as long as a line about it may come.
func (t *Tracker) keepRemoved(m *mail) {
	if m.isNear || m.piped {
		t.removed.push(m)
	} else {
		t.settled.push(m)
	}
}

// isAbandoned reports whether a queue file that ends now never became a mail.
func (m *mail) isAbandoned() bool {
	return !m.born.IsZero() && m.parent == nil && m.size < 0 && !m.reserved && !m.incomplete
}

// giveUp counts a queue file that ended before it became a mail: the client left after
// RCPT, or a filter refused the message at its end.
func (t *Tracker) giveUp(m *mail) {
	if !m.isAbandoned() {
		return
	}
	m.incomplete = true
	t.count(m.born, func(f *Figures) { f.NotCompleted++ })
}
