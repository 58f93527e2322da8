package sshd

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/probe"
)

// farewell reads "[invalid user U |authenticating user U ]A[ port P]" of a
// connection that ended (packet.c). After the login it says nothing.
func farewell(m message, e *event.Event) event.Outcome {
	if !m.preauth {
		return event.Benign
	}
	p, ok := readID(m.text, e)
	if !ok {
		return event.Missed
	}
	return gone(p, "connection ended during login", e)
}

// gone classifies a client that left before it had logged in.
func gone(p peer, reason string, e *event.Event) event.Outcome {
	e.Attempts, e.Reason, e.Kind = 1, "connection ended before login", event.NoAuth
	if p.named {
		e.Kind, e.Reason = event.AuthAborted, reason
	}
	return event.Noted
}

// receivedDisconnect reads "A port P:CODE: TEXT" or, before 7.0, "A: CODE: TEXT"
// (packet.c). The text is the client's.
func receivedDisconnect(m message, e *event.Event) event.Outcome {
	address, rest, ok := strings.Cut(m.text, " ")
	if ok && strings.HasPrefix(rest, "port ") {
		port, said, _ := strings.Cut(rest, ":")
		if ok = isPort(port); ok {
			rest = said
		}
	} else {
		address, ok = strings.CutSuffix(address, ":")
	}
	addr, isAddr := event.ParseAddr(address)
	if !ok || !isAddr {
		return event.Missed
	}
	e.Addr = addr
	return saidGoodbye(rest, m.preauth, e)
}

// saidGoodbye reads "CODE: TEXT". Code 3 is a broken key exchange (RFC 4253
// section 11.1), with which some libraries announce a wrong password.
func saidGoodbye(text string, preauth bool, e *event.Event) event.Outcome {
	code, said, _ := strings.Cut(text, ":")
	if !isDigits(code) {
		return event.Missed
	}
	e.Attempts, e.Reason = 1, "client disconnected"
	switch {
	case code == "3" && strings.HasSuffix(said, "Auth fail"):
		e.Kind = event.AuthFailed
	case preauth:
		e.Kind = event.NoAuth
	default:
		e.Addr = netip.Addr{}
		return event.Benign
	}
	return event.Noted
}

// connectionFrom reads "A port P[ on A port P[ rdomain R]]", which opens a session
// (LogLevel VERBOSE; sshd.c, the server's end since 6.5), and "ID timed out".
func connectionFrom(m message, e *event.Event) event.Outcome {
	if id, ok := strings.CutSuffix(m.text, " timed out"); ok {
		return farewell(message{id, m.preauth}, e)
	}
	at, _, _ := strings.Cut(m.text, " on ")
	if readPeer(at, e) && e.Addr.IsValid() {
		return event.Witness
	}
	return event.Benign
}

// negotiate reads "ID: no matching … found. Their offer: OFFER".
func negotiate(m message, e *event.Event) event.Outcome {
	return brokenHandshake(m, event.SSHError, e)
}

func dispatch(m message, e *event.Event) event.Outcome {
	return brokenHandshake(m, event.SSHError, e)
}

// banner reads "A port P: REASON" (kex.c, since 8.0).
func banner(m message, e *event.Event) event.Outcome {
	kind := event.SSHError
	if end := endOfID(m.text); end >= 0 && strings.HasPrefix(m.text[end:], ": invalid format") {
		kind = event.NonSSH
	}
	return brokenHandshake(m, kind, e)
}

func brokenHandshake(m message, kind event.Kind, e *event.Event) event.Outcome {
	_, reason, ok := cutID(m.text, e)
	if !ok {
		return event.Missed
	}
	e.Kind, e.Attempts, e.Reason = kind, 1, reason
	return event.Noted
}

// badVersion reads "TEXT' from A[ port P]". TEXT is sent by the client.
func badVersion(m message, e *event.Event) event.Outcome {
	said, at, ok := cutLastFrom(m.text)
	if !ok || !strings.HasSuffix(said, "'") || !readPeer(at, e) {
		return event.Missed
	}
	e.Kind, e.Attempts, e.Reason = event.NonSSH, 1, "bad protocol version identification"
	if probe.IsTLSHello(said) { // a program with a wrong port
		e.Kind = event.SSHError
	}
	return event.Noted
}

func noIdentification(m message, e *event.Event) event.Outcome {
	if !readPeer(m.text, e) {
		return event.Missed
	}
	e.Kind, e.Attempts, e.Reason = event.NoAuth, 1, "no identification string"
	return event.Noted
}

// timeout reads "A[ port P]" and, since 9.8, the listener's message about its child:
// "connection from A[ to SERVER], pid = N[ STATUS]".
func timeout(m message, e *event.Event) event.Outcome {
	e.Kind, e.Attempts, e.Reason = event.NoAuth, 1, "timeout before authentication"
	rest, ok := strings.CutPrefix(m.text, "connection from ")
	if !ok {
		if !readPeer(m.text, e) {
			return event.Missed
		}
		return event.Noted
	}
	ends, status, _ := strings.Cut(rest, ", pid = ")
	at, _, _ := strings.Cut(ends, " to ") // the server's address, if sshd knew it
	if !readPeer(at, e) {
		return event.Missed
	}
	if child, _, _ := strings.Cut(status, " "); isDigits(child) {
		e.Session = child
	}
	return event.Noted
}

// scanned reads "A port P with VERSION.  Don't panic." of a client that says of
// itself that it looks for servers (kex.c). VERSION is the client's text.
func scanned(m message, e *event.Event) event.Outcome {
	at, _, ok := strings.Cut(m.text, " with ")
	if !ok || !readPeer(at, e) {
		return event.Missed
	}
	e.Kind, e.Attempts, e.Reason = event.SSHError, 1, "a scanner by its own version"
	return event.Noted
}

// dropped reads "N from [A]:P on [SERVER]:P REASON" (sshd.c). MaxStartups is a shortage
// on our side. A penalty is sshd's response to earlier connections of the client or of
// its neighbours. "N logging rate-limited: …" names no client.
func dropped(m message, e *event.Event) event.Outcome {
	count, rest, ok := strings.Cut(m.text, " from [")
	if !ok && strings.Contains(m.text, rateLimited) {
		return event.Benign
	}
	if !ok || !isDigits(count) {
		return event.Missed
	}
	client, rest, ok := strings.Cut(rest, "]:")
	if !ok {
		return event.Missed
	}
	addr, isAddr := event.ParseAddr(client)
	_, after, ok := strings.Cut(rest, "]:")
	if !isAddr || !ok {
		return event.Missed
	}
	_, reason, _ := strings.Cut(after, " ")
	if !strings.HasPrefix(reason, "penalty: ") && reason != "PerSourcePenalties" {
		return event.Benign
	}
	e.Addr, e.Kind, e.Attempts, e.Reason = addr, event.Penalised, 1, reason
	return event.Noted
}

// penalised reads "ipv4: new A/32 active penalty of N seconds for REASON" and
// "A/32: activating ipv4 penalty …" (srclimit.c). A network is not a client.
func penalised(m message, e *event.Event) event.Outcome {
	text := m.text
	for _, family := range [...]string{"ipv4: ", "ipv6: "} {
		text = strings.TrimPrefix(text, family)
	}
	network, rest, ok := strings.Cut(strings.TrimPrefix(text, "new "), " ")
	network = strings.TrimSuffix(network, ":")
	prefix, err := netip.ParsePrefix(network)
	if !ok || err != nil || !prefix.IsSingleIP() {
		return event.Benign
	}
	if !strings.HasPrefix(rest, "active penalty ") && !strings.HasPrefix(rest, "activating ") {
		return event.Benign
	}
	e.Addr, e.Kind, e.Attempts, e.Reason = prefix.Addr().Unmap(), event.Penalised, 1, rest
	return event.Noted
}
