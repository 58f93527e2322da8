package postfix

import (
	"strings"

	"csmail/pkg/event"
)

// reject reads "CMD from CLIENT: TEXT; from=<S> to=<R> proto=P helo=<H>"
// (smtpd_check.c, smtpd_check_reject). The server writes CMD and the client's
// address before anything that a client sent, except in ETRN, which is left
// alone.
func reject(text string, e *event.Event) result {
	command, rest, ok := cutToken(text, " ")
	if !ok {
		return missed
	}
	if command == "ETRN" {
		return benign
	}
	if rest, ok = strings.CutPrefix(rest, "from "); !ok {
		return missed
	}
	named := rest
	if rest, ok = cutClient(rest, e); !ok {
		return missed
	}
	client := named[:len(named)-len(rest)]
	if rest, ok = strings.CutPrefix(rest, ": "); !ok {
		return missed
	}
	answer, envelope := cutRefusal(rest, client, command)
	readEnvelope(envelope, e)
	r := classify(answer, e)
	if r = ofWhole(command, r, e); r != noted {
		return r
	}
	if e.Kind == event.DNSBLFault && !isClearList(e.Reason, rest) {
		e.Kind = event.DNSBLListed
	}
	if e.Kind == event.DNSBLListed && isOwnList(e) {
		e.Kind = event.OwnRefusal
	}
	return r
}

// ofWhole returns the result r of a refused command, and completes it where the whole
// message is refused with the command: smtpd has logged the message as accepted with its
// first recipient. A refusal that says nothing against the client still takes that back.
func ofWhole(command string, r result, e *event.Event) result {
	switch command {
	case "DATA", "BDAT", "END-OF-MESSAGE":
	default:
		return r
	}
	switch {
	case r == benign && e.Session == "":
		return r // no recipient was accepted, or a filter that smtpd asks has the message
	case r == benign:
		return witness(event.Discarded)
	case e.Cause == event.NoCause:
		e.Cause = event.WholeMessage
	}
	return r
}

// isOwnList reports whether a block list answered that is csmail's own (pkg/enforce/dnsbl):
// its text begins with csmail's words. Before them stand the client's address and the name
// of the zone only, so nothing that a client wrote:
//
//	Service unavailable; Client host [192.0.2.1] blocked using bl.csmail.internal; CrowdSec decision 7 on your address
func isOwnList(e *event.Event) bool {
	rest, ok := strings.CutPrefix(e.Reason, "Service unavailable; Client host ["+e.Addr.String()+"] blocked using ")
	if !ok {
		return false
	}
	zone, text, ok := strings.Cut(rest, "; ")
	return ok && !strings.ContainsAny(zone, " <>[]") && strings.HasPrefix(text, event.OwnMarker)
}

// isClearList reports whether a block list's words are certainly its own. They come
// behind the address, but also behind a sender or HELO, and these may imitate them. In
// that case the words occur more than once in the line, if only because the envelope
// repeats the part of the reply that was cut off after 510 bytes (smtpd_check_reject).
func isClearList(reply, rest string) bool {
	return strings.HasPrefix(reply, "Service unavailable; Client host [") || strings.Count(rest, " blocked using ") <= 1
}

// hungUp reads "CMD from CLIENT: TEXT; …" of an access table's HANGUP (smtpd_check.c),
// which cuts the connection without a reply. The table may have judged the client's
// address, or a name that the client claimed.
func hungUp(text string, e *event.Event) result {
	rest, ok := cutRefused(text, e)
	if !ok {
		return missed
	}
	end := envelopeStart(rest)
	readEnvelope(rest[end:], e)
	e.Kind, e.Attempts, e.Reason = event.PolicyRejected, 1, strings.TrimSuffix(rest[:end], ";")
	return noted
}

// cutRefused takes "CMD from CLIENT: " off the start of text.
func cutRefused(text string, e *event.Event) (rest string, ok bool) {
	if _, rest, ok = cutToken(text, " from "); !ok {
		return "", false
	}
	if rest, ok = cutClient(rest, e); !ok {
		return "", false
	}
	return strings.CutPrefix(rest, ": ")
}

// classify decides by the reply's text and the first digit of its code; the
// codes themselves are settings. Words that a client may have written count for no more
// than a suspicion, and do not excuse it.
func classify(r refusal, e *event.Event) result {
	e.Attempts = 1
	if strings.HasPrefix(r.reply, "bare <LF> received") {
		e.Kind, e.Reason = event.BareNewline, "bare <LF> received"
		return noted
	}
	code, _, ok := cutCode(r.reply)
	if !ok {
		return missed
	}
	e.Code = code
	e.Reason = r.said
	kind, known := rejection(code, e.Reason)
	isClearText := r.isCertain && (!r.isLong || kind.Class() == event.Hostile)
	if !isClearText && kind.Class() != event.Suspect {
		known = false
	}
	switch {
	case !isClearText && code[0] == '4' && isProbe(r.reply, e.Reason):
		kind = event.NoKind // it quotes the server that was asked
	case !isClearText && code[0] == '4':
		kind = event.PolicyRejected // no honest client sends such text
	case !known:
		kind = byDigit(code)
	case kind == event.RelayDenied && e.ClientName != "unknown":
		// Anyone can name this host as the MX of a domain, and so make honest servers
		// deliver its mail here.
		kind = event.RelayRefused
	}
	if kind == event.NoKind {
		return benign
	}
	if kind == event.SenderRejected && dependsOnResolver(code, e.Reason) {
		e.Cause = event.Resolver
	}
	e.Kind = kind
	return noted
}

// dependsOnResolver reports whether a sender was rejected because of a DNS answer about
// its domain. That is so for every temporary answer, and for these words. (A client may
// have written them as its sender; then they excuse only a rejected sender.)
func dependsOnResolver(code, reason string) bool {
	return code[0] == '4' || strings.HasPrefix(reason, "Sender address rejected: Domain not found") ||
		strings.HasPrefix(reason, "Sender address rejected: Malformed DNS")
}

// isProbe reports whether the reply is the answer of address verification, which quotes
// another server (reject_unverified_recipient). Relaying is refused with a 4xx by
// default, and cannot hide behind it.
func isProbe(reply, reason string) bool {
	_, reason, _ = cutObject(reason)
	return strings.HasPrefix(reason, "unverified address: ") && !strings.HasSuffix(reply, ">: Relay access denied")
}

// cutCode takes "554 5.7.1 " or "450 " off a reply. The enhanced code (RFC
// 3463) may be missing.
func cutCode(reply string) (code, text string, ok bool) {
	code, text, _ = strings.Cut(reply, " ")
	if n, isNumber := smallNumber(code); !isNumber || n < 400 || n > 599 {
		return "", "", false
	}
	status, after, _ := strings.Cut(text, " ")
	if len(status) >= 5 && status[1] == '.' && status[0] == code[0] {
		return reply[:len(code)+1+len(status)], after, true
	}
	return code, text, true
}

// byDigit classifies a reply with an unknown text: a rule or a policy server with words
// of its own. A 4xx may be greylisting and means nothing.
func byDigit(code string) event.Kind {
	switch {
	case strings.HasPrefix(code, "4"):
		return event.NoKind
	case len(code) > 6 && code[4:7] == "5.5":
		return event.ProtocolError
	}
	return event.PolicyRejected
}

// rejection classifies a reply's text by Postfix's own words (smtpd_check.c,
// 2.9-3.12). NoKind with true means: known, and no event.
func rejection(code, text string) (event.Kind, bool) {
	if kind, ok := ownTrouble(code, text); ok {
		return kind, true
	}
	if strings.HasPrefix(text, "Relay access denied") {
		return event.RelayDenied, true
	}
	if rest, ok := strings.CutPrefix(text, "Service unavailable"); ok {
		return blockList(rest)
	}
	for _, quiet := range [...]string{"Session encryption is required", "Message size exceeds fixed limit", "Must issue a STARTTLS command first"} {
		if strings.HasPrefix(text, quiet) {
			return event.NoKind, true
		}
	}
	object, reason, ok := cutObject(text)
	if !ok {
		return event.NoKind, false
	}
	if kind, ok := anyObject(reason); ok {
		return kind, true
	}
	temporary := code[0] == '4'
	switch object {
	case "Client host", "Unverified Client host":
		return clientRejected(reason, temporary)
	case "Helo command":
		return heloRejected(reason, temporary)
	case "Sender address":
		return senderRejected(reason, temporary)
	case "Recipient address":
		if isFull(code, reason) {
			return event.NoKind, true
		}
		return recipientRejected(reason, temporary)
	case "Data command", "End-of-data", "Etrn command":
		if strings.HasPrefix(reason, "Multi-recipient bounce") {
			return event.ProtocolError, true
		}
	}
	return event.NoKind, false
}

// cutObject splits "OBJECT rejected: REASON". The objects are Postfix's own words
// (smtpd_check.h, SMTPD_NAME_…). With any other object the text is not Postfix's and may
// quote the client.
func cutObject(text string) (object, reason string, ok bool) {
	object, reason, ok = strings.Cut(text, " rejected: ")
	switch object {
	case "Client host", "Unverified Client host", "Client certificate", "SASL login name", "Helo command", "Sender address",
		"Recipient address", "Data command", "End-of-data", "Etrn command":
		return object, reason, ok
	}
	return "", "", false
}

// ownTrouble recognises the X.3.x codes, which stand for the mail system's own state
// (RFC 3463 section 3.4), and failed lookup tables.
func ownTrouble(code, text string) (event.Kind, bool) {
	_, reason, _ := cutObject(text)
	if strings.HasPrefix(text, "Temporary lookup ") || strings.HasPrefix(reason, "Temporary lookup failure") {
		return event.LookupFault, true
	}
	if len(code) < 9 || code[4:8] != code[:1]+".3." {
		return event.NoKind, false
	}
	switch code[8:] {
	case "2", "4": // "Try again later", "Message size exceeds fixed limit"
		return event.NoKind, true
	}
	return event.ServerFault, true
}

// anyObject recognises the reasons that a rule may give about the client, HELO, sender
// or recipient alike.
func anyObject(reason string) (event.Kind, bool) {
	switch {
	case strings.HasPrefix(reason, event.OwnMarker):
		return event.OwnRefusal, true
	case hasPrefixFold(reason, "greylist"), hasPrefixFold(reason, "graylist"),
		strings.HasPrefix(reason, "Try again later"), strings.HasPrefix(reason, "defer_if_permit requested"), strings.HasPrefix(reason, "defer_if_reject requested"):
		return event.NoKind, true
	case strings.HasPrefix(reason, "Improper use of SMTP command pipelining"):
		return event.Pipelining, true
	case strings.HasPrefix(reason, "Server configuration "):
		return event.ServerFault, true
	}
	return event.NoKind, false
}

// clientRejected returns the kind of a "Client host rejected" by its reason.
func clientRejected(reason string, temporary bool) (event.Kind, bool) {
	switch {
	case strings.HasPrefix(reason, "cannot find your "):
		return event.NoHostname, true
	case !temporary:
		return event.AccessDenied, true
	case strings.HasPrefix(reason, "Access denied"):
		return event.PolicyRejected, true
	}
	return event.NoKind, true
}

// heloRejected never takes "Host not found" for hostile, even with a permanent code:
// that answer depends on DNS.
func heloRejected(reason string, temporary bool) (event.Kind, bool) {
	known := strings.HasPrefix(reason, "need fully-qualified hostname") || strings.HasPrefix(reason, "Invalid name") ||
		strings.HasPrefix(reason, "invalid ip address")
	switch {
	case strings.HasPrefix(reason, "Host not found"), strings.HasPrefix(reason, "Malformed DNS"):
		return event.HeloDeferred, true
	case !temporary:
		return event.HeloRejected, true
	case known:
		return event.HeloDeferred, true
	}
	return event.NoKind, true
}

// senderRejected returns the kind of a "Sender address rejected".
func senderRejected(reason string, temporary bool) (event.Kind, bool) {
	for _, known := range [...]string{
		"Domain not found", "Domain ", "Malformed DNS", "not owned by user", "not logged in",
		"need fully-qualified address", "undeliverable address", "User unknown",
	} {
		if strings.HasPrefix(reason, known) {
			return event.SenderRejected, true
		}
	}
	if temporary {
		return event.NoKind, true
	}
	return event.PolicyRejected, true
}

// isFull reports whether a recipient is refused for the state of its mailbox, which no
// client is to blame for: full, or too small for the message (X.2.2 and X.2.3 of
// RFC 3463 section 3.3, as Dovecot's quota-status says).
func isFull(code, reason string) bool {
	if strings.HasSuffix(code, ".2.2") || strings.HasSuffix(code, ".2.3") {
		return true
	}
	for _, full := range [...]string{"Quota exceeded", "Over quota", "Mailbox full", "Mailbox is full", "Mailbox quota exceeded", "User is over quota"} {
		if hasPrefixFold(reason, full) {
			return true
		}
	}
	return false
}

// recipientRejected returns the kind of a "Recipient address rejected".
func recipientRejected(reason string, temporary bool) (event.Kind, bool) {
	switch {
	case strings.HasPrefix(reason, "User unknown"):
		return event.RecipientUnknown, true
	case temporary, strings.HasPrefix(reason, "unverified address"), strings.HasPrefix(reason, "address verification problem"):
		return event.NoKind, true
	case strings.HasPrefix(reason, "undeliverable address"):
		return event.RecipientUnknown, true
	}
	return event.PolicyRejected, true
}

// blockList reads "; Client host [A] blocked using DOMAIN[; REASON]". A list that
// refuses our queries gives the same answer for every client: "Error:" in its text, or a
// code in 127.255.255.0/24.
func blockList(text string) (event.Kind, bool) {
	_, list, ok := strings.Cut(text, " blocked using ")
	if !ok {
		return event.NoKind, false
	}
	_, reason, _ := strings.Cut(list, "; ")
	if strings.HasPrefix(reason, "Error:") || strings.HasPrefix(reason, "127.255.255.") {
		return event.DNSBLFault, true
	}
	return event.DNSBLListed, true
}

// milterReject reads "CMD from CLIENT: TEXT; …" of a mail filter. A temporary
// refusal is mostly greylisting and no event. Some answers are Postfix's own, for a
// filter that it cannot reach or talk to.
func milterReject(text string, e *event.Event) result {
	command, _, _ := cutToken(text, " from ")
	rest, ok := cutRefused(text, e)
	if !ok {
		return missed
	}
	end := envelopeStart(rest)
	reply := strings.TrimSuffix(rest[:end], ";")
	readEnvelope(rest[end:], e)
	kind := event.ContentRejected
	switch {
	case isFilterFault(reply):
		kind = event.ServerFault
	case !strings.HasPrefix(reply, "5"):
		return ofWhole(command, benign, e)
	}
	e.Kind, e.Attempts, e.Reason = kind, 1, reply
	return ofWhole(command, noted, e)
}

// proxyReject reads "STAGE: REPLY; from=<S> …", the answer of a content filter that smtpd
// asks before it takes a message (smtpd_proxy.c, smtpd_proxy_filter). The line names no
// client, and what stands behind the stage may be a client's text: the session join finds
// the client by the process.
func proxyReject(text string, e *event.Event) result {
	_, rest, ok := cutToken(text, ": ")
	if !ok {
		return missed
	}
	reply := strings.TrimSuffix(rest[:envelopeStart(rest)], ";")
	if !strings.HasPrefix(reply, "5") {
		return benign
	}
	e.Kind, e.Attempts, e.Reason = event.ContentRejected, 1, reply
	return noted
}

// isFilterFault reports whether the reply is one of milter_default_action or of a broken
// protocol (src/milter/milter8.c, milter8_comm_error and milter8_conf_error); cleanup
// leaves the SMTP code out. The reply of "tempfail" is also the one of a filter's
// temporary refusal.
func isFilterFault(reply string) bool {
	switch reply {
	case "550 5.5.0 Service unavailable", "5.5.0 Service unavailable",
		"451 4.3.5 Server configuration problem - try again later", "4.3.5 Server configuration problem - try again later",
		"421 4.3.5 Server configuration problem - try again later":
		return true
	}
	return false
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
