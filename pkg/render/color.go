package render

import (
	"strings"

	"csmail/pkg/guard"
)

// The colours, as Select Graphic Rendition of ECMA-48 has them.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	urgent = "\x1b[1;31m" // bold red
	plain  = "\x1b[0m"
)

// paint colours a text, unless the screen has no colours. The text must be printable
// already, because client text may hold colours of its own.
func (s Screen) paint(color, text string) string {
	if !s.Color || color == "" || text == "" {
		return text
	}
	return color + text + plain
}

// verdictColor returns red for bans and yellow for holds.
func verdictColor(verdict string) string {
	switch word, _, _ := strings.Cut(verdict, " "); word {
	case guard.Ban.String():
		return red
	case guard.Hold.String():
		return yellow
	}
	return ""
}
