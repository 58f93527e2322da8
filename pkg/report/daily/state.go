package daily

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// GobEncode writes the members as a list.
func (s Set[T]) GobEncode() ([]byte, error) {
	list := make([]T, 0, len(s))
	for v := range s {
		list = append(list, v)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(list); err != nil {
		return nil, fmt.Errorf("writing a set: %w", err)
	}
	return b.Bytes(), nil
}

// GobDecode reads the form of GobEncode.
func (s *Set[T]) GobDecode(data []byte) error {
	var list []T
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&list); err != nil {
		return fmt.Errorf("reading a set: %w", err)
	}
	*s = make(Set[T], len(list))
	for _, v := range list {
		s.add(v)
	}
	return nil
}

// State is the content of a Tracker in a form for encoding/gob.
type State struct {
	Now, Swept time.Time
	Mails      []mailState // in the order in which they were first seen, then those that are only parents
	Removed    []int       // indexes of mails, in the order of removal
	Sessions   []sessionState
}

// mailState is one mail.
type mailState struct {
	Host, ID              string
	Seen, Born, RemovedAt time.Time
	Client                netip.Addr
	From                  string
	BySMTPD, IsLocal      bool
	MessageID, Sender     string
	Size                  int64
	Reserved, Incomplete  bool
	Parent                int // its index and one; 0: none
	Children              int
	LastChild             time.Time
	Received              bool
	Deferrals             []time.Time
	Hour, CountedSender   string // of the receipt
	CountedSize           int64
	Deliveries            []deliveryState
	Recipients            []string
	Waits                 bool // in the queue of births
	Piped, Near           bool
	User                  string
	Known, Named          bool // by queue ID, by Message-ID
}

// deliveryState is one delivery of a mail.
type deliveryState struct {
	At                  time.Time
	Agent, Hour         string
	Recipient, Original string
	Delay               time.Duration
	Size                int64
	Unsized, Requeued   bool
}

// sessionState is one session of smtpd.
type sessionState struct {
	Host         string
	PID          int
	Client       netip.Addr
	Since        time.Time
	HeldNext     bool
	Sender, User string
}

// State returns the content of the Tracker.
func (t *Tracker) State() State {
	t.compact()
	state := State{Now: t.now, Swept: t.swept}
	index := map[*mail]int{}
	var all []*mail
	add := func(m *mail) {
		if _, known := index[m]; !known {
			index[m] = len(all)
			all = append(all, m)
		}
	}
	births := t.births.all()
	for _, m := range births {
		add(m)
	}
	removed := append(slices.Clone(t.removed.all()), t.settled.all()...)
	for _, m := range removed {
		add(m)
	}
	for i := 0; i < len(all); i++ { // grows by the parents
		if parent := all[i].parent; parent != nil {
			add(parent)
		}
	}
	for i, m := range all {
		one := stateOf(m)
		one.Waits = i < len(births)
		if m.parent != nil {
			one.Parent = index[m.parent] + 1
		}
		state.Mails = append(state.Mails, one)
	}
	for _, m := range removed {
		state.Removed = append(state.Removed, index[m])
	}
	for _, h := range t.hosts {
		for pid, s := range h.sessions {
			state.Sessions = append(state.Sessions, sessionState{h.name, pid, s.client, s.since, s.heldNext, s.sender, s.user})
		}
	}
	return state
}

// stateOf returns the state of one mail.
func stateOf(m *mail) mailState {
	one := mailState{
		Host: m.host.name, ID: m.id, Seen: m.seen, Born: m.born, RemovedAt: m.removedAt, Client: m.client, From: m.from, BySMTPD: m.bySMTPD,
		IsLocal: m.isLocal, MessageID: m.messageID, Sender: m.sender, Size: m.size, Reserved: m.reserved, Incomplete: m.incomplete,
		Children: m.children, LastChild: m.lastChild, Received: m.received, Deferrals: m.deferrals, Hour: m.counted.hour, CountedSender: m.counted.sender,
		CountedSize: m.counted.size, Recipients: m.recipients, Known: m.host.mails[m.id] == m, Named: m.indexed, Piped: m.piped, Near: m.isNear, User: m.user,
	}
	for _, d := range m.deliveries {
		one.Deliveries = append(one.Deliveries, deliveryState{
			d.at, d.agent, d.hour, d.recipient, d.original, d.delay, d.size, d.unsized, d.requeued,
		})
	}
	return one
}

// Restore has a new Tracker go on where another left off.
func (t *Tracker) Restore(state State) error {
	t.now, t.swept = state.Now, state.Swept
	all := make([]*mail, len(state.Mails))
	for i := range state.Mails {
		all[i] = t.restoreMail(&state.Mails[i])
	}
	for i, one := range state.Mails {
		if one.Parent < 0 || one.Parent > len(all) {
			return fmt.Errorf("the mail %q has the parent %d of %d", one.ID, one.Parent, len(all))
		}
		if one.Parent > 0 {
			all[i].parent = all[one.Parent-1]
		}
	}
	for _, i := range state.Removed {
		if i < 0 || i >= len(all) {
			return fmt.Errorf("mail %d of %d was removed", i, len(all))
		}
		t.keepRemoved(all[i])
	}
	for _, s := range state.Sessions {
		t.host(s.Host).sessions[s.PID] = &session{s.Client, s.Since, s.HeldNext, s.Sender, s.User}
		t.sessions++
	}
	return nil
}

// restoreMail returns the mail of a state.
func (t *Tracker) restoreMail(one *mailState) *mail {
	h := t.host(one.Host)
	m := &mail{
		host: h, id: one.ID, seen: one.Seen, born: one.Born, removedAt: one.RemovedAt, client: one.Client, from: one.From, bySMTPD: one.BySMTPD,
		isLocal: one.IsLocal, messageID: one.MessageID, sender: one.Sender, size: one.Size, reserved: one.Reserved, incomplete: one.Incomplete,
		children: one.Children, lastChild: one.LastChild, recipients: one.Recipients, received: one.Received, piped: one.Piped, isNear: one.Near, user: one.User, indexed: one.Named, deferrals: one.Deferrals, counted: receipt{one.Hour, one.CountedSender, one.CountedSize},
	}
	for _, d := range one.Deliveries {
		m.deliveries = append(m.deliveries, delivery{
			d.At, d.Agent, d.Hour, d.Recipient, d.Original, d.Delay, d.Size, d.Unsized, d.Requeued,
		})
	}
	if one.Waits {
		t.births.push(m)
	}
	if one.Known {
		h.mails[m.id] = m
	}
	if one.Named {
		h.byID[m.messageID] = append(h.byID[m.messageID], m)
	}
	return m
}

// Unfinished returns how many of the mails that were begun within a window would be
// given up if the log ended now.
func (t *Tracker) Unfinished(within func(time.Time) bool) int {
	n := 0
	for _, m := range t.births.all() {
		if m.isAbandoned() && within(m.born) {
			n++
		}
	}
	return n
}
