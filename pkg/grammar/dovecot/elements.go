package dovecot

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// The elements of a login line are login_log_format_elements, joined by ", ". By
// default they are user=<U>, method=M, rip=A, lip=A, mpid=P, TLS, session=<S>. An
// administrator may have others, in another order, and the user without brackets.
// User and method are the client's text.

// firstElements are the names of elements that can come first, beside user=.
var firstElements = [...]string{
	"method=", "rip=", "lip=", "session=", "mpid=", "service=", "local_name=", "rport=", "real_rip=", "listener=",
}

// cutElements splits at the first element. The text before it is the server's own.
func cutElements(text string) (said, elements string, ok bool) {
	for from := 0; ; {
		colon := strings.Index(text[from:], ": ")
		if colon < 0 {
			return "", "", false
		}
		from += colon + len(": ")
		if beginsElements(text[from:]) {
			return text[:from-len(": ")], text[from:], true
		}
	}
}

// beginsElements reports whether text begins with the name of a first element. In most
// lines that is user=. Most texts behind a colon begin with none of the first letters.
func beginsElements(text string) bool {
	if strings.HasPrefix(text, "user=") {
		return true
	}
	if text == "" || strings.IndexByte("mrls", text[0]) < 0 {
		return false
	}
	for _, name := range firstElements {
		if strings.HasPrefix(text, name) {
			return true
		}
	}
	return false
}

type reading uint8

const (
	noReading reading = iota
	oneReading
	twoReadings
)

// readElements takes user, method, address and session. One rip= must be in the
// line, or it is a forgery or of a format that names no client. In a line that is
// long enough to be cut, something must follow the address.
func readElements(elements string, isLong bool, e *event.Event) reading {
	at := nextElement(elements, "rip=", 0)
	switch {
	case at < 0:
		return noReading
	case nextElement(elements, "rip=", at+1) >= 0:
		return twoReadings
	case isLong && strings.IndexByte(elements[at:], ',') < 0: // the daemon's own may be cut off
		return twoReadings
	}
	if after, ok := strings.CutPrefix(elements, "user=<"); ok {
		return readDefault(after, elements[at:], e)
	}
	return readOrdered(elements, e)
}

// nextElement returns the index of the next element with a name, at or after a place, or
// -1. It begins at the start or behind a byte that is not a letter of another name. For
// example, rip= is not found in real_rip=.
func nextElement(elements, name string, from int) int {
	for {
		at := strings.Index(elements[from:], name)
		if at < 0 {
			return -1
		}
		at += from
		if at == 0 || !isWordByte(elements, at-1) && elements[at-1] != '_' {
			return at
		}
		from = at + 1
	}
}

// readDefault reads elements that begin with user=<U>, as by default. claimed is the
// text behind "user=<". served begins with the address and holds no client text.
func readDefault(claimed, served string, e *event.Event) reading {
	switch {
	case !readClaims(claimed[:len(claimed)-len(served)], e):
		return noReading
	case !onlySession(served):
		return twoReadings
	case !readFields(served, e) || !e.Addr.IsValid():
		return noReading
	}
	return oneReading
}

// isFromItself reports whether elements in the default order, which [readElements] has
// read, name one address as that of the client and of the server: "rip=A, lip=A". A
// webmail that logs in by the server's public name does so. Client text comes before both.
func isFromItself(elements string) bool {
	at := nextElement(elements, "rip=", 0)
	if at < 0 || !strings.HasPrefix(elements, "user=<") {
		return false
	}
	text, rest, ok := strings.Cut(elements[at+len("rip="):], ", lip=")
	if !ok || strings.Contains(rest, ", lip=") {
		return false
	}
	server, _, _ := strings.Cut(rest, ",")
	_, err := netip.ParseAddr(text)
	return err == nil && text == server
}

// readClaims reads "USER>, method=M, " and the other elements before the address. The
// user ends at the first ">", unless there are others that do not belong to a session.
func readClaims(claimed string, e *event.Event) bool {
	user, fields, closed := strings.Cut(claimed, ">, ")
	if !closed {
		return false
	}
	if !onlySession(fields) {
		last := strings.LastIndex(claimed, ">, ")
		user, fields = claimed[:last], claimed[last+len(">, "):]
	}
	e.User = user
	return readFields(strings.TrimSuffix(fields, ", "), e)
}

// readOrdered reads elements in any order. If client text holds a comma or a bracket, an
// element occurs twice or is unknown: then the line has two readings.
func readOrdered(elements string, e *event.Event) reading {
	seen := 0
	for field := range strings.SplitSeq(elements, ", ") {
		name, value, named := strings.Cut(field, "=")
		if !named {
			value = field
		}
		bracketed, opened := strings.CutPrefix(value, "<")
		bracketed, closed := strings.CutSuffix(bracketed, ">")
		if opened != closed || strings.ContainsAny(bracketed, "<>") {
			return twoReadings
		}
		element := elementOf(name)
		if element != 0 && seen&element != 0 {
			return twoReadings
		}
		seen |= element
		switch element {
		case userElement:
			e.User = bracketed
		case methodElement:
			e.Mechanism = bracketed
		case sessionElement:
			e.Session = bracketed
		case addressElement:
			addr, ok := event.ParseAddr(value)
			if !ok {
				return noReading
			}
			e.Addr = addr
		}
	}
	if seen&addressElement == 0 {
		return noReading
	}
	return oneReading
}

// The elements that occur at most once in a line.
const (
	userElement = 1 << iota
	methodElement
	addressElement
	localElement
	sessionElement
)

func elementOf(name string) int {
	switch name {
	case "user":
		return userElement
	case "method":
		return methodElement
	case "rip":
		return addressElement
	case "lip":
		return localElement
	case "session":
		return sessionElement
	}
	return 0
}

// readFields reports false for an invalid address.
func readFields(fields string, e *event.Event) bool {
	for field := range strings.SplitSeq(fields, ", ") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "method":
			e.Mechanism = value
		case "rip":
			addr, ok := event.ParseAddr(value)
			if !ok {
				return false
			}
			e.Addr = addr
		case "session":
			e.Session = strings.Trim(value, "<>")
		}
	}
	return true
}

// onlySession reports whether the only brackets in text are those of session=<S>.
func onlySession(text string) bool {
	if strings.Count(text, ">") == 0 {
		return strings.Count(text, "<") == 0
	}
	return strings.Count(text, ">") == 1 && strings.Count(text, "<") == 1 && strings.Contains(text, "session=<")
}
