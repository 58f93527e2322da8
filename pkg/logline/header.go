// Package logline splits one raw log line into its header and its message, without
// copying. It speaks RFC 3164 and RFC 5424 syslog, RFC 3339 stamps as rsyslog and
// journalctl write them, journald's JSON, the wrappers that Docker and CRI put around a
// line, and the log files that Postfix and Dovecot write themselves. It does not
// interpret the message, and it never looks for a header anywhere but at the start of
// the line.
package logline

import (
	"strings"
	"time"
)

// Header is the part of a log line before its message.
type Header struct {
	Host    string // "" where the format has none
	Program string // the tag without its process ID: postfix/smtpd, dovecot
	PID     int    // 0 where the line has none
	Repeat  int    // from "message repeated N times", else 1
	stamp   stamp

	// Doubt names the writer of a journal entry that is not believed to be the
	// program that it says; "" is believed. See [Match].
	Doubt string

	compared bool // read by a Splitter, by comparison
}

// Split takes the header off a line and returns it with the message. It
// reports false for text that does not start with a header.
func Split(line Line) (Header, string, bool) {
	text := strings.TrimSuffix(line.Text, "\r")
	h, msg, ok := splitBare(text)
	if !ok {
		h, msg, ok = splitWrapped(text, line.Reading)
	}
	if ok {
		msg = h.unfoldRepeat(msg)
		msg = h.unwrap(msg, line.Reading)
	}
	return h, msg, ok
}

// splitBare reads a line that no container runtime has wrapped.
func splitBare(text string) (Header, string, bool) {
	h := Header{Repeat: 1}
	text, hadPriority := cutPriority(text)
	if hadPriority {
		if rest, ok := strings.CutPrefix(text, "1 "); ok {
			return splitRFC5424(rest)
		}
	}
	stamp, rest, ok := cutStamp(text)
	if !ok {
		return h, "", false
	}
	h.stamp = stamp
	rest = strings.TrimLeft(rest, " ") // macOS puts two spaces before the host
	if isContainerStream(rest) {
		return h, "", false
	}
	if looksStamped(rest) {
		if _, _, second := cutStamp(rest); second {
			return h, "", false // a runtime's own stamp before the line's
		}
	}
	msg, ok := h.readOrigin(rest)
	return h, msg, ok
}

// Time dates the line: a header without a year gets the latest year that does
// not lie ahead of line.Received, one without a zone gets line.Zone, and a
// clock that runs more than five seconds ahead is set to line.Received, or to
// line.Read if the header has a year.
func (h Header) Time(line Line) time.Time {
	return h.stamp.resolve(line)
}

// cutPriority takes off the <PRI> of a raw syslog datagram.
func cutPriority(text string) (string, bool) {
	if len(text) < 3 || text[0] != '<' {
		return text, false
	}
	end := strings.IndexByte(text[:min(len(text), 5)], '>')
	if end < 2 {
		return text, false
	}
	if _, ok := number(text[1:end]); !ok {
		return text, false
	}
	return text[end+1:], true
}

// unfoldRepeat reads rsyslog's "message repeated N times: [ MSG]".
func (h *Header) unfoldRepeat(msg string) string {
	rest, ok := strings.CutPrefix(msg, "message repeated ")
	if !ok {
		return msg
	}
	count, rest, ok := strings.Cut(rest, " times: [ ")
	if !ok || !strings.HasSuffix(rest, "]") {
		return msg
	}
	n, ok := number(count)
	if !ok || n < 1 {
		return msg
	}
	h.Repeat = n
	return rest[:len(rest)-1]
}

// number reads a short run of decimal digits.
func number(text string) (int, bool) {
	if text == "" || len(text) > 9 {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		c := text[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}
