package render

import (
	"fmt"
	"io"
	"time"
)

const (
	meterDelay = time.Second
	meterStep  = 200 * time.Millisecond
)

// Meter shows progress on a terminal once work takes longer than a second. Use
// it from one goroutine at a time.
type Meter struct {
	w           io.Writer
	now         func() time.Time
	start, last time.Time
	shown       bool
}

// NewMeter starts the clock.
func NewMeter(w io.Writer, now func() time.Time) *Meter {
	t := now()
	return &Meter{w: w, now: now, start: t, last: t}
}

// Show prints how many of total bytes are done. A total of -1 is unknown.
func (m *Meter) Show(done, total int64) {
	t := m.now()
	if t.Sub(m.start) < meterDelay || t.Sub(m.last) < meterStep {
		return
	}
	m.last, m.shown = t, true
	if total > 0 {
		fmt.Fprintf(m.w, "\r%3d %% of %d MB read ", min(100, done*100/total), total>>20)
		return
	}
	fmt.Fprintf(m.w, "\r%d MB read ", done>>20)
}

// Clear removes the line.
func (m *Meter) Clear() {
	if m.shown {
		fmt.Fprint(m.w, "\r\033[K")
	}
}
