package acquisition

import (
	"context"
	"io"
	"time"
)

// input is standard input.
type input struct{ from io.Reader }

var _ Source = (*input)(nil)

func (*input) Name() string { return "stdin" }
func (*input) Size() int64  { return -1 }

// Read ends with ctx even while nobody writes to stdin.
func (i *input) Read(ctx context.Context, yield func(Block) error) error {
	return readStream(ctx, "stdin", interruptible(ctx, i.from), time.Now(), yield)
}

// interruptible reads in a goroutine of its own, which a read that never comes
// back outlives; the process ends then anyway.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	pipeOut, pipeIn := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(pipeIn, r, make([]byte, blockSize))
		pipeIn.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { pipeIn.CloseWithError(context.Cause(ctx)) })
	return pipeOut
}
