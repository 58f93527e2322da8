package render

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
)

// Raw prints so many addresses in byte order, like sort with LC_ALL=C, for comm(1) and
// join(1). With count it prints the tries before each address, like uniq -c.
func Raw(w io.Writer, sources iter.Seq2[netip.Addr, int], number int, count bool) error {
	const usual = 16                      // bytes of an address
	text := make([]byte, 0, number*usual) // all addresses, one after the other
	lines := make([]rawLine, 0, 2*number) // half of it is room to sort in
	for addr, tries := range sources {
		from := len(text)
		text = addr.AppendTo(text)
		lines = append(lines, newRawLine(text, from, tries))
	}
	out := bufio.NewWriterSize(w, 1<<16)
	for _, line := range sortLines(lines, text) {
		if count {
			fmt.Fprintf(out, "%7d ", line.tries)
		}
		out.Write(line.of(text))
		out.WriteByte('\n')
	}
	return out.Flush() // which returns the first error of all that was written
}

// rawLine is an address in a text of many. Its first bytes are numbers, so that sorting a
// million addresses reads only those: an IPv4 address has no more than 15.
type rawLine struct {
	first, second uint64 // its first 16 bytes, filled up with zeros
	place         uint64 // in the text: where it begins, and in the last 8 bits its length
	tries         int
}

func newRawLine(text []byte, from, tries int) rawLine {
	var start [16]byte
	copy(start[:], text[from:])
	place := uint64(from)<<8 | uint64(len(text)-from)
	return rawLine{binary.BigEndian.Uint64(start[:8]), binary.BigEndian.Uint64(start[8:]), place, tries}
}

func (l *rawLine) of(text []byte) []byte { return text[l.place>>8:][:l.place&255] }

// byteAt returns the n-th of the first 16 bytes.
func (l *rawLine) byteAt(n int) byte {
	if n < 8 {
		return byte(l.first >> (56 - 8*n))
	}
	return byte(l.second >> (120 - 8*n))
}

// sortLines returns the lines in byte order, which may lie in the room behind them. It is
// a radix sort over the first 16 bytes, which passes over those that are the same in all
// lines, like "2001:db8:". A scan of a flood waits for it at the end: with half a million
// addresses, slices.SortFunc took a tenth of all its processor time.
func sortLines(lines []rawLine, text []byte) []rawLine {
	room := lines[len(lines):][: 0 : cap(lines)-len(lines)]
	room = slices.Grow(room, len(lines))[:len(lines)]
	for n := 15; n >= 0; n-- {
		var places [256]int // of the next line with a byte
		for i := range lines {
			places[lines[i].byteAt(n)]++
		}
		if len(lines) == 0 || places[lines[0].byteAt(n)] == len(lines) {
			continue
		}
		sum := 0
		for i, count := range places {
			places[i], sum = sum, sum+count
		}
		for i := range lines {
			b := lines[i].byteAt(n)
			room[places[b]] = lines[i]
			places[b]++
		}
		lines, room = room, lines
	}
	sortAlike(lines, text)
	return lines
}

// sortAlike sorts the neighbours whose first 16 bytes are the same by the rest.
func sortAlike(lines []rawLine, text []byte) {
	for from := 0; from < len(lines); {
		to := from + 1
		for to < len(lines) && lines[to].first == lines[from].first && lines[to].second == lines[from].second {
			to++
		}
		if to > from+1 {
			slices.SortFunc(lines[from:to], func(a, b rawLine) int { return bytes.Compare(a.of(text), b.of(text)) })
		}
		from = to
	}
}
