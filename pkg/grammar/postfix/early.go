package postfix

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/probe"
)

// pipelining reads "STAGE from CLIENT: BYTES" behind "improper command pipelining after
// " (smtpd.c; the bytes since 2.9). Behind QUIT nothing is left to do. An empty rest
// means nothing there, and neither in versions that do not log the bytes.
func pipelining(text string, e *event.Event) result {
	stage, rest, ok := cutToken(text, " from ")
	if !ok {
		return missed
	}
	r := tail(rest, ": ", event.Pipelining, e)
	if r.outcome != event.Noted {
		return r
	}
	if isEarlyProbe(stage, e.Reason) {
		e.Kind = event.ProtocolError
	}
	return r
}

// isEarlyProbe reports whether the bytes that came too early are a TLS hello, or, in a
// session that asked for nothing before, an account search, a visit or a balancer's
// header. Without bytes it is a probe behind QUIT only: Postfix before 2.9 shows none.
func isEarlyProbe(stage, sent string) bool {
	switch {
	case probe.IsTLSHello(sent):
		return true
	case stage == "QUIT":
		return probe.IsBlank(sent) || probe.IsVisit(sent)
	case stage == "CONNECT" || probe.IsIdle(stage):
		return probe.IsAccountSearch(sent) || probe.IsVisit(sent) || stage == "CONNECT" && probe.IsProxyHeader(sent)
	}
	return false
}

// nonSMTP reads "CLIENT: BYTES" behind "non-SMTP command from " (smtpd.c).
func nonSMTP(text string, e *event.Event) result {
	r := tail(text, ": ", event.NonSMTP, e)
	if r.outcome == event.Noted && (probe.IsTLSHello(e.Reason) || probe.IsMaskedHello(e.Reason)) {
		e.Kind = event.ProtocolError
	}
	return r
}

// mostShown is how many characters postscreen logs of what a client sent before the greeting
// ("%.100s" in postscreen_early.c).
const mostShown = 100

// isHarmless reports whether postscreen's complaint is about bytes that honest programs
// send as well. words is the text before the client, said the text behind it
// (postscreen_early.c, postscreen_smtpd.c):
//
//	PREGREET COUNT after SECONDS from CLIENT: BYTES
//	COMMAND PIPELINING from CLIENT after COMMAND: BYTES
//	NON-SMTP COMMAND from CLIENT after STAGE: COMMAND ARGUMENTS
//	BARE NEWLINE from CLIENT after COMMAND
//
// Of the bytes before the greeting, postscreen shows the first hundred in escaped form. A
// shorter text is the whole. Of another one the count, which a client cannot forge, shows
// whether that was all.
func isHarmless(kind event.Kind, words, said string) bool {
	if kind == event.Pregreet {
		count, _, _ := strings.Cut(words, " ")
		n, ok := smallNumber(count)
		isWhole := len(said) < mostShown || ok && n == probe.Size(said)
		return probe.IsTLSHello(said) || isWhole && (probe.IsAccountSearch(said) || probe.IsVisit(said) || probe.IsProxyHeader(said))
	}
	before, ok := strings.CutPrefix(said, "after ")
	if !ok {
		return false
	}
	before, sent, _ := strings.Cut(before, ":")
	sent = strings.TrimPrefix(sent, " ")
	isHello := probe.IsTLSHello(before) || probe.IsMaskedHello(before)
	switch kind {
	case event.Pipelining:
		return isHello || isEarlyProbe(before, sent)
	case event.NonSMTP:
		return isHello || probe.IsTLSHello(sent) || probe.IsMaskedHello(sent)
	case event.BareNewline:
		return isHello
	}
	return false
}
