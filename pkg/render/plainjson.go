package render

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plainJSON writes JSON on, and escapes in it what could steer a terminal that it is
// shown on and encoding/json leaves as it is: the control characters from U+007F to
// U+009F and those that turn the direction of writing. Any parser reads the same.
// Each Write must be given whole runes, as an Encoder does.
type plainJSON struct{ w io.Writer }

func (p plainJSON) Write(b []byte) (int, error) {
	if _, err := p.w.Write(escape(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// EscapedJSON returns a writer that passes JSON on to w without what could steer a
// terminal.
func EscapedJSON(w io.Writer) io.Writer { return plainJSON{w} }

// escape returns b with what is not printable as \uXXXX: b itself if all of it is.
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

func appendEscaped(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
