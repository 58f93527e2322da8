package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// NewLogHandler writes one line a record. For journald the line begins with the priority
// (sd-daemon(3)) and has no time, since the journal has one. Elsewhere the line holds
// time and level.
func NewLogHandler(w io.Writer, level slog.Leveler, journald bool) slog.Handler {
	if !journald {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	h := &journalHandler{w: w, mu: new(sync.Mutex), line: new(bytes.Buffer)}
	h.text = slog.NewTextHandler(h.line, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
	return h
}

// journalHandler puts a priority before each line.
type journalHandler struct {
	w    io.Writer
	mu   *sync.Mutex // guards line and w
	line *bytes.Buffer
	text slog.Handler // writes to line
}

func (h *journalHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.text.Enabled(ctx, l)
}

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line.Reset()
	h.line.WriteString(priority(r.Level))
	if err := h.text.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.w.Write(h.line.Bytes())
	return err
}

// priority returns the syslog(3) priority of a level, in the form of sd-daemon(3).
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	own := *h
	own.text = h.text.WithAttrs(attrs)
	return &own
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	own := *h
	own.text = h.text.WithGroup(name)
	return &own
}
