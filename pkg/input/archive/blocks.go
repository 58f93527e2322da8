package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"
	"unsafe"

	"csmail/pkg/input"
)

const (
	// blockSize is large enough that the work per block does not show, and
	// small enough that the blocks under way stay in the processor's cache.
	blockSize = 256 << 10
	// maxSpare is more than the blocks that a reader has under way at a time.
	maxSpare = 16
)

// blocks cuts a stream into blocks at line borders.
type blocks struct {
	from     io.Reader
	received func() time.Time
	now      func() time.Time
	consumed func() int64

	buffer   []byte
	spare    chan []byte // buffers of blocks that were released
	kept     int         // bytes at the start of buffer that no block has held yet
	line     int64       // number of the line that buffer starts with
	skipping bool        // the tail of a line that was too long
	cut      int
}

// each reads to the end and yields the blocks.
func (b *blocks) each(ctx context.Context, yield func(Block) error) error {
	b.spare = make(chan []byte, maxSpare)
	b.buffer = b.newBuffer()
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
	end := bytes.LastIndexByte(b.buffer[:b.kept], '\n') + 1
	if atEnd && b.kept-end <= input.MaxLine {
		end = b.kept
	}
	whole, owned := b.take(end)
	if b.kept > input.MaxLine {
		whole += string(b.buffer[:input.MaxLine]) + "\n"
		b.skipping = true
		b.cut++
		b.kept = 0
	}
	if whole == "" {
		return nil
	}
	whole, cut := input.CutLongLines(whole)
	block := Block{Text: whole, First: b.line, Received: b.received(), Read: b.now(), Cut: b.cut + cut, Consumed: b.consumed()}
	if owned != nil {
		block.buffer, block.spare = owned, b.spare
	}
	b.cut = 0
	b.line += countLines(whole)
	return yield(block)
}

// take removes the first bytes of the buffer and returns them. If they are most
// of it, they are not copied: the buffer becomes the text and the block's, and the
// rest moves to another one.
func (b *blocks) take(end int) (text string, owned []byte) {
	if end == 0 {
		return "", nil
	}
	rest := b.buffer[end:b.kept]
	if end < len(b.buffer)/2 {
		text := string(b.buffer[:end])
		b.kept = copy(b.buffer, rest)
		return text, nil
	}
	owned = b.buffer
	b.buffer = b.newBuffer()
	b.kept = copy(b.buffer, rest)
	return unsafe.String(&owned[0], end), owned
}

func (b *blocks) newBuffer() []byte {
	select {
	case used := <-b.spare:
		return used
	default:
		return make([]byte, blockSize)
	}
}

func countLines(text string) int64 {
	n := int64(strings.Count(text, "\n"))
	if !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}
