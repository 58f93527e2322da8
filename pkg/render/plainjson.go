package render

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plainJSON passes JSON on to w and escapes characters that could steer a terminal and
// that encoding/json leaves as they are: the control characters from U+007F to U+009F and
// those that change the direction of writing. Parsers read the same text. Each Write must
// hold whole runes, as those of an Encoder do.
type plainJSON struct{ w io.Writer }

func (p plainJSON) Write(b []byte) (int, error) {
	if _, err := p.w.Write(escape(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// EscapedJSON returns a writer that passes JSON on to w and escapes all that could steer
// a terminal.
func EscapedJSON(w io.Writer) io.Writer { return plainJSON{w} }

// escape returns b with unprintable characters as \uXXXX. It returns b itself if there
// are none.
func escape(b []byte) []byte {
	var out []byte
	done := 0
	for at := 0; at < len(b); {
		if b[at] < 0x7f {
			at++
			continue
		}
		r, size := utf8.DecodeRune(b[at:])
		if !unicode.IsPrint(r) {
			out = appendEscaped(append(out, b[done:at]...), r)
			done = at + size
		}
		at += size
	}
	if out == nil {
		return b
	}
	return append(out, b[done:]...)
}

// appendEscaped appends the escape of one character, a surrogate pair above U+FFFF.
func appendEscaped(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
