// Package pam reads the messages that PAM modules log inside a daemon about a client
// that failed to log in: the form that pam_unix(8) gave them and that pam_sss and others
// follow,
//
//	MODULE(SERVICE:auth): authentication failure; logname=L uid=N euid=N tty=T ruser=R rhost=H[  user=U]
//	PAM N more authentication failures; logname=L uid=N euid=N tty=T ruser=R rhost=H[  user=U]
//
// (Linux-PAM, modules/pam_unix/support.c). R and U are sent by the client. If one of
// them could have written the host, no address is taken. The package keeps no state,
// does no I/O, and resolves no name.
package pam

import (
	"strings"

	"csmail/pkg/event"
)

// IsOurs reports whether a daemon's message comes from PAM.
func IsOurs(message string) bool {
	if strings.HasPrefix(message, "pam_") {
		return true
	}
	rest, ok := strings.CutPrefix(message, "PAM ")
	return ok && (strings.HasPrefix(rest, "service(") || cutMore(rest) != "")
}

// Parse reads one message of PAM into e. It leaves service, program, time, host
// and process ID of e to the caller.
func Parse(message string, e *event.Event) event.Outcome {
	service, text, attempts := cutModule(message)
	reason, _, _ := strings.Cut(message, "; ")
	if attempts == 0 {
		return event.Benign // another stage, or the module about itself
	}
	fields, ok := cutFields(text)
	if !ok {
		return event.Missed
	}
	outcome := readHost(service, fields, len(message), e)
	if outcome == event.Noted {
		e.Kind, e.Mechanism, e.Attempts, e.Reason = event.AuthFailed, event.PAM, attempts, reason
	}
	return outcome
}

// cutModule returns the service, what follows "authentication failure; ", and
// the number of failures: 0 for a message of another sort.
func cutModule(message string) (service, text string, attempts int) {
	if rest, ok := strings.CutPrefix(message, "PAM "); ok {
		count := cutMore(rest)
		if count == "" {
			return "", "", 0
		}
		_, text, ok = strings.Cut(rest, "; ")
		if !ok {
			return "", "", 0
		}
		for i := range len(count) {
			attempts = attempts*10 + int(count[i]-'0')
		}
		return "", text, attempts
	}
	head, text, ok := strings.Cut(message, ":auth): ")
	if !ok || strings.ContainsAny(head, " :;=") {
		return "", "", 0
	}
	_, service, _ = strings.Cut(head, "(")
	if text, ok = strings.CutPrefix(text, "authentication failure; "); !ok {
		return "", "", 0
	}
	return service, text, 1
}

// cutMore returns the number of "2 more authentication failures;", "" for
// another text.
func cutMore(text string) string {
	digits := 0
	for digits < len(text) && digits < 4 && text[digits]-'0' <= 9 {
		digits++
	}
	if digits == 0 || !strings.HasPrefix(text[digits:], " more authentication failure") {
		return ""
	}
	return text[:digits]
}

// cutFields takes "logname=L uid=N euid=N tty=T " off, all written by the server, and
// returns the text behind "ruser=".
func cutFields(text string) (string, bool) {
	for _, name := range [...]string{"logname=", "uid=", "euid=", "tty="} {
		rest, ok := strings.CutPrefix(text, name)
		if !ok {
			return "", false
		}
		if _, text, ok = strings.Cut(rest, " "); !ok {
			return "", false
		}
	}
	return strings.CutPrefix(text, "ruser=")
}

// readHost reads "R rhost=H[  user=U]". sshd never sets R, so the host comes first and U
// cannot have written it. In other services R may hold anything: there must be only one
// host, and it must not be so far behind that the true one may have been cut off.
func readHost(service, fields string, length int, e *event.Event) event.Outcome {
	remote, rest, ok := strings.Cut(fields, " rhost=")
	if !ok {
		return event.Missed
	}
	if service != "sshd" || remote != "" {
		if strings.Contains(rest, "rhost=") || strings.Contains(remote, "rhost=") {
			return event.Ambiguous
		}
		if length > event.ShortestCut {
			return event.Ambiguous
		}
	}
	host, after, _ := strings.Cut(rest, " ")
	e.User = remote
	if user, named := strings.CutPrefix(strings.TrimLeft(after, " "), "user="); named {
		e.User = user
	}
	if remote != "" && e.User != remote {
		return event.Ambiguous
	}
	if addr, isAddr := event.ParseAddr(host); isAddr {
		e.Addr = addr
	} else {
		e.ClientName = host
	}
	return event.Noted
}
