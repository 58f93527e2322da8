package sshd

import (
	"strings"

	"csmail/pkg/event"
)

// longestBefore is more than sshd lets stand before " from ": a hundred bytes of the
// user ("%.100s" in auth.c) and "invalid user ".
const longestBefore = 120

// cutLastFrom splits at the last " from ": a user name before it may hold the words as
// well, and the text behind it is the server's. If the text before it is longer than
// sshd's limit for a name, escapes have made the name longer. The line may then have
// been cut behind an imitation of the words.
func cutLastFrom(text string) (before, after string, ok bool) {
	at := strings.LastIndex(text, " from ")
	if at < 0 || at > longestBefore {
		return "", "", false
	}
	return text[:at], text[at+len(" from "):], true
}

// readPeer reads "A" or "A port P", to the last byte. A host's name instead of
// an address (UseDNS yes) is noted, and there is no address then.
func readPeer(text string, e *event.Event) bool {
	host, port, ported := strings.Cut(text, " ")
	if ported && !isPort(port) {
		return false
	}
	if addr, ok := event.ParseAddr(host); ok {
		e.Addr = addr
		return true
	}
	if !isHost(host) {
		return false
	}
	e.ClientName = host
	return true
}

// isPort reports whether the text is "port P".
func isPort(text string) bool {
	digits, ok := strings.CutPrefix(text, "port ")
	return ok && isDigits(digits)
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i]-'0' > 9 {
			return false
		}
	}
	return text != "" && len(text) <= 10
}

// isHost reports whether the text is a host name or "UNKNOWN". A malformed address (with
// a zone, a leading zero, or cut in the middle) is no name.
func isHost(text string) bool {
	letter := false
	for i := range len(text) {
		c := text[i] | 0x20
		letter = letter || c-'a' <= 25
		if c-'a' > 25 && text[i]-'0' > 9 && c != '-' && c != '.' && text[i] != '_' {
			return false
		}
	}
	return letter && len(text) <= 255
}

// peer is the client as sshpkt_fmt_connection_id and its callers in packet.c
// name it: "[invalid user U |authenticating user U |user U ]A port P".
type peer struct {
	user    string
	invalid bool
	named   bool // a user name stood in it
}

// readID reads a peer that fills the whole text. The words at the end are the server's,
// and the user is the text before the last two or three words.
func readID(text string, e *event.Event) (peer, bool) {
	who, at := "", text
	if port := strings.LastIndex(text, " port "); port >= 0 && isPort(text[port+1:]) {
		if space := strings.LastIndexByte(text[:port], ' '); space >= 0 {
			who, at = text[:space], text[space+1:]
		}
	} else if space := strings.LastIndexByte(text, ' '); space >= 0 {
		who, at = text[:space], text[space+1:]
	}
	host := strings.TrimSuffix(at, portOf(at))
	addr, ok := event.ParseAddr(host)
	if !ok && host != "UNKNOWN" { // the socket was gone before sshd asked
		return peer{}, false
	}
	p, ok := readWho(who)
	if !ok {
		return peer{}, false
	}
	e.Addr, e.User = addr, p.user
	return p, true
}

func portOf(text string) string {
	if at := strings.IndexByte(text, ' '); at >= 0 {
		return text[at:]
	}
	return ""
}

func readWho(who string) (peer, bool) {
	if who == "" {
		return peer{}, true
	}
	for _, kind := range [...]string{"invalid user", "authenticating user", "user"} {
		if user, ok := strings.CutPrefix(who, kind); ok && (user == "" || user[0] == ' ') {
			return peer{user: strings.TrimPrefix(user, " "), invalid: kind == "invalid user", named: true}, true
		}
	}
	return peer{}, false
}

// cutID takes a peer and its ": " off the start of text. The first " port P: "
// ends it: a user holds no colon, and an address no colon and space. Before 7.1 there was neither user nor
// port: then the peer is an address and nothing else.
func cutID(text string, e *event.Event) (peer, string, bool) {
	end := endOfID(text)
	if end < 0 {
		before, rest, ok := strings.Cut(text, ": ")
		addr, isAddr := event.ParseAddr(before)
		if !ok || !isAddr {
			return peer{}, "", false
		}
		e.Addr = addr
		return peer{}, rest, true
	}
	p, ok := readID(text[:end], e)
	return p, text[end+len(": "):], ok
}

// endOfID returns the index of the colon of the first " port P: ", or -1.
func endOfID(text string) int {
	from := 0
	for {
		at := strings.Index(text[from:], " port ")
		if at < 0 {
			return -1
		}
		digits := from + at + len(" port ")
		end := digits
		for end < len(text) && text[end]-'0' <= 9 {
			end++
		}
		if end > digits && strings.HasPrefix(text[end:], ": ") {
			return end
		}
		from = digits
	}
}
