package file

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"csmail/pkg/input"
	"csmail/pkg/input/archive"
)

// stdin reads a stream that another process writes.
type stdin struct {
	*input.Meter
	from io.Reader
}

var _ input.Input = (*stdin)(nil)

// Stdin returns a stream, compressed or not, as an input. It cannot resume. Its
// last line counts without a newline too, since the writer has closed it.
func Stdin(r io.Reader, log *slog.Logger) input.Input {
	s := &stdin{input.NewMeter("stdin", log), r}
	s.SetLag(-1)
	return s
}

func (*stdin) Name() string { return "stdin" }

// Follow returns nil at the end of the input.
func (s *stdin) Follow(ctx context.Context, _ input.Cursor, emit func(input.Batch) error) error {
	sources, err := archive.Files([]string{"-"}, s.from)
	if err != nil {
		return err
	}
	s.Set(input.Following, nil)
	fromEmit := false
	err = sources[0].Read(ctx, func(block archive.Block) error {
		text := block.Text
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if block.Cut > 0 {
			s.Drop(input.DropCut, int64(block.Cut))
		}
		now := time.Now()
		b := input.Batch{Log: "stdin", Text: text, Received: now, Read: now, Lag: -1}
		s.Count(&b)
		err := emit(b)
		fromEmit = err != nil
		return err
	})
	switch {
	case err == nil:
		s.Set(input.Waiting, nil)
	case !fromEmit && !errors.Is(err, context.Cause(ctx)):
		s.Set(input.Failing, err)
	}
	return err
}
