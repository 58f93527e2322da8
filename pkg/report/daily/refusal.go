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
// process IDs does not show the session.
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
	isNew, temporary := f.detail(flow, addr)
	switch flow.Action {
	case event.Reject:
		f.latest.rejectedBy.add(f.RejectedBy, flow.Daemon, 1)
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

// detail counts a refusal by stage and reason. It reports whether it is the first one of
// the client, and how many temporary ones it is, 0 or 1.
func (f *Figures) detail(flow *event.Flow, addr clientAddr) (isNew bool, temporary int) {
	digit, rest := cutCodes(flow.Text)
	words := cutTrailer(cutQuoted(rest))
	if isTemporary(digit, rest) {
		temporary = 1
	}
	known := f.knownReason(flow, words)
	entry := known.entry
	entry.Total++
	entry.Temporary += temporary
	isNew = f.refuseClient(entry, addr)
	switch known.about {
	case aboutSender:
		f.addMail(&entry.Senders, flow.Sender, flow)
	case aboutRecipient:
		f.addMail(&entry.Rcpts, flow.Recipient, flow)
	}
	return isNew, temporary
}

// knownReason are words of the server that many refusals have, with the entry of their
// reason.
type knownReason struct {
	action event.Action
	filter bool
	about  about
	stage  string
	words  string
	entry  *Refusal
}

// about is the mail address that a refusal is about.
type about uint8

const (
	aboutClient about = iota // none
	aboutSender
	aboutRecipient
)

func aboutOf(reason string) about {
	switch {
	case strings.HasPrefix(reason, "Sender address rejected"):
		return aboutSender
	case strings.HasPrefix(reason, "Recipient address rejected"), strings.HasPrefix(reason, "User unknown"):
		return aboutRecipient
	}
	return aboutClient
}

// knownReason returns the entry of a refusal with these words of the server.
func (f *Figures) knownReason(flow *event.Flow, words string) *knownReason {
	slot := &f.latest.reasons[len(words)%len(f.latest.reasons)]
	if slot.entry != nil && slot.words == words && slot.action == flow.Action && slot.filter == flow.Filter && slot.stage == clip(flow.Stage) {
		return slot
	}
	f.latest.room = appendOwnReason(f.latest.room[:0], words, flow.Filter)
	entry, reason := f.refusal(flow.Action, clip(flow.Stage), f.latest.room[:min(len(f.latest.room), maxText)])
	found := knownReason{action: flow.Action, filter: flow.Filter, about: aboutOf(reason), entry: entry}
	if len(words) > maxText {
		return &found
	}
	found.stage, found.words = strings.Clone(clip(flow.Stage)), strings.Clone(words)
	*slot = found
	return slot
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
			figures.latest.connect(figures.SMTPDClients, f.Addr)
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
