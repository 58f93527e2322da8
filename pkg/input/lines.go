package input

import "strings"

// MaxLine bounds a line in bytes. Postfix cuts its messages at 2000 bytes
// (MSG_SYSLOG_RECLEN) and journald its fields at 48 KiB.
const MaxLine = 64 << 10

// CutLongLines shortens each line of text that is longer than [MaxLine], and
// returns how many lines that were.
func CutLongLines(text string) (string, int) {
	if !hasLongLine(text) {
		return text, 0
	}
	var out strings.Builder
	cut, done := 0, 0 // text[:done] is in out, or was cut
	for at := 0; at < len(text); {
		length := strings.IndexByte(text[at:], '\n')
		if length < 0 {
			length = len(text) - at
		}
		if length > MaxLine {
			out.WriteString(text[done : at+MaxLine])
			done = at + length
			cut++
		}
		at += length + 1
	}
	out.WriteString(text[done:])
	return out.String(), cut
}

// hasLongLine looks from line to line in steps of almost MaxLine.
func hasLongLine(text string) bool {
	for len(text) > MaxLine {
		end := strings.LastIndexByte(text[:MaxLine+1], '\n')
		if end < 0 {
			return true
		}
		text = text[end+1:]
	}
	return false
}
