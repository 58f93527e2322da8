package document

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"time"

	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// windowVersion changes when an older csmail would misread the output of Encode. A new
// field does not change it, because gob leaves out fields that one side does not know.
const windowVersion = 1

// errWindow is the encoding of another release, or none.
var errWindow = errors.New("the figures are damaged or of another version")

// windowState is a Window in a form that encoding/gob keeps. It is gob, which keeps
// texts byte for byte, because two names that differ in a broken byte are two names.
type windowState struct {
	Version       int
	Figures       *daily.Figures
	Sources       report.CollectorState
	Watch         watchState
	Prevented     int
	Collateral    []report.Collateral
	Hosts         map[string]bool
	First, Last   time.Time
	Lines, Missed int64
}

// Encode returns the window as bytes, for DecodeWindow. The scope is not among them.
func (w *Window) Encode() ([]byte, error) {
	state := windowState{
		windowVersion, w.Figures, w.sources.State(), w.watch.state(), w.prevented, w.collateral, w.hosts, w.first, w.last, w.Lines, w.Missed,
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return nil, fmt.Errorf("encoding the figures: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeWindow reads the output of Encode.
func DecodeWindow(scope report.Scope, text []byte) (*Window, error) {
	w := NewWindow(scope)
	var state windowState
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&state); err != nil {
		return nil, fmt.Errorf("%w: %w", errWindow, err)
	}
	if state.Version != windowVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", errWindow, state.Version, windowVersion)
	}
	if state.Figures != nil {
		w.Figures.Merge(state.Figures)
	}
	w.sources.Merge(state.Sources)
	w.watch = restoreWatch(scope.Holds, state.Watch)
	w.hosts, w.first, w.last, w.Lines, w.Missed = filled(state.Hosts), state.First, state.Last, state.Lines, state.Missed
	w.prevented, w.collateral = state.Prevented, state.Collateral
	return w, nil
}

// MergeWindows decodes windows and merges them in the given order.
func MergeWindows(scope report.Scope, parts ...[]byte) (*Window, error) {
	sum := NewWindow(scope)
	for _, part := range parts {
		w, err := DecodeWindow(scope, part)
		if err != nil {
			return nil, err
		}
		sum.Merge(w)
	}
	return sum, nil
}
