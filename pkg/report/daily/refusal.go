package daily

import (
	"strings"

	"csmail/pkg/event"
)

// refusal counts a reject, hold or discard.
func (t *Tracker) refusal(r *event.Record, f *event.Flow) {
	addr := t.refusedClient(r, f)
	if figures := t.options.At(r.Time); figures != nil {
		figures.refuse(f, addr, t.hour(r.Time))
	}
	if f.Action != event.HoldMail && f.Action != event.DiscardMail {
		return
	}
	if f.QueueID != "" {
		t.reserve(t.open(r, f.QueueID), f.Sender)
		return
	}
	s := t.session(r)
	s.heldNext, s.sender = true, strings.Clone(clip(f.Sender))
}

// refusedClient returns the client that Postfix names in the line; for a header or body
// check that of the mail, and for a proxy filter that of the session.
func (t *Tracker) refusedClient(r *event.Record, f *event.Flow) clientAddr {
	if f.Addr.IsValid() {
		return f.Addr
	}
	if f.Proxied {
		if s := t.host(r.Host).sessions[r.PID]; s != nil {
			return s.client
		}
		return clientAddr{}
	}
	if m := t.host(r.Host).mails[f.QueueID]; m != nil {
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
	switch flow.Action {
	case event.Reject:
		addCount(f.RejectedBy, flow.Daemon, 1)
		f.RejectedTemporary += temporary
		f.addHour(hour, Hour{Rejected: 1})
		if addr.IsValid() {
			f.RejectedClients.add(addr)
		}
	case event.RejectWarning:
		f.RejectWarnings++
	case event.HoldMail:
		f.Held++
	case event.DiscardMail:
		f.Discarded++
	}
	f.detail(flow, addr, temporary)
}

// detail counts a refusal by stage and reason.
func (f *Figures) detail(flow *event.Flow, addr clientAddr, temporary int) {
	reason := clip(Reason(flow.Text, flow.Filter))
	entry := f.refusal(actionNames[flow.Action], clip(flow.Stage), reason)
	entry.Total++
	entry.Temporary += temporary
	entry.By.add(addr, 1)
	switch {
	case strings.HasPrefix(reason, "Sender address rejected"):
		addMail(&entry.Senders, flow.Sender, flow)
	case strings.HasPrefix(reason, "Recipient address rejected"), strings.HasPrefix(reason, "User unknown"):
		addMail(&entry.Rcpts, flow.Recipient, flow)
	}
}

// addMail counts the mail address of a refusal: that of the envelope, or else the one
// that the reply quotes.
func addMail(counts *Counts, address string, flow *event.Flow) {
	if address == "" {
		address = quotedAddress(flow.Text)
	}
	if *counts == nil {
		*counts = Counts{}
	}
	addCount(*counts, addressKey(strings.ToLower(address)), 1)
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

// session returns the entry of the line's smtpd process.
func (t *Tracker) session(r *event.Record) *session {
	h := t.host(r.Host)
	s := h.sessions[r.PID]
	if s != nil {
		return s
	}
	if t.sessions >= maxSessions {
		t.dropSessions()
		h = t.host(r.Host)
	}
	if n := len(t.spare); n > 0 {
		s, t.spare = t.spare[n-1], t.spare[:n-1]
		*s = session{}
	} else {
		s = &session{}
	}
	h.sessions[r.PID] = s
	t.sessions++
	return s
}

// dropSessions forgets all sessions.
func (t *Tracker) dropSessions() {
	t.sessions = 0
	for _, h := range t.hosts {
		clear(h.sessions)
		t.leave(h)
	}
}

// connection counts connections, and logins at the end of a session.
func (t *Tracker) connection(r *event.Record, f *event.Flow) {
	switch f.Kind {
	case event.FlowScreened:
		if figures := t.options.At(r.Time); figures != nil {
			figures.ScreenConnections++
			figures.addHour(t.hour(r.Time), Hour{Connections: 1})
			figures.ScreenClients.add(f.Addr)
		}
	case event.FlowConnect:
		*t.session(r) = session{client: f.Addr, since: r.Time}
		figures := t.options.At(r.Time)
		if figures == nil || f.Addr.IsLoopback() {
			return
		}
		figures.SMTPDConnections++
		figures.addHour(t.hour(r.Time), Hour{Connections: 1})
		if f.Addr.IsValid() {
			figures.SMTPDClients.add(f.Addr)
		}
	case event.FlowDisconnect:
		h := t.host(r.Host)
		s := h.sessions[r.PID]
		if s != nil && !s.since.IsZero() && !s.client.IsLoopback() {
			t.count(r.Time, func(figures *Figures) { figures.SMTPDSeconds += int(r.Time.Unix() - s.since.Unix()) })
		}
		if f.AuthOK > 0 || !f.HasCounts && s != nil && s.user != "" {
			t.count(r.Time, func(figures *Figures) { figures.login(t.hour(r.Time), 1, 0) })
		}
		if s != nil {
			delete(h.sessions, r.PID)
			t.sessions--
			if len(t.spare) < maxSpare {
				t.spare = append(t.spare, s)
			}
		}
	}
}
