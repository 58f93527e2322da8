package file

import (
	"bytes"

	"csmail/pkg/input"
)

// wholeLines is the part of the bytes behind a tail's Offset that is handed out.
type wholeLines struct {
	text string // whole lines, long ones cut
	used int    // bytes of the file that text covers
	cut  int    // lines that lost their end
	skip bool   // used ends inside a line that is too long; its rest is skipped
}

// splitLines takes the whole lines from fresh. inside says that fresh begins
// with the rest of a line that was cut.
func splitLines(fresh []byte, inside bool) wholeLines {
	w := wholeLines{skip: inside}
	if inside {
		end := bytes.IndexByte(fresh, '\n')
		if end < 0 {
			w.used = len(fresh)
			return w
		}
		w.used, w.skip = end+1, false
		fresh = fresh[end+1:]
	}
	// A writer that does not append leaves a hole of NULs after a truncation.
	holes := len(fresh) - len(bytes.TrimLeft(fresh, "\x00"))
	w.used += holes
	fresh = fresh[holes:]
	end := bytes.LastIndexByte(fresh, '\n') + 1
	text := string(fresh[:end])
	w.used += end
	if rest := fresh[end:]; len(rest) > input.MaxLine {
		text += string(rest[:input.MaxLine]) + "\n"
		w.used += len(rest)
		w.cut++
		w.skip = true
	}
	cut := 0
	w.text, cut = input.CutLongLines(text)
	w.cut += cut
	return w
}
