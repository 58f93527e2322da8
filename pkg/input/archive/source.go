// Package archive reads finished logs: files, plain or compressed with gzip, bzip2, xz or
// zstd, standard input, and the journal by journalctl(1). It hands them out in blocks of
// whole lines, so that parsing can run on all cores.
//
// It does not interpret lines, and keeps no more than a block of any source in memory. A
// source that breaks off is an error, never a short log. For example, a gzip file with a
// damaged end fails, although its first lines could be read.
package archive

import (
	"context"
	"time"
)

// Block is a run of whole lines of one source, in order.
type Block struct {
	Text     string    // the lines with their newlines; the last of a source may lack its own
	First    int64     // 1-based number of the first line
	Received time.Time // when the last line came to be: dates headers without a year
	Read     time.Time // when the block was read: no line is younger
	Cut      int       // lines that were longer than input.MaxLine and lost their end
	Consumed int64     // bytes of the source, as stored, that are used up

	buffer []byte        // memory of Text, if the source reuses it
	spare  chan<- []byte // takes it back
}

// Release returns the memory of the Text, so that the source can write the next block
// into it. Copy every part that you keep before the call. A block that is never released
// is left to the garbage collector.
func (b *Block) Release() {
	if b.buffer == nil {
		return
	}
	select {
	case b.spare <- b.buffer:
	default:
	}
	b.buffer, b.Text = nil, ""
}

// Input is a log that can be read once, from its start to its end.
type Input interface {
	// Name is the input's name in messages.
	Name() string
	// Size is the final value of Consumed, or -1 if it is unknown.
	Size() int64
	// Read calls yield for each block in order, and stops at the first error of
	// yield or of ctx.
	Read(ctx context.Context, yield func(Block) error) error
}
