package postfix

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// limits are anvil(8)'s complaints, as smtpd.c words them:
// "LIMIT: COUNT from CLIENT for service SERVICE".
var limits = [...]struct {
	text string
	kind event.Kind
}{
	{"Connection concurrency limit exceeded: ", event.RateLimited},
	{"Connection rate limit exceeded: ", event.RateLimited},
	{"Message delivery request rate limit exceeded: ", event.RateLimited},
	{"Recipient address rate limit exceeded: ", event.RateLimited},
	{"New TLS session rate limit exceeded: ", event.RateLimited},
	{"AUTH command rate limit exceeded: ", event.AuthRateLimited},
}

// smtpdWarning reads the text behind "warning: ".
func smtpdWarning(text string, e *event.Event) result {
	if rest, ok := strings.CutPrefix(text, "hostname "); ok {
		return hostname(rest, e)
	}
	if rest, ok := strings.CutPrefix(text, "non-SMTP command from "); ok {
		return nonSMTP(rest, e)
	}
	if rest, ok := strings.CutPrefix(text, "Illegal address syntax from "); ok {
		return illegalAddress(rest, e)
	}
	for _, limit := range limits {
		if rest, ok := strings.CutPrefix(text, limit.text); ok {
			return rateLimit(rest, limit.kind, e)
		}
	}
	for _, refusal := range [...]string{"Refusing STARTTLS request from ", "Refusing TLS service request from "} {
		if rest, ok := strings.CutPrefix(text, refusal); ok {
			return tail(rest, " for service ", event.RateLimited, e)
		}
	}
	rest, ok := cutClient(text, e)
	if ok {
		if said, is := strings.CutPrefix(rest, ": "); is {
			return clientWarning(said, e)
		}
		if said, is := strings.CutPrefix(rest, " sent "); is && strings.Contains(said, " header instead of SMTP command: ") { // before 2.3
			e.Kind, e.Attempts, e.Reason = event.NonSMTP, 1, said
			return noted
		}
	}
	e.ClientName, e.Addr = "", netip.Addr{} // the text taken for a client is not one
	if id, rest, ok := cutQueueID(text); ok {
		if r := chunking(rest, e); r != missed {
			e.Session = id
			return r
		}
	}
	return addressWarning(text, e)
}

// chunking reads the complaints about BDAT (smtpd.c since 3.4). The client's address
// comes before the text that it sent.
func chunking(text string, e *event.Event) result {
	for _, known := range [...]string{
		"too much BDAT content -- disabling further input from ", "malformed BDAT command syntax from ",
		"null BDAT request from ", "BDAT request from ",
	} {
		rest, ok := strings.CutPrefix(text, known)
		if !ok {
			continue
		}
		if rest, ok = cutClient(rest, e); !ok || rest != "" && rest[0] != ':' && rest != " exceeds message size limit" {
			return missed
		}
		e.Kind, e.Attempts, e.Reason = event.ProtocolError, 1, known[:len(known)-len(" from ")]
		return noted
	}
	switch {
	case strings.HasPrefix(text, "queue file size limit exceeded"):
		return benign
	case strings.HasPrefix(text, "write queue file"):
		return ourFault(event.ServerFault, text, e)
	}
	return missed
}

// ourFault notes a failure on our side that a line without a client reports.
func ourFault(kind event.Kind, reason string, e *event.Event) result {
	e.Kind, e.Attempts, e.Reason = kind, 1, reason
	return noted
}

// hostname reads "H does not resolve to address A" with or without ": REASON"
// (src/smtpd/smtpd_peer.c since 2.9). H is the PTR name and holds no space, so
// the address is where the fixed words end.
func hostname(text string, e *event.Event) result {
	name, rest, ok := strings.Cut(text, " ")
	if !ok || !isHostname(name) {
		return missed
	}
	rest, ok = strings.CutPrefix(rest, "does not resolve to address ")
	if !ok {
		return missed
	}
	address, reason, more := strings.Cut(rest, " ")
	if more {
		if address, ok = strings.CutSuffix(address, ":"); !ok {
			return missed
		}
	} else if len(text) > event.ShortestCut {
		return missed // the address may be cut
	}
	return mismatch(name, address, reason, e)
}

// addressWarning reads the same complaint of Postfix before 2.9:
// "A: hostname H verification failed: REASON" and
// "A: address not listed for hostname H".
func addressWarning(text string, e *event.Event) result {
	text = strings.TrimPrefix(text, "smtpd_peer_init: ")
	address, rest, ok := strings.Cut(text, ": ")
	switch {
	case strings.HasPrefix(text, "not enough free space in mail queue"):
		return ourFault(event.ServerFault, text, e)
	case strings.HasPrefix(text, "SASL: Connect to "): // xsasl_dovecot_server.c: no client can log in
		return ourFault(event.AuthFault, text, e)
	case !ok:
		return ourWarning(text)
	case strings.HasPrefix(rest, "RBL lookup error: "): // the query follows, with the client's address reversed
		return ourFault(event.DNSFault, rest, e)
	}
	if name, listed := strings.CutPrefix(rest, "address not listed for hostname "); listed && isHostname(name) {
		return mismatch(name, address, "", e)
	}
	if after, failed := strings.CutPrefix(rest, "hostname "); failed {
		name, reason, found := strings.Cut(after, " verification failed: ")
		if found && isHostname(name) {
			return mismatch(name, address, reason, e)
		}
	}
	return ourWarning(text)
}

// mismatch reads "hostname NAME does not resolve to address ADDR", with or without a
// reason.
func mismatch(name, address, reason string, e *event.Event) result {
	addr, ok := event.ParseAddr(address)
	if !ok {
		return missed
	}
	e.Addr, e.ClientName, e.Reason, e.Attempts = addr, name, reason, 1
	e.Kind = event.HostnameMismatch
	if strings.HasPrefix(reason, "Temporary failure in name resolution") {
		e.Kind = event.DNSFault
	}
	return noted
}

// clientWarning reads the text behind "warning: CLIENT: ".
func clientWarning(text string, e *event.Event) result {
	if rest, ok := strings.CutPrefix(text, "SASL "); ok {
		return sasl(rest, e)
	}
	if rest, ok := strings.CutPrefix(text, "request longer than "); ok {
		e.Kind, e.Attempts, e.Reason = event.ProtocolError, 1, "request longer than "+rest
		return noted
	}
	if strings.HasPrefix(text, "XCLIENT ") || strings.HasPrefix(text, "XFORWARD ") {
		return benign
	}
	return missed
}

// sasl reads "MECH authentication failed: REASON[, sasl_username=USER]" and
// "MECH authentication aborted" (smtpd_sasl_glue.c; the user since 3.9 and the
// patch releases 3.5.22, 3.6.12, 3.7.8 and 3.8.3). MECH is one word that the
// client sent; the reason holds no client text with a space in it, so the first
// ", sasl_username=" is the server's.
func sasl(text string, e *event.Event) result {
	mechanism, rest, ok := strings.Cut(text, " ")
	if !ok {
		return missed
	}
	e.Mechanism, e.Attempts = mechanism, 1
	if rest == "authentication aborted" {
		e.Kind = event.AuthAborted
		return noted
	}
	rest, ok = strings.CutPrefix(rest, "authentication failed:")
	if !ok {
		return missed
	}
	reason, user, named := strings.Cut(strings.TrimPrefix(rest, " "), ", sasl_username=")
	e.Reason = reason
	if named && user != "(unavailable)" {
		e.User = user
	}
	e.Kind = event.AuthFailed
	switch {
	case isAuthFault(reason):
		e.Kind = event.AuthFault
	case isNotOffered(reason):
		e.Kind = event.LoginRefused
	case strings.HasPrefix(reason, event.OwnMarker): // Dovecot asked csmail, and hands its text on
		e.Kind = event.OwnRefusal
	}
	if strings.HasPrefix(reason, "Connection lost to authentication server") {
		e.Cause = event.NoAnswer
	}
	return noted
}

// isNotOffered reports whether the client asked for a mechanism that the server does not
// offer, so that no password was tried (xsasl_dovecot_server.c; Cyrus SASL's SASL_NOMECH).
func isNotOffered(reason string) bool {
	return strings.HasPrefix(reason, "Invalid authentication mechanism") || strings.HasPrefix(reason, "no mechanism available")
}

// isAuthFault reports whether the reason is a failure of our own login service: Postfix
// does not reach it, lost it or got half an answer (xsasl_dovecot_server.c), Dovecot has
// an internal failure, or Cyrus SASL cannot reach saslauthd (lib/common.c,
// sasl_errstring). None of these reasons holds client text.
func isAuthFault(reason string) bool {
	for _, fault := range [...]string{
		"Connection lost to authentication server", "Can't connect to authentication server", "Authentication backend error",
		"Temporary authentication failure", "generic failure", "remote authentication server unavailable", "transient failure",
		"no memory available", "SASL library is not initialized",
	} {
		if strings.HasPrefix(reason, fault) {
			return true
		}
	}
	return false
}

// illegalAddress reads "CLIENT in MAIL command: TEXT".
func illegalAddress(text string, e *event.Event) result {
	rest, ok := cutClient(text, e)
	if !ok || !strings.HasPrefix(rest, " in ") {
		return missed
	}
	e.Kind, e.Attempts, e.Reason = event.ProtocolError, 1, "illegal address syntax"+rest
	return noted
}

// rateLimit reads "COUNT from CLIENT for service SERVICE".
func rateLimit(text string, kind event.Kind, e *event.Event) result {
	count, rest, ok := strings.Cut(text, " from ")
	if _, isNumber := smallNumber(count); !ok || !isNumber {
		return missed
	}
	return tail(rest, " for service ", kind, e)
}
