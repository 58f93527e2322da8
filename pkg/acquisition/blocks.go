package acquisition

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	// blockSize is large enough that the work per block does not show, and
	// small enough that the blocks under way stay in the processor's cache.
	blockSize = 256 << 10
	// MaxLine bounds a line in bytes. Postfix cuts its messages at 2000 bytes
	// (MSG_SYSLOG_RECLEN) and journald its fields at 48 KiB.
	MaxLine = 64 << 10
)

// blocks cuts a stream into blocks at line borders.
type blocks struct {
	from     io.Reader
	received func() time.Time
	now      func() time.Time
	consumed func() int64

	buffer   []byte
	kept     int   // bytes at the start of buffer that no block has held yet
	line     int64 // number of the line that buffer starts with
	skipping bool  // the tail of a line that was too long
	cut      int
}

// each reads to the end and yields the blocks.
func (b *blocks) each(ctx context.Context, yield func(Block) error) error {
	b.buffer = make([]byte, blockSize)
	b.line = 1
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := b.from.Read(b.buffer[b.kept:])
		fresh := b.dropTail(b.buffer[b.kept : b.kept+n])
		b.kept += fresh
		if yieldErr := b.flush(err != nil, yield); yieldErr != nil {
			return yieldErr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// dropTail removes the rest of a line that was cut from the bytes just read and
// returns how many are left.
func (b *blocks) dropTail(fresh []byte) int {
	if !b.skipping {
		return len(fresh)
	}
	end := bytes.IndexByte(fresh, '\n')
	if end < 0 {
		return 0
	}
	b.skipping = false
	return copy(fresh, fresh[end+1:])
}

// flush yields the whole lines in the buffer, all of it at the end.
func (b *blocks) flush(atEnd bool, yield func(Block) error) error {
	text := b.buffer[:b.kept]
	end := bytes.LastIndexByte(text, '\n') + 1
	rest := text[end:]
	whole := string(text[:end])
	switch {
	case len(rest) > MaxLine:
		whole += string(rest[:MaxLine]) + "\n"
		b.skipping = true
		b.cut++
		rest = nil
	case atEnd:
		whole += string(rest)
		rest = nil
	}
	b.kept = copy(b.buffer, rest)
	if whole == "" {
		return nil
	}
	whole, cut := cutLongLines(whole)
	block := Block{Text: whole, First: b.line, Received: b.received(), Read: b.now(), Cut: b.cut + cut, Consumed: b.consumed()}
	b.cut = 0
	b.line += countLines(whole)
	return yield(block)
}

// cutLongLines shortens the lines that are whole in the buffer and too long all
// the same.
func cutLongLines(text string) (string, int) {
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
	if cut == 0 {
		return text, 0
	}
	out.WriteString(text[done:])
	return out.String(), cut
}

func countLines(text string) int64 {
	n := int64(strings.Count(text, "\n"))
	if !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}
