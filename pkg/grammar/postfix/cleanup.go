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
	if strings.HasPrefix(rest, "discard: ") || strings.HasPrefix(rest, "milter-discard: ") {
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
