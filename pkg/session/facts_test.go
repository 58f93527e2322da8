package session

import (
	"strings"

	"csmail/pkg/event"
)

// withReason gives r a reason, and the facts that the grammars say of such a line.
func withReason(r event.Record, reason string) event.Record {
	r.Reason = reason
	starts := func(with ...string) bool {
		for _, prefix := range with {
			if strings.HasPrefix(reason, prefix) {
				return true
			}
		}
		return false
	}
	switch {
	case starts("Warning: "):
		r.Phase = event.Retry
	case starts("Login failed: ", "APOP failed: ", "Authenticate ", "proxy(", "failed "), reason == "PAM":
		r.Phase = event.Attempt
		if starts("failed ") {
			r.Mechanism = "password"
		}
	case starts("Disconnected", "Aborted login", "Login aborted: ", "Client has quit", "Remote closed"), strings.Contains(reason, " (internal failure"):
		r.Phase = event.End
	}
	if strings.HasSuffix(reason, " after AUTH") {
		r.Cause = event.LoginService
	}
	if starts("Connection lost to authentication server") {
		r.Cause = event.NoAnswer
	}
	return r
}
