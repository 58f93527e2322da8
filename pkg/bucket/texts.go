package bucket

import (
	"math"
	"unicode/utf8"

	"csmail/pkg/arena"
)

// maxKept is the number of bytes that are kept of a text by which events are grouped.
// Clients choose its length. For example, PAM logs names of accounts whole, and 500,000
// of 660 bytes would take the memory of the host. Postfix logs 100 bytes of a name,
// Dovecot 64.
const maxKept = 96

// textStore keeps the beginnings of texts. Two texts count as the same if their keyed
// hashes (which the caller computes), lengths and beginnings are equal. Without the key
// such texts cannot be made.
type textStore struct{ runs arena.Blocks[byte] }

// textRef holds the place of a text (the lower half) and the length of the whole text
// (the upper half).
type textRef uint64

func (r textRef) length() int { return int(r >> 32) }
func (r textRef) kept() int   { return min(r.length(), maxKept) }

func newTextRef(at uint32, length int) textRef {
	return textRef(at) | textRef(min(length, math.MaxInt32))<<32
}

// put keeps the beginning of a text.
func (s *textStore) put(text []byte) textRef { return s.putBeginning(text, len(text)) }

// putBeginning keeps the beginning of a text of the given length, of which text has
// no less than is kept.
func (s *textStore) putBeginning(text []byte, length int) textRef {
	r := newTextRef(0, length)
	if r.kept() == 0 {
		return r
	}
	r |= textRef(s.runs.Take(r.kept()))
	copy(s.beginning(r), text)
	return r
}

func (s *textStore) free(r textRef) { s.runs.Give(uint32(r), r.kept()) }

// beginning returns the part that is kept of a text. It is valid until the text is freed.
func (s *textStore) beginning(r textRef) []byte {
	if r.kept() == 0 {
		return nil
	}
	return s.runs.At(uint32(r), r.kept())
}

// matches reports whether a text with the same hash is the one that was put.
func (s *textStore) matches(r textRef, text []byte) bool {
	return r.length() == len(text) && string(s.beginning(r)) == string(text[:r.kept()])
}

// shown returns a text for people.
func (s *textStore) shown(r textRef) string {
	if r.length() <= maxKept {
		return string(s.beginning(r))
	}
	return cutShort(s.beginning(r))
}

// shownText does the same for a text that is not kept.
func shownText(text []byte) string {
	if len(text) <= maxKept {
		return string(text)
	}
	return cutShort(text[:maxKept])
}

// cutShort ends a text that was cut in an ellipsis, and drops half a character.
func cutShort(beginning []byte) string {
	for cut := len(beginning) - 1; cut > len(beginning)-utf8.UTFMax; cut-- {
		if utf8.RuneStart(beginning[cut]) {
			if !utf8.FullRune(beginning[cut:]) {
				beginning = beginning[:cut]
			}
			break
		}
	}
	return string(beginning) + "…"
}
