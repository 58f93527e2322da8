package input

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// The same error is logged again when it comes back after a while, another at once.
func TestMeterSaysAnErrorOnce(t *testing.T) {
	var said bytes.Buffer
	now := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	m := NewMeter("x", slog.New(slog.NewTextHandler(&said, nil)))
	m.now = func() time.Time { return now }
	broken, full := errors.New("broken"), errors.New("full")
	for i, step := range []struct {
		after time.Duration
		err   error
		want  string
	}{
		{0, nil, ""},
		{0, broken, "source fails"},
		{time.Second, broken, ""},
		{time.Second, nil, "works again"},
		{time.Second, nil, ""},
		{time.Second, broken, ""},
		{time.Second, nil, ""},
		{time.Second, full, "source fails"},
		{sayAgain, full, ""},
		{time.Second, nil, "works again"},
		{time.Second, full, "source fails"},
	} {
		said.Reset()
		now = now.Add(step.after)
		m.Set(Following, step.err)
		if got := said.String(); step.want == "" && got != "" || !strings.Contains(got, step.want) {
			t.Errorf("step %d: said %q, want %q", i, got, step.want)
		}
		if m.Status().Err != step.err {
			t.Errorf("step %d: status %v, want %v", i, m.Status().Err, step.err)
		}
	}
}
