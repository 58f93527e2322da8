package archive

import (
	"context"
	"io"
	"time"
)

// stdin is standard input.
type stdin struct{ from io.Reader }

var _ Input = (*stdin)(nil)

func (*stdin) Name() string { return "stdin" }
func (*stdin) Size() int64  { return -1 }

// Read ends with ctx even while stdin is silent.
func (i *stdin) Read(ctx context.Context, yield func(Block) error) error {
	return readStream(ctx, "stdin", interruptible(ctx, func() (io.ReadCloser, error) { return io.NopCloser(i.from), nil }), time.Now(), yield)
}

// interruptible opens and reads in a goroutine of its own, because an open of a FIFO
// blocks until it has a writer. If a call never returns, the goroutine stays; the
// process is about to end then.
func interruptible(ctx context.Context, open func() (io.ReadCloser, error)) io.Reader {
	pipeOut, pipeIn := io.Pipe()
	go func() {
		r, err := open()
		if err == nil {
			_, err = io.CopyBuffer(pipeIn, r, make([]byte, blockSize))
			r.Close()
		}
		pipeIn.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { pipeIn.CloseWithError(context.Cause(ctx)) })
	return pipeOut
}
