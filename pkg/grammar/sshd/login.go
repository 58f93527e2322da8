package sshd

import (
	"strings"

	"csmail/pkg/event"
)

// failed reads "METHOD for [invalid user ]U from A port P ssh2[: KEY]" (auth.c,
// auth_log). A client offers its keys one after the other, and asks for the methods with
// "none": neither is a wrong password.
func failed(m message, e *event.Event) event.Outcome {
	method, invalid, outcome := readAttempt(m.text, e)
	if outcome != event.Noted {
		return outcome
	}
	isPassword := method == "password" || strings.HasPrefix(method, "keyboard-interactive") || strings.HasPrefix(method, "challenge-response")
	if method == "none" || !isPassword && !invalid {
		return event.Benign
	}
	e.Kind, e.Attempts, e.Reason, e.Phase = event.AuthFailed, 1, "failed "+method, event.Attempt
	if invalid {
		e.Reason += " for invalid user"
	}
	return event.Noted
}

func accepted(m message, e *event.Event) event.Outcome {
	if strings.HasPrefix(m.text, "key ") || strings.HasPrefix(m.text, "certificate ID ") { // before the client proved to have it
		return event.Benign
	}
	method, _, outcome := readAttempt(m.text, e)
	if outcome != event.Noted {
		return outcome
	}
	if !e.Addr.IsValid() {
		return event.Benign
	}
	e.Kind, e.Attempts, e.Reason = event.LoginOK, 1, "accepted "+method
	return event.Noted
}

// readAttempt reads the common part of Failed and Accepted. Behind " ssh2: " there may
// be a certificate's own text. If that imitates the address, the line has two readings.
func readAttempt(text string, e *event.Event) (method string, invalid bool, outcome event.Outcome) {
	method, rest, ok := strings.Cut(text, " for ")
	if !ok || strings.ContainsAny(method, " :") {
		return "", false, event.Missed
	}
	head, key, keyed := strings.Cut(rest, " ssh2: ")
	if keyed && strings.Contains(key, " from ") {
		return "", false, event.Ambiguous
	}
	if !keyed {
		if head, ok = cutProtocol(rest); !ok {
			return "", false, event.Missed
		}
	}
	user, at, ok := cutLastFrom(head)
	if !ok || !readPeer(at, e) {
		return "", false, event.Missed
	}
	e.User, invalid = cutInvalid(user)
	e.Mechanism = method
	return method, invalid, event.Noted
}

// cutProtocol takes the protocol off the end.
func cutProtocol(text string) (string, bool) {
	if head, ok := strings.CutSuffix(text, " ssh2"); ok {
		return head, true
	}
	return strings.CutSuffix(text, " ssh1")
}

// cutInvalid takes "invalid user " off a user name. The words may also be part of the
// name, but then only this user's own events are affected.
func cutInvalid(user string) (string, bool) {
	for _, words := range [...]string{"invalid user ", "illegal user "} {
		if name, ok := strings.CutPrefix(user, words); ok {
			return name, true
		}
	}
	return user, false
}

// invalidUser reads "U from A[ port P]" (auth.c, getpwnamallow).
func invalidUser(m message, e *event.Event) event.Outcome {
	text := m.text
	if strings.HasPrefix(text, "from ") { // an empty name; its space is missing in the log
		text = " " + text
	}
	user, at, ok := cutLastFrom(text)
	if !ok || !readPeer(at, e) {
		return event.Missed
	}
	e.Kind, e.User, e.Attempts, e.Reason = event.AuthFailed, user, 1, "invalid user"
	return event.Noted
}

// cutOff is the kind of an end after too many attempts. For a user that exists
// they may have been the keys that a client tries one after the other; wrong
// passwords have lines of their own.
func cutOff(invalid bool) event.Kind {
	if invalid {
		return event.TooManyErrors
	}
	return event.ErrorLimit
}

// tooMany reads "[invalid user ]U from A port P ssh2" (auth.c,
// auth_maxtries_exceeded).
func tooMany(m message, e *event.Event) event.Outcome {
	head, ok := cutProtocol(m.text)
	if !ok {
		return event.Missed
	}
	user, at, ok := cutLastFrom(head)
	if !ok || !readPeer(at, e) {
		return event.Missed
	}
	name, invalid := cutInvalid(user)
	e.User, e.Kind = name, cutOff(invalid)
	e.Attempts, e.Reason = 1, "maximum authentication attempts exceeded"
	return event.Noted
}

// disconnecting reads "ID: REASON" (packet.c, since 7.5). The reason quotes the
// user and the service that the client asked for.
func disconnecting(m message, e *event.Event) event.Outcome {
	p, reason, ok := cutID(m.text, e)
	if !ok {
		return event.Missed
	}
	return endedFor(reason, p, e)
}

// nameless reads the same of 7.4 and before. That form has no address: the session join
// finds the client by the process.
func nameless(m message, e *event.Event) event.Outcome {
	return endedFor(m.text, peer{}, e)
}

func endedFor(reason string, p peer, e *event.Event) event.Outcome {
	e.Attempts = 1
	switch {
	case strings.HasPrefix(reason, "Too many authentication failures"):
		e.Kind, e.Reason = cutOff(p.invalid), "too many authentication failures"
	case strings.HasPrefix(reason, "Change of username or service not allowed"):
		e.Kind, e.Reason = event.AuthFailed, "change of username or service not allowed"
	case p.named:
		e.Kind, e.Reason = event.AuthAborted, "disconnected during login"
	default:
		return event.Benign
	}
	return event.Noted
}

// pamError reads "REASON for [illegal user ]U from H[ via A]" (auth-pam.c). H is the
// client, by name with UseDNS; the address behind "via" is the server's.
func pamError(m message, e *event.Event) event.Outcome {
	_, rest, ok := strings.Cut(m.text, " for ")
	if !ok {
		return event.Benign
	}
	user, at, ok := cutLastFrom(rest)
	if !ok {
		return event.Benign
	}
	at, _, _ = strings.Cut(at, " via ")
	if !readPeer(at, e) {
		return event.Missed
	}
	e.User, _ = cutInvalid(user)
	e.Kind, e.Attempts, e.Reason, e.Phase = event.AuthFailed, 1, "PAM", event.Attempt
	return event.Noted
}

// userNotAllowed reads "U from H not allowed because REASON" (auth.c, allowed_user).
// Only the reasons about lists come with the host. A locked account and a missing shell
// do not, and a seeming host there is part of the user.
func userNotAllowed(m message, e *event.Event) event.Outcome {
	const words = " not allowed because "
	at := strings.LastIndex(m.text, words)
	if at < 0 {
		return event.Benign // "User child is on pid 7"
	}
	who, reason := m.text[:at], m.text[at+len(words):]
	e.Attempts, e.Reason = 1, "not allowed"
	if !isListReason(reason) {
		e.Kind, e.User = event.LoginRefused, who
		return event.Noted
	}
	user, host, ok := cutLastFrom(who)
	if !ok || !readPeer(host, e) {
		return event.Missed
	}
	e.Kind, e.User = event.AccessDenied, user
	return event.Noted
}

func isListReason(reason string) bool {
	switch reason {
	case "listed in DenyUsers", "not listed in AllowUsers", "not in any group", "a group is listed in DenyGroups",
		"none of user's groups are listed in AllowGroups":
		return true
	}
	return false
}

// deniedByPAM reads "U by PAM account configuration" (auth2.c): the account may not log
// in, even with the right password. The session join finds the client.
func deniedByPAM(m message, e *event.Event) event.Outcome {
	user, ok := strings.CutSuffix(m.text, " by PAM account configuration")
	if !ok {
		return event.Missed
	}
	e.Kind, e.User, e.Attempts, e.Reason = event.LoginRefused, user, 1, "access denied by PAM"
	return event.Noted
}

func rootRefused(m message, e *event.Event) event.Outcome {
	if !readPeer(m.text, e) {
		return event.Missed
	}
	e.Kind, e.User, e.Attempts, e.Reason = event.LoginRefused, "root", 1, "root login refused"
	return event.Noted
}

// longName reads "A port P" of a user name that is too long for PAM (auth-pam.c).
func longName(m message, e *event.Event) event.Outcome {
	if !readPeer(m.text, e) {
		return event.Missed
	}
	e.Kind, e.Attempts, e.Reason = event.LoginRefused, 1, "user name too long"
	return event.Noted
}
