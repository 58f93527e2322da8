package daily

import (
	"strings"

	"csmail/pkg/event"
)

// refusal counts a reject, hold or discard.
func (t *Tracker) refusal(r *event.Logged, f *event.Flow) {
	addr := t.refusedClient(r, f)
	if figures := t.at(r.Time); figures != nil {
		figures.refuse(f, addr, t.hour(r.Time))
	}
	if f.Action != event.HoldMail && f.Action != event.DiscardMail {
		return
	}
	if f.QueueID != "" {
		t.reserve(t.queue.open(r, f.QueueID), f.Sender)
		return
	}
	s := t.sessions.open(r)
	s.heldNext, s.sender = true, strings.Clone(clip(f.Sender))
}

// refusedClient returns the client that Postfix names in the line; for a header or body
// check that of the mail, and for a proxy filter that of the session. A log without
// process IDs does not show whose session it was.
func (t *Tracker) refusedClient(r *event.Logged, f *event.Flow) clientAddr {
	if f.Addr.IsValid() {
		return f.Addr
	}
	if f.Proxied {
		if s := t.sessions.of(r); s != nil && r.PID != 0 {
			return s.client
		}
		return clientAddr{}
	}
	if m := t.queue.host(r.Host).mails.find(f.QueueID); m != nil {
		return m.client
	}
	return clientAddr{}
}

// refuse counts a refusal by daemon and hour.
func (f *Figures) refuse(flow *event.Flow, addr clientAddr, hour string) {
	temporary := 0
	if IsTemporary(flow.Text) {
		temporary = 1
	}
	isNew := f.detail(flow, addr, temporary)
	switch flow.Action {
	case event.Reject:
		addCount(f.RejectedBy, flow.Daemon, 1)
		f.RejectedTemporary += temporary
		f.hour(hour).Rejected++
		if isNew && addr.IsValid() {
			f.RejectedClients.add(addr)
		}
	case event.RejectWarning:
		f.RejectWarnings++
	case event.HoldMail:
		f.Held++
	case event.DiscardMail:
		f.Discarded++
	}
}

// detail counts a refusal by stage and reason, and reports whether it is the first one of
// the client.
func (f *Figures) detail(flow *event.Flow, addr clientAddr, temporary int) (isNew bool) {
	f.latest.reason(flow)
	entry, reason := f.refusal(flow.Action, clip(flow.Stage), f.latest.room[:min(len(f.latest.room), maxText)])
	entry.Total++
	entry.Temporary += temporary
	isNew = f.refuseClient(entry, addr)
	switch {
	case strings.HasPrefix(reason, "Sender address rejected"):
		f.addMail(&entry.Senders, flow.Sender, flow)
	case strings.HasPrefix(reason, "Recipient address rejected"), strings.HasPrefix(reason, "User unknown"):
		f.addMail(&entry.Rcpts, flow.Recipient, flow)
	}
	return isNew
}

// knownWords are words of the server that many refusals have, with their reason.
type knownWords struct {
	text, reason []byte
	filter       bool
}

// reason writes the reason of a refusal into room.
func (l *latest) reason(flow *event.Flow) {
	text := ownWords(flow.Text)
	if len(text) > maxText {
		l.room = appendOwnReason(l.room[:0], text, flow.Filter)
		return
	}
	slot := &l.words[len(text)%len(l.words)]
	if len(slot.reason) == 0 || string(slot.text) != text || slot.filter != flow.Filter {
		slot.text, slot.filter = append(slot.text[:0], text...), flow.Filter
		slot.reason = appendOwnReason(slot.reason[:0], text, flow.Filter)
	}
	l.room = append(l.room[:0], slot.reason...)
}

// knownRefused is a client that was refused for a reason before, and how often.
type knownRefused struct {
	reason *Refusal
	addr   clientAddr
	count  *int
}

// refuseClient counts a refusal of a client, and reports whether it is its first one.
func (f *Figures) refuseClient(reason *Refusal, addr clientAddr) (isNew bool) {
	l := &f.latest
	if l.refused == nil {
		l.refused = new([peerSlots]knownRefused)
	}
	slot := &l.refused[slotOf(addr)]
	if slot.reason == reason && slot.addr == addr {
		*slot.count++
		return false
	}
	isNew = f.addClient(reason.By, addr, 1)
	if count := reason.By[addr]; count != nil {
		*slot = knownRefused{reason, addr, count}
	}
	return isNew
}

// addMail counts the mail address of a refusal: that of the envelope, or else the one
// that the reply quotes.
func (f *Figures) addMail(counts *Counts, address string, flow *event.Flow) {
	if address == "" {
		address = quotedAddress(flow.Text)
	}
	f.addAddress(counts, addressKey(strings.ToLower(address)), 1)
}

// quotedAddress returns the mail address that a reply quotes.
func quotedAddress(text string) string {
	_, text = cutCodes(text)
	inner, ok := strings.CutPrefix(text, "<")
	if !ok {
		return ""
	}
	address, _, ok := strings.Cut(inner, ">: ")
	if !ok {
		return ""
	}
	return address
}

// connection counts connections, and logins at the end of a session.
func (t *Tracker) connection(r *event.Logged, f *event.Flow) {
	figures := t.at(r.Time)
	if f.Kind == event.FlowConnect {
		*t.sessions.open(r) = session{client: f.Addr, since: momentOf(r.Time)}
		if figures == nil || f.Addr.IsLoopback() {
			return
		}
		figures.SMTPDConnections++
		figures.hour(t.hour(r.Time)).Connections++
		if f.Addr.IsValid() {
			figures.connect(f.Addr)
		}
		return
	}
	s := t.sessions.of(r)
	if figures != nil {
		if seconds, ok := s.lasted(r.Time); ok && r.PID != 0 {
			figures.SMTPDSeconds += seconds
			figures.disconnect(t.hour(r.Time), f, seconds)
		}
		if f.AuthOK > 0 || !f.HasCounts && s != nil && s.user != "" {
			figures.login(t.hour(r.Time), 1, 0)
		}
	}
	if s != nil {
		s.isOver = true
	}
}
