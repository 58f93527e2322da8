package event

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// The limits for client text, in bytes. A path is at most 256 bytes long (RFC 5321,
// section 4.5.3.1.3), and so is a login name that is a mail address; a host name has at
// most 255.
const (
	MaxText    = 320
	MaxMessage = 1024
)

// keptText is the length of the part of a longer text that is kept, before the hash of
// the whole.
const keptText = 256

// Bound shortens the texts that a client wrote, so that no client decides how much
// memory its attempts take in the session join, in buckets, in the journal of inputs and
// in alerts. It runs as a line is read, before the event is judged or stored, so that a
// replay sees the same text as the live run. A shortened name keeps the hash of the
// whole, so that two long names with the same beginning stay two accounts.
//
//	aaaa…(600 bytes)   the first 256 bytes, ~, and 32 hexadecimal digits
func (e *Event) Bound() {
	const surelyShort = 1<<8 - 1 // all bits of a length that needs none but these
	all := len(e.User) | len(e.Helo) | len(e.Sender) | len(e.Recipient) | len(e.ClientName) | len(e.Session) |
		len(e.Reason) | len(e.Mechanism) | len(e.Code) | len(e.Message)
	if all <= surelyShort {
		return
	}
	for _, name := range [...]*string{&e.User, &e.Helo, &e.Sender, &e.Recipient, &e.ClientName, &e.Session} {
		if len(*name) > MaxText {
			*name = boundName(*name)
		}
	}
	for _, text := range [...]*string{&e.Reason, &e.Mechanism, &e.Code} {
		if len(*text) > MaxText {
			*text = cut(*text, MaxText)
		}
	}
	if len(e.Message) > MaxMessage {
		e.Message = cut(e.Message, MaxMessage)
	}
}

func boundName(name string) string {
	var whole [1 << 10]byte // on the stack: a flood may bound three names a line
	sum := sha256.Sum256(append(whole[:0], name...))
	var bounded [keptText + 1 + 32]byte
	return string(hex.AppendEncode(append(append(bounded[:0], cut(name, keptText)...), '~'), sum[:16]))
}

// cut returns the first n bytes at most, without the start of a character that does not
// end there.
func cut(text string, n int) string {
	for back := range utf8.UTFMax {
		if r, size := utf8.DecodeRuneInString(text[n-back:]); r != utf8.RuneError && size > back {
			return text[:n-back]
		}
	}
	return text[:n]
}
