package postfix

import (
	"strings"

	"csmail/pkg/event"
)

// cleanup reads src/cleanup's messages. A filter's refusal names the client
// before its text. Header and body checks do not: they quote the message first
// and the HELO last, both the client's, so no address is taken from them; the
// session join finds the client by the queue ID. That a message was thrown away is no
// offence, and no mail that was taken.
func cleanup(message string, e *event.Event) result {
	id, rest, ok := cutQueueID(message)
	if !ok {
		return benign // about the process itself
	}
	e.Session = id
	if isPutAside(rest) {
		return witness(event.Discarded)
	}
	if text, ok := strings.CutPrefix(rest, "milter-reject: "); ok {
		return milterReject(text, e)
	}
	for _, part := range [...]string{"reject: header ", "reject: body ", "reject: mime-header ", "reject: nested-header "} {
		if strings.HasPrefix(rest, part) {
			e.Kind, e.Attempts, e.Reason = event.ContentRejected, 1, strings.TrimSuffix(part, " ")
			return noted
		}
	}
	return benign
}

// isPutAside reports whether a message is thrown away or put on hold, for a person to look
// at. A hold for a Received header does not count: each mail has one, and MailScanner has
// all mail held so, to scan it and send it on.
func isPutAside(text string) bool {
	for _, action := range [...]string{"discard: ", "milter-discard: ", "milter-hold: "} {
		if strings.HasPrefix(text, action) {
			return true
		}
	}
	held, ok := strings.CutPrefix(text, "hold: ")
	return ok && !hasPrefixFold(held, "header Received:")
}

// filtered reads "QID: to=<R>, relay=127.0.0.1[127.0.0.1]:10024, …, status=sent (REPLY)" of
// smtp and lmtp for a content filter on this host, which takes a message and throws it
// away, or refuses it for good. All other deliveries say nothing about a client. A server
// elsewhere may say so, too, but that is not about this host.
func filtered(message string, e *event.Event) result {
	if !strings.Contains(message, "[127.") && !strings.Contains(message, "[::1]:") {
		return benign
	}
	var f event.Flow
	if !deliveryFlow(message, &f) || !f.Local || !isFilteredOut(&f) {
		return benign
	}
	e.Session = f.QueueID
	return witness(event.Discarded)
}

// isFilteredOut reports whether a content filter took a message and did not send it on, in
// the words of amavis ("250 2.7.0 Ok, discarded, id=12345-01 - spam", "250 2.5.0 Ok,
// id=12345-01, DISCARD(bounce.suppressed)", "554 5.7.0 Reject, id=12345-01 - spam") or of
// Proxmox Mail Gateway ("250 2.7.0 BLOCKED (1B2C3D)").
func isFilteredOut(f *event.Flow) bool {
	switch f.Status {
	case "sent":
		return strings.HasPrefix(f.Text, "250 2.7.0 Ok, discarded") || strings.HasPrefix(f.Text, "250 2.7.0 BLOCKED") ||
			strings.HasPrefix(f.Text, "250 2.5.0 Ok, ") && strings.Contains(f.Text, ", DISCARD(")
	case "bounced":
		return strings.HasPrefix(f.Text, "host ") && strings.Contains(f.Text, " said: 554 5.7.0 Reject, id=")
	}
	return false
}
