package postfix

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// postscreen reads src/postscreen's messages. A client is [ADDR]:PORT and
// stands before everything that it sent.
func postscreen(message string, e *event.Event) result {
	e.Service = event.Postscreen
	for _, known := range [...]string{
		"CONNECT from ", "DISCONNECT ", "PASS NEW ", "PASS OLD ", "WHITELISTED ", "ALLOWLISTED ", "WHITELIST VETO ", "ALLOWLIST VETO ",
		"warning: ", "error: ", "fatal: ", "panic: ", "cache ", "close database ", "entering STRESS mode", "leaving STRESS mode",
		"reject: connect from ", "statistics: ", "dnsblog reply timeout ", "lookup error", "psc_cache", "close cache",
		"using backwards-compatible default setting ", "table ", "timeout sending connection to service ",
	} {
		if strings.HasPrefix(message, known) {
			return benign
		}
	}
	if rest, ok := strings.CutPrefix(message, "NOQUEUE: reject: "); ok {
		return postscreenReject(rest, e)
	}
	for _, c := range complaints {
		if rest, ok := strings.CutPrefix(message, c.text); ok {
			return c.read(rest, e)
		}
	}
	if isScreenSetting(message) {
		return benign
	}
	return missed
}

// isScreenSetting reports whether the message is about a local setting that changes
// something for a client: "[ADDR]PORT: discarding EHLO keywords: …" and "[ADDR]:PORT:
// replacing command …" (postscreen_smtpd.c).
func isScreenSetting(message string) bool {
	_, said, ok := strings.Cut(message, ": ")
	return ok && message[0] == '[' && (strings.HasPrefix(said, "discarding EHLO keywords: ") || strings.HasPrefix(said, "replacing command "))
}

// complaint is a message about a test that a client failed. If between is not empty, the
// server writes a number or word before the client. For example: "11 after 0.05 from ".
type complaint struct {
	text    string
	between string
	kind    event.Kind
}

var complaints = [...]complaint{
	{"PREGREET ", " from ", event.Pregreet},
	{"HANGUP after ", " from ", event.Hangup},
	{"DNSBL rank ", " for ", event.DNSBLListed},
	{"BLACKLISTED ", "", event.Denylisted},
	{"DENYLISTED ", "", event.Denylisted},
	{"COMMAND TIME LIMIT from ", "", event.Hangup},
	{"COMMAND COUNT LIMIT from ", "", event.CommandLimit},
	{"COMMAND LENGTH LIMIT from ", "", event.CommandLimit},
	{"COMMAND PIPELINING from ", "", event.Pipelining},
	{"NON-SMTP COMMAND from ", "", event.NonSMTP},
	{"BARE NEWLINE from ", "", event.BareNewline},
	{"DATA without valid RCPT from ", "", event.ProtocolError},
	{"BDAT without valid RCPT from ", "", event.ProtocolError},
}

// read reads the address and the rest of a complaint.
func (c complaint) read(text string, e *event.Event) result {
	words := ""
	if c.between != "" {
		var ok bool
		if words, text, ok = cutToken(text, c.between); !ok {
			return missed
		}
	}
	rest, ok := cutEndpoint(text, e)
	if !ok || (rest != "" && rest[0] != ' ' && rest[0] != ':') {
		return missed
	}
	e.Kind, e.Attempts, e.Reason = c.kind, 1, strings.TrimSpace(strings.TrimPrefix(rest, ":"))
	if isHarmless(c.kind, words, e.Reason) {
		e.Kind = event.ProtocolError
	}
	return noted
}

// cutEndpoint takes [ADDR]:PORT off the start of text. It sets the address, and the port
// as the session: the port distinguishes the connections of one client.
func cutEndpoint(text string, e *event.Event) (string, bool) {
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return "", false
	}
	inner, rest, ok := strings.Cut(inner, "]:")
	if !ok {
		return "", false
	}
	addr, ok := event.ParseAddr(inner)
	if !ok {
		return "", false
	}
	digits := 0
	for digits < len(rest) && rest[digits]-'0' <= 9 {
		digits++
	}
	if digits == 0 {
		return "", false
	}
	e.Addr, e.Session = addr, rest[:digits]
	return rest[digits:], true
}

// postscreenReject reads "RCPT from [ADDR]:PORT: REPLY; from=<S>, to=<R>, …" and
// "CONNECT from [ADDR]:PORT: all server ports busy". The latter is a shortage on our
// side.
func postscreenReject(text string, e *event.Event) result {
	stage, rest, ok := cutToken(text, " from ")
	if !ok {
		return missed
	}
	if stage == "CONNECT" {
		return benign
	}
	if rest, ok = cutEndpoint(rest, e); !ok {
		return missed
	}
	if rest, ok = strings.CutPrefix(rest, ": "); !ok {
		return missed
	}
	reply, envelope, _ := strings.Cut(rest, "; from=<")
	e.Sender, envelope, _ = strings.Cut(envelope, ">, to=<")
	e.Recipient, envelope, _ = strings.Cut(envelope, ">, proto=")
	if _, helo, ok := strings.Cut(envelope, ", helo=<"); ok {
		e.Helo = strings.TrimSuffix(helo, ">")
	}
	return screened(reply, e)
}

// screened classifies postscreen's replies. "450 4.3.2" is the answer that every new
// client gets once from the deep protocol tests. With soft_bounce the other replies have
// a 4 as well; a block list's reply is then still recognised by its words.
func screened(reply string, e *event.Event) result {
	code, text, ok := cutCode(reply)
	if !ok {
		return missed
	}
	e.Code, e.Reason, e.Attempts = code, text, 1
	switch {
	case strings.HasPrefix(text, "Service unavailable; client ["):
		e.Kind, _ = blockList(text)
	case code[0] == '4':
		e.Addr = netip.Addr{}
		return benign
	case strings.HasPrefix(text, "Service currently unavailable"):
		e.Kind = event.Denylisted
	default:
		e.Kind = event.ProtocolError
	}
	if e.Kind == event.NoKind {
		return missed
	}
	return noted
}

// tlsproxy reads src/tlsproxy's messages; all but a failed handshake are benign:
// "SSL_accept error from [ADDR]:PORT: …", and since 3.4 "TLS handshake failed for
// service=SERVICE peer=[ADDR]:PORT".
func tlsproxy(message string, e *event.Event) result {
	rest, ok := strings.CutPrefix(message, "SSL_accept error from ")
	if !ok {
		if rest, ok = strings.CutPrefix(message, "TLS handshake failed for service="); !ok {
			return benign
		}
		if _, rest, ok = cutToken(rest, " peer="); !ok {
			return missed
		}
	}
	e.Service = event.Postscreen
	if rest, ok = cutEndpoint(rest, e); !ok || rest != "" && !strings.HasPrefix(rest, ": ") {
		return missed
	}
	e.Kind, e.Attempts, e.Reason = event.TLSError, 1, strings.TrimPrefix(rest, ": ")
	return noted
}
