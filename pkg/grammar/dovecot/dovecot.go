// Package dovecot reads the messages that Dovecot 2.2-2.4 logs about the
// clients of its login and auth processes. It decides on 2.4's machine-made event
// reason where there is one, else on the words in brackets. A user name may
// hold anything where auth_username_chars is empty: if the line can be read in
// two ways, no address is taken. It keeps no state, does no I/O, and joins no
// lines.
package dovecot

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/pam"
)

// Parse reads one message of a program tagged "dovecot" into e. It leaves the
// time, host and process ID of e to the caller.
func Parse(message string, e *event.Event) (event.Outcome, event.Testimony) {
	e.Service = event.Dovecot
	if strings.HasPrefix(message, "auth") || strings.HasPrefix(cutLevel(message), "auth") || pam.IsOurs(message) {
		return ParseAuth(message, e), event.NoTestimony
	}
	process, rest, ok := strings.Cut(message, ": ")
	if isLevel(process) { // 1.x puts it first
		if next, after, named := strings.Cut(rest, ": "); named {
			process, rest = next, after
		}
	}
	switch {
	case !ok:
		return event.Missed, event.NoTestimony
	case strings.HasSuffix(process, "-login"):
		e.Program = programOf(process)
		if strings.HasPrefix(rest, "Debug: ") {
			return event.Benign, event.NoTestimony
		}
		return login(rest, e)
	case strings.HasPrefix(process, "doveadm"):
		return doveadm(process, rest, e), event.NoTestimony
	}
	return event.Benign, event.NoTestimony // the actions of users after their login, and mail
}

// ParseAuth reads one message of a process that has a tag of its own: auth,
// auth-worker, or dovecot-auth. PAM modules log under those, too.
func ParseAuth(message string, e *event.Event) event.Outcome {
	e.Service, e.Program = event.Dovecot, "dovecot/auth"
	return auth(message, e)
}

func programOf(process string) string {
	switch process {
	case "imap-login":
		return "dovecot/imap-login"
	case "pop3-login":
		return "dovecot/pop3-login"
	case "submission-login":
		return "dovecot/submission-login"
	case "managesieve-login":
		return "dovecot/managesieve-login"
	}
	return "dovecot/" + process
}

// doveadm reads the message of doveadm's server for remote commands about a client with
// a wrong password (src/doveadm/client-connection-tcp.c). Since 2.3 the process's name
// holds the client's address.
func doveadm(process, text string, e *event.Event) event.Outcome {
	if cutLevel(text) != "doveadm client authenticated with wrong password" {
		return event.Benign
	}
	if _, inner, ok := strings.Cut(process, "("); ok {
		inner, _, _ = strings.Cut(inner, ")")
		e.Addr, _ = event.ParseAddr(inner)
	}
	e.Program, e.Kind, e.Attempts, e.Reason = "dovecot/doveadm", event.AuthFailed, 1, cutLevel(text)
	return event.Noted
}

// cutLevel takes off the level that Dovecot writes in front of a text.
func cutLevel(text string) string {
	if text == "" || text[0] < 'D' || text[0] > 'W' {
		return text
	}
	level, _, ok := strings.Cut(text[:min(len(text), len("Warning: "))], ": ")
	if !ok || !isLevel(level) {
		return text
	}
	return text[len(level)+len(": "):]
}

// isLevel reports whether the text is a level of Dovecot's log (src/lib/failures.c,
// failure_log_type_prefixes).
func isLevel(text string) bool {
	switch text {
	case "Info", "Warning", "Error", "Debug", "Fatal", "Panic":
		return true
	}
	return false
}
