package wire

import (
	"strings"

	"csmail/pkg/event"
)

// phaseOf and causeOf derive the facts of an event from its text, for values of
// versions 1 and 2, in which grammars did not set them. They copy the rules of
// the session join and the guard of that time and must not change.

// phaseOf returns the phase of an event by its text.
func phaseOf(e *event.Event) event.Phase {
	switch {
	case e.Kind == event.AuthFault && strings.HasPrefix(e.Reason, "Warning: "):
		return event.Retry
	case e.Service == event.SSHD && (e.Reason == "PAM" || strings.HasPrefix(e.Reason, "failed ")):
		return event.Attempt
	case e.Service != event.Dovecot || e.Program == "dovecot/auth":
		return event.NoPhase
	case hasAnyPrefix(e.Reason, "Login failed: ", "APOP failed: ", "Authenticate ", "proxy("):
		return event.Attempt
	case hasAnyPrefix(e.Reason, "Disconnected", "Aborted login", "Login aborted: ", "Client has quit", "Remote closed"),
		strings.Contains(e.Reason, " (internal failure"):
		return event.End
	}
	return event.NoPhase
}

// causeOf returns the cause of an event by its text.
func causeOf(e *event.Event) event.Cause {
	switch e.Kind {
	case event.SenderRejected:
		if strings.HasPrefix(e.Code, "4") || hasAnyPrefix(e.Reason, "Sender address rejected: Domain not found", "Sender address rejected: Malformed DNS") {
			return event.Resolver
		}
	case event.LostConnection, event.TooManyErrors, event.ErrorLimit:
		if strings.HasSuffix(e.Reason, " after AUTH") {
			return event.LoginService
		}
	}
	if e.Service == event.Postfix && e.Kind == event.AuthFault && strings.HasPrefix(e.Reason, "Connection lost to authentication server") {
		return event.NoAnswer
	}
	return event.NoCause
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
