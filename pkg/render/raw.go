package render

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
)

// Raw prints the addresses in byte order, like sort with LC_ALL=C, for comm(1) and
// join(1). With count it prints the tries before each address, like uniq -c.
func Raw(w io.Writer, sources iter.Seq2[netip.Addr, int], count bool) error {
	var text []byte // all addresses, one after the other
	var lines []rawLine
	for addr, tries := range sources {
		from := len(text)
		text = addr.AppendTo(text)
		lines = append(lines, newRawLine(text, from, tries))
	}
	slices.SortFunc(lines, func(a, b rawLine) int { return a.compare(&b, text) })
	out := bufio.NewWriterSize(w, 1<<16)
	for i := range lines {
		if count {
			fmt.Fprintf(out, "%7d ", lines[i].tries)
		}
		out.Write(lines[i].of(text))
		out.WriteByte('\n')
	}
	return out.Flush() // which returns the first error of all that was written
}

// rawLine is an address in a text of many. Its first bytes are numbers, so that sorting a
// million addresses reads only those: an IPv4 address has no more than 15.
type rawLine struct {
	first, second uint64 // its first 16 bytes, filled up with zeros
	from, to      int    // its place in the text
	tries         int
}

func newRawLine(text []byte, from, tries int) rawLine {
	var start [16]byte
	copy(start[:], text[from:])
	return rawLine{binary.BigEndian.Uint64(start[:8]), binary.BigEndian.Uint64(start[8:]), from, len(text), tries}
}

func (l *rawLine) of(text []byte) []byte { return text[l.from:l.to] }

func (l *rawLine) compare(other *rawLine, text []byte) int {
	switch {
	case l.first != other.first:
		return cmp.Compare(l.first, other.first)
	case l.second != other.second:
		return cmp.Compare(l.second, other.second)
	}
	return bytes.Compare(l.of(text), other.of(text))
}
