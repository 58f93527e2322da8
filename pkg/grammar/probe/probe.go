// Package probe recognises bytes that honest programs send to a mail port at the wrong
// time, in the escaped form that a daemon logs: a TLS ClientHello on a port
// that expects plain SMTP first, Thunderbird's search for an account's mail server, the
// visit of a monitor that says EHLO and QUIT in one breath, and the header of the PROXY
// protocol, from a load balancer at a server that is not set up for it. It looks only at text
// that a client sent; it reads no log line, takes no address, keeps no state and does no
// I/O.
//
// An attacker can send the same bytes, and then counts as suspect instead of hostile.
// That costs little, because none of these bytes try a password, a recipient or a relay.
// A client that goes on to do so is counted for that. One that does not has only looked
// whether the port is open.
package probe

import "strings"

// accountSearch is the EHLO with which Thunderbird and other Mozilla programs look for
// an account's mail server (mailnews/.../GuessConfig.sys.mjs). They send it as soon as
// they are connected.
const accountSearch = "EHLO we-guess.mozilla.org"

// IsAccountSearch reports whether the text is Thunderbird's EHLO and nothing else.
func IsAccountSearch(sent string) bool {
	rest, ok := strings.CutPrefix(sent, accountSearch)
	return ok && (rest == "" || rest == `\r\n`)
}

// IsVisit reports whether the text consists of whole SMTP commands that ask for nothing,
// with QUIT as the last. Monitors check in this way that a server answers. For example:
// `EHLO xymonnet\r\nQUIT\r\n`.
func IsVisit(sent string) bool {
	for sent != "" {
		line, rest, _ := strings.Cut(sent, `\n`)
		line = strings.TrimSuffix(line, `\r`)
		if strings.EqualFold(line, "QUIT") {
			return IsBlank(rest)
		}
		if command, _, _ := strings.Cut(line, " "); !IsIdle(command) {
			return false
		}
		sent = rest
	}
	return false
}

// IsProxyHeader reports whether the text is a header of the PROXY protocol: of version 1, a
// line and nothing behind it, or the start of version 2 (haproxy, doc/proxy-protocol.txt,
// sections 2.1 and 2.2), in which an SMTP server reads QUIT. For example:
// `PROXY TCP4 192.0.2.1 192.0.2.2 44520 25\r\n`.
func IsProxyHeader(sent string) bool {
	if strings.HasPrefix(sent, `\r\n\r\n\000\r\nQUIT\n`) {
		return true
	}
	line, rest, _ := strings.Cut(sent, `\n`)
	if rest != "" {
		return false
	}
	words := strings.Fields(strings.TrimSuffix(line, `\r`))
	switch {
	case len(words) < 2 || words[0] != "PROXY":
		return false
	case words[1] == "UNKNOWN":
		return true
	}
	return (words[1] == "TCP4" || words[1] == "TCP6") && len(words) == 6
}

// IsIdle reports whether an SMTP command asks for nothing (RFC 5321 sections 4.1.1.1,
// 4.1.1.5, 4.1.1.8 and 4.1.1.9).
func IsIdle(command string) bool {
	for _, idle := range [...]string{"EHLO", "HELO", "NOOP", "RSET", "HELP"} {
		if strings.EqualFold(command, idle) {
			return true
		}
	}
	return false
}

// IsBlank reports whether the text is empty but for ends of lines.
func IsBlank(sent string) bool {
	for sent = strings.Trim(sent, " "); sent != ""; {
		rest, ok := strings.CutPrefix(sent, `\n`)
		if !ok {
			rest, ok = strings.CutPrefix(sent, `\r`)
		}
		if !ok {
			return false
		}
		sent = rest
	}
	return true
}

// Size returns how many bytes the text stands for, an escape being one.
func Size(sent string) int {
	n := 0
	for ; sent != ""; n++ {
		if sent[0] != '\\' || len(sent) == 1 {
			sent = sent[1:]
			continue
		}
		if _, rest, ok := cutEscaped(sent); ok {
			sent = rest
			continue
		}
		sent = sent[2:]
	}
	return n
}

// IsTLSHello reports whether the text begins with the record header of a TLS
// ClientHello: 0x16, and a version from 0x0300 to 0x0304 (RFC 8446 section 5.1).
// Postfix writes such bytes in octal, `\026\003\001`, and before 3.x, by mistake, in
// decimal, `\22\3\1` (src/util/unescape.c); sshd writes them in octal.
//
// Older programs offer TLS in a hello of SSL 2: 0x80, a length, 0x01, and the version
// (RFC 5246 appendix E.2).
func IsTLSHello(sent string) bool {
	first, rest, ok := cutEscaped(sent)
	if ok && (first == "200" || first == "128") {
		return isSSL2Hello(rest)
	}
	if !ok || first != "26" && first != "22" {
		return false
	}
	major, rest, ok := cutEscaped(rest)
	if !ok || major != "3" {
		return false
	}
	minor, _, ok := cutEscaped(rest)
	return ok && len(minor) <= 1 && minor <= "4"
}

// isSSL2Hello reports whether the text is the hello of SSL 2 behind its first byte. The
// second byte of its length may be a printable one.
func isSSL2Hello(rest string) bool {
	if rest == "" {
		return false
	}
	if _, after, escaped := cutEscaped(rest); escaped {
		rest = after
	} else {
		rest = rest[1:]
	}
	kind, rest, ok1 := cutEscaped(rest)
	major, rest, ok2 := cutEscaped(rest)
	minor, _, ok3 := cutEscaped(rest)
	return ok1 && ok2 && ok3 && kind == "1" && major == "3" && len(minor) <= 1 && minor <= "4"
}

// cutEscaped takes one `\` with up to three digits off and returns the digits
// without leading zeros.
func cutEscaped(text string) (digits, rest string, ok bool) {
	if text == "" || text[0] != '\\' {
		return "", "", false
	}
	end := 1
	for end < len(text) && end < 4 && text[end]-'0' <= 9 {
		end++
	}
	if end == 1 {
		return "", "", false
	}
	return strings.TrimLeft(text[1:end], "0"), text[end:], true
}

// IsMaskedHello reports whether the text may be a TLS hello in the form of Postfix's
// log, which shows each unprintable byte as "?" and ends at the first zero byte
// (src/util/printable.c). Visible are the record's type and version, and the first byte
// of its length if that is not zero; then the second byte of the length and the type of
// the handshake, up to the first byte of the handshake's length, which is zero.
//
// For example: "???", "????", or "????w?" of a length like 0x0177.
func IsMaskedHello(sent string) bool {
	sent = strings.TrimRight(sent, " ")
	if !strings.HasPrefix(sent, "???") {
		return false
	}
	switch len(sent) {
	case 3, 4:
		return sent[len(sent)-1] == '?'
	case 6:
		return sent[3] == '?' && sent[5] == '?'
	}
	return false
}
