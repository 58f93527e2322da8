package follow

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"csmail/pkg/acquisition"
)

// stdin reads a stream that somebody else writes.
type stdin struct {
	*meter
	from io.Reader
}

var _ Source = (*stdin)(nil)

// Stdin returns a stream, compressed or not, as a source. It cannot resume. Its
// last line counts without a newline too, since the writer has closed it.
func Stdin(r io.Reader, log *slog.Logger) Source {
	s := &stdin{newMeter("stdin", log), r}
	s.setLag(-1)
	return s
}

func (*stdin) Name() string { return "stdin" }

// Follow returns nil at the end of the input.
func (s *stdin) Follow(ctx context.Context, _ Cursor, emit func(Batch) error) error {
	sources, err := acquisition.Files([]string{"-"}, s.from)
	if err != nil {
		return err
	}
	s.set(Following, nil)
	fromEmit := false
	err = sources[0].Read(ctx, func(block acquisition.Block) error {
		text := block.Text
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if block.Cut > 0 {
			s.drop(DropCut, int64(block.Cut))
		}
		now := time.Now()
		b := Batch{Source: "stdin", Text: text, Received: now, Read: now, Lag: -1}
		s.count(&b)
		err := emit(b)
		fromEmit = err != nil
		return err
	})
	switch {
	case err == nil:
		s.set(Waiting, nil)
	case !fromEmit && !errors.Is(err, context.Cause(ctx)):
		s.set(Failing, err)
	}
	return err
}
