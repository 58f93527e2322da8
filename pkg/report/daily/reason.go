package daily

import "strings"

// Reason makes the reply to a refused command comparable: it removes the parts that
// differ from client to client, so that equal reasons count together. For example, "554
// 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example;
// https://…; from=<a@b>" becomes "blocked using zen.example".
func Reason(text string, filter bool) string { return string(appendReason(nil, text, filter)) }

// appendReason appends the reason to room, so that no memory is needed for one that is
// known.
func appendReason(room []byte, text string, filter bool) []byte {
	return appendOwnReason(room, ownWords(text), filter)
}

// ownWords returns the part of a reply that the server wrote.
func ownWords(text string) string {
	_, text = cutCodes(text)
	return cutTrailer(cutQuoted(text))
}

// appendOwnReason appends the reason of the server's words.
func appendOwnReason(room []byte, text string, filter bool) []byte {
	if filter {
		room = append(room, "milter: "...)
	}
	before := len(room)
	if room = appendShort(room, text); len(room) == before {
		room = append(room, "(no reason)"...)
	}
	return room
}

// cutCodes removes the SMTP code and the enhanced code (RFC 3463) from a reply. It
// returns the digit by which a refusal is temporary (4) or permanent (5), 0 if there is
// no code.
func cutCodes(text string) (digit byte, rest string) {
	if len(text) >= 4 && isDigits(text[:3]) && (text[3] == ' ' || text[3] == '-') {
		digit, text = text[0], text[4:]
	}
	word, after, _ := strings.Cut(text, " ")
	if len(word) >= 5 && len(word) <= 9 && word[1] == '.' && (word[0] == '2' || word[0] == '4' || word[0] == '5') && isDotted(word) {
		if digit == 0 {
			digit = word[0]
		}
		text = after
	}
	return digit, text
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// isDotted reports whether a word consists of digits and dots, with at least one digit.
func isDotted(word string) bool {
	digits := 0
	for i := range len(word) {
		switch {
		case word[i] >= '0' && word[i] <= '9':
			digits++
		case word[i] != '.':
			return false
		}
	}
	return digits > 0
}

// IsTemporary reports whether a refusal is temporary: 4xx, 4.x.x, or postscreen's own
// overload.
func IsTemporary(text string) bool {
	return isTemporary(cutCodes(text))
}

// isTemporary does what IsTemporary does, with what cutCodes returned.
func isTemporary(digit byte, rest string) bool {
	switch digit {
	case 0:
		return strings.HasPrefix(rest, "too many connections") || strings.HasPrefix(rest, "all server ports busy") || strings.HasPrefix(rest, "all screening ports busy")
	case '4':
		return true
	}
	return false
}

// quotedEnds are Postfix's own words after the text that a reply quotes.
var quotedEnds = [...]string{
	"Client host", "Unverified Client host", "Helo command", "Sender address", "Recipient address", "Data command",
	"End-of-data", "ETRN command", "Relay access denied", "User unknown", "Temporary lookup failure", "Server configuration", "Insufficient system",
}

// cutQuoted removes a leading "<…>: ". The quoted text is a client's and may hold ">: "
// itself, so its end is the one before Postfix's own words, if there is one.
func cutQuoted(text string) string {
	if !strings.HasPrefix(text, "<") {
		return text
	}
	first := -1
	for at := 0; ; {
		next := strings.Index(text[at:], ">: ")
		if next < 0 {
			break
		}
		at += next + len(">: ")
		if first < 0 {
			first = at
		}
		for _, phrase := range quotedEnds {
			if at < len(text) && text[at] == phrase[0] && strings.HasPrefix(text[at:], phrase) {
				return text[at:]
			}
		}
	}
	if first < 0 {
		return text
	}
	return text[first:]
}

// cutTrailer removes the client's claims at the end.
func cutTrailer(text string) string {
	for at := 0; ; {
		next := strings.IndexByte(text[at:], ';')
		if next < 0 {
			return text
		}
		at += next
		for _, mark := range [...]string{"; from=<", "; to=<", "; proto="} {
			if strings.HasPrefix(text[at:], mark) {
				return text[:at]
			}
		}
		at++
	}
}

// appendShort appends what is the same in the replies to all clients.
func appendShort(room []byte, text string) []byte {
	if at := strings.LastIndex(text, "] blocked using "); at >= 0 { // a quoted sender may hold it as well
		zone, _, _ := strings.Cut(text[at+len("] blocked using "):], ";")
		zone, _, _ = strings.Cut(zone, " ")
		return append(append(room, "blocked using "...), strings.Trim(zone, " .,:")...)
	}
	if rest, ok := strings.CutPrefix(text, "Client host rejected: "); ok {
		for _, lookup := range [...]string{"cannot find your hostname", "cannot find your reverse hostname"} {
			if strings.HasPrefix(rest, lookup) {
				return append(room, lookup...)
			}
		}
	}
	for _, probe := range [...]string{"undeliverable address", "unverified address"} {
		if at := strings.Index(text, probe); at >= 0 {
			text = text[:at+len(probe)]
		}
	}
	if at := strings.IndexAny(text, ";,"); at >= 0 {
		text = text[:at]
	}
	if strings.Contains(text, " see") || strings.Contains(text, "http") {
		text = cutAtFirst(text, " (http://", " (https://", " http://", " https://", ". Please see", ": please see", " see http")
	}
	return appendAddresses(room, strings.Trim(text, " .:"))
}

func cutAtFirst(text string, marks ...string) string {
	end := len(text)
	for _, mark := range marks {
		if at := strings.Index(text, mark); at >= 0 {
			end = min(end, at)
		}
	}
	return text[:end]
}

// bounceReason makes a remote server's answer comparable: it removes the recipient. For example, "host mx.example[192.0.2.1] said: 550 5.1.1
// <bob@example.org>: Recipient address rejected: User unknown (in reply to RCPT TO
// command)" becomes "550 5.1.1 Recipient address rejected: User unknown".
func bounceReason(text, recipient string) string {
	if strings.HasPrefix(text, "host ") {
		if _, said, ok := strings.Cut(text, " said: "); ok {
			text = said
		}
	}
	text, _, _ = strings.Cut(text, " (in reply to")
	if recipient != "" {
		text = strings.ReplaceAll(text, "<"+recipient+">: ", "")
		text = strings.ReplaceAll(text, "<"+recipient+">", "RECIPIENT")
	}
	return clip(strings.TrimSpace(replaceAddresses(text)))
}

// maxText is the number of bytes of a text that is kept as a key.
const maxText = 200

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return text[:maxText]
}
