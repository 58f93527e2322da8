package postfix

import (
	"strings"

	"csmail/pkg/event"
)

// smtpd logs a refusal as (smtpd_check.c, log_whatsup)
//
//	REPLY; from=<SENDER> to=<RECIPIENT> proto=PROTOCOL helo=<HELO>
//
// without the sender or recipient where there is none yet. The reply often begins with the
// text that was refused, "554 5.7.1 <RECIPIENT>: Relay access denied". A client chooses the
// text, the sender, the recipient and the HELO, and each may hold ">: " and "; from=<". So
// which words are the server's is decided by what the server writes twice: the refused
// text stands again in the envelope.

// longestCertain is less than the length of any line in which the reply was cut off, since
// Postfix writes 510 bytes of it (smtpd_check_reject) and the refused text once more. In a
// longer line the text that is left may be the client's. It may then accuse the client, who
// wrote it, but not excuse it.
const longestCertain = 900

// refusal is a reply and the places that divide it.
type refusal struct {
	reply     string // from the code on
	said      string // the server's own words, without code and refused text
	isCertain bool   // said is certainly the server's
	isLong    bool   // a refused text is in a line longer than longestCertain
}

// cutRefusal splits text into the reply and the envelope. client is the client as the line
// names it, command the SMTP command that was refused.
func cutRefusal(text, client, command string) (r refusal, envelope string) {
	from := repliedAt(text)
	said, end, isCertain := from, 0, true
	switch first := strings.Index(text[from:], ">: "); {
	case !strings.HasPrefix(text[from:], "<"):
		end = plainReplyEnd(text, from)
	case first < 0:
		end = envelopeFrom(text, from)
	case !strings.Contains(text[from+first+1:], ">: "): // LastIndex looks at each byte, a tenth of a flood's time
		said = from + first + len(">: ")
		end = envelopeFrom(text, said)
	default:
		said, end, isCertain = quotedReply(text, from+1, client, command)
	}
	reply := strings.TrimSuffix(text[:end], ";")
	isLong := said > from && len(text) > longestCertain
	return refusal{reply, reply[min(said, len(reply)):], isCertain, isLong}, text[end:]
}

// repliedAt returns the index behind the code and the enhanced code of a reply.
func repliedAt(text string) int {
	_, said, ok := cutCode(text)
	if !ok {
		return 0
	}
	return len(text) - len(said)
}

// plainReplyEnd returns where a reply ends that does not begin with the refused text. Only
// a block list's may hold client text, a sender or HELO in front of the list's name. If the
// client wrote " blocked using " itself, the reply is cut there, and still says the same.
func plainReplyEnd(text string, from int) int {
	if strings.HasPrefix(text[from:], "Service unavailable; ") {
		from += max(0, strings.Index(text[from:], " blocked using "))
	}
	return envelopeFrom(text, from)
}

// quotedReply tries each ">: " as the end of the refused text, which begins at from. It is
// certain if one of them, and no other, has a text in front that the envelope behind
// repeats.
func quotedReply(text string, from int, client, command string) (said, end int, isCertain bool) {
	const most = 16 // a client can write any number of them
	found := 0
	for at, n := from, 0; n < most && found < 2; n++ {
		next := strings.Index(text[at:], ">: ")
		if next < 0 && found == 1 {
			return said, end, true
		}
		if next < 0 {
			break
		}
		refused, words := text[from:at+next], at+next+len(">: ")
		start := envelopeFrom(text, words)
		if refused == client || refused == command || repeatsText(text[start:], refused) {
			said, end = words, start
			found++
		}
		at = words
	}
	said = from + strings.Index(text[from:], ">: ") + len(">: ")
	return said, envelopeFrom(text, said), false
}

// repeatsText reports whether the envelope has the text as sender, recipient or HELO.
// Quotes are left out, because Postfix since 3.5 writes an address with them there
// (info_log_address_format).
func repeatsText(envelope, text string) bool {
	envelope, text = withoutQuotes.Replace(envelope), withoutQuotes.Replace(text)
	return strings.HasPrefix(envelope, "; from=<"+text+"> ") || strings.HasPrefix(envelope, "; to=<"+text+"> ") ||
		strings.Contains(envelope, "> to=<"+text+"> proto=") ||
		strings.HasSuffix(envelope, " helo=<"+text+">") || strings.Contains(envelope, " helo=<"+text+"> sasl_")
}

var withoutQuotes = strings.NewReplacer(`"`, "", `\`, "")

// envelopeFrom returns the start of the first envelope at or after a place, or the length
// of the text.
func envelopeFrom(text string, from int) int { return from + envelopeStart(text[from:]) }

// envelopeStart returns the start of the first "; from=<", "; to=<" or "; proto=", or the
// length of the text.
func envelopeStart(text string) int {
	for from := 0; ; {
		at := strings.Index(text[from:], "; ")
		if at < 0 {
			return len(text)
		}
		at += from
		from = at + len("; ")
		if word := text[from:]; strings.HasPrefix(word, "from=<") || strings.HasPrefix(word, "to=<") || strings.HasPrefix(word, "proto=") {
			return at
		}
	}
}

// readEnvelope notes the client's claims. All of it is the client's text, and only
// descriptions are taken from it.
func readEnvelope(envelope string, e *event.Event) {
	envelope = strings.TrimPrefix(envelope, "; ")
	if rest, ok := strings.CutPrefix(envelope, "from=<"); ok {
		e.Sender, envelope, _ = strings.Cut(rest, "> ")
	}
	if rest, ok := strings.CutPrefix(envelope, "to=<"); ok {
		e.Recipient, envelope, _ = strings.Cut(rest, "> ")
	}
	if _, rest, ok := strings.Cut(envelope, "helo=<"); ok {
		rest, _, _ = strings.Cut(rest, "> sasl_")
		e.Helo = strings.TrimSuffix(rest, ">")
	}
}
