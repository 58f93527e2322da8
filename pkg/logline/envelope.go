package logline

import "strings"

// Reading holds the settings for reading the lines of one input that are a matter of
// trust, so that only the administrator can make them.
type Reading struct {
	// Envelope takes a line out of the line around it. The syslog and journald drivers
	// of Docker log each line of a container, header and all, as the message of a line
	// of their own:
	//
	//	Jan  7 08:00:00 host docker[32360]: Jan  7 06:00:00 mail postfix/smtpd[400]: connect from …
	//
	// Without it such a line counts as one of the program docker, because any program
	// that logs client text could write the same.
	Envelope bool

	// Trusted are the writers of journal entries that are believed besides the usual
	// ones.
	Trusted []Match
}

// unwrap replaces the program by that of the inner line, and returns the inner message.
// Time and host stay those of the outer line, which has the clock and the name of the
// machine: a container often runs in UTC and has a name of its own for each service. An
// inner line is not unwrapped again.
func (h *Header) unwrap(message string, reading *Reading) string {
	if reading == nil || !reading.Envelope {
		return message
	}
	inner, text, ok := Inner(message)
	if !ok && !logsItself(h.Program) {
		inner, text, ok = splitUnstamped(message)
	}
	if !ok {
		return message
	}
	h.Program, h.PID = inner.Program, inner.PID
	if inner.Repeat > 1 {
		h.Repeat = inner.Repeat
	}
	return text
}

// logsItself reports whether a program is a daemon of the mail system or sshd. Their
// messages never begin with a stamp, but some begin with a word and a client's text:
// "pam(postfix/smtpd[1]: …,192.0.2.1): …".
func logsItself(program string) bool {
	switch program {
	case "dovecot", "auth", "auth-worker", "dovecot-auth", "sshd", "sshd-session", "sshd-auth":
		return true
	}
	return strings.IndexByte(program, '/') >= 0
}

// splitUnstamped reads a line without stamp and host, from the tag on, since some
// images leave the stamp to their log system.
func splitUnstamped(message string) (Header, string, bool) {
	h := Header{Repeat: 1}
	if text, ok := h.readDovecotFile(message); ok {
		return h, text, true
	}
	tag, text, ok := strings.Cut(message, " ")
	if !ok || !strings.HasSuffix(tag, "]:") || strings.ContainsAny(tag, "(<,=\"'") || !h.readTag(tag) || h.PID == 0 {
		return h, "", false
	}
	return h, h.unfoldRepeat(text), true
}

// Inner splits a message that is a whole line, with a stamp of its own. With it a log in
// which the lines are inside other lines is recognised. The result is only good enough
// for a warning: see [Reading].
func Inner(message string) (Header, string, bool) {
	message = strings.TrimLeft(message, " ")
	if !MaybeStamped(message) {
		rest, ok := cutComposeName(message)
		if !ok || !MaybeStamped(rest) {
			return Header{}, "", false
		}
		message = rest
	}
	h, text, ok := splitBare(message)
	if !ok {
		return h, "", false
	}
	return h, h.unfoldRepeat(text), true
}

// MaybeStamped reports cheaply whether text may begin with a priority or a stamp.
func MaybeStamped(text string) bool {
	if len(text) < 16 {
		return false
	}
	switch c := text[0]; {
	case c == '<', c == '@', c == '[':
		return true
	case c-'0' <= 9:
		return text[4] == '-' || text[10] == '.'
	case c-'A' <= 25:
		return text[3] == ' '
	}
	return false
}
