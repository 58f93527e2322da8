package document

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"time"

	"csmail/pkg/report"
	"csmail/pkg/report/daily"
	"csmail/pkg/wire"
)

// An encoded window is windowMark, and frames with its entries. Its kinds of entries have
// numbers that never change their meaning; a reader refuses those that it does not know.
// Older releases encoded windows by encoding/gob, which never begins with a 0.
var windowMark = []byte{0, 'w', 2}

// gobVersion is the version of windows in the form of encoding/gob.
const gobVersion = 1

// errWindow is the encoding of another release, or none.
var errWindow = errors.New("the figures are damaged or of another version")

// windowState is a Window as older releases encoded it.
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
func (w *Window) Encode() []byte {
	// The hour of a flood is megabytes: one text that grows would be copied again and again.
	pieces := [][]byte{windowMark}
	frames := wire.NewFrames(func(part []byte) { pieces = append(pieces, bytes.Clone(part)) })
	w.write(frames)
	writeEnd(frames)
	return slices.Concat(pieces...)
}

// DecodeWindow reads the output of Encode.
func DecodeWindow(scope report.Scope, text []byte) (*Window, error) {
	w := NewWindow(scope)
	if err := w.add(text); err != nil {
		return nil, err
	}
	return w, nil
}

// add adds an encoded window.
func (w *Window) add(text []byte) error {
	frames, ok := bytes.CutPrefix(text, windowMark)
	if !ok {
		return w.addGob(text)
	}
	next, err := wire.Whole(frames)()
	if err != nil {
		return err
	}
	read := w.reader()
	if err := readToEnd(next, func(kind uint8, c *wire.Codec) { read(kind, c) }); err != nil {
		return fmt.Errorf("%w: %w", errWindow, err)
	}
	return nil
}

// addGob adds a window that an older release encoded.
func (w *Window) addGob(text []byte) error {
	var state windowState
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&state); err != nil {
		return fmt.Errorf("%w: %w", errWindow, err)
	}
	if state.Version != gobVersion {
		return fmt.Errorf("%w: version %d, want %d", errWindow, state.Version, gobVersion)
	}
	old := NewWindow(w.Scope)
	if state.Figures != nil {
		old.Figures.Merge(state.Figures)
	}
	old.sources.Merge(state.Sources)
	old.watch = restoreWatch(w.Scope.Holds, state.Watch)
	old.hosts, old.first, old.last, old.Lines, old.Missed = filled(state.Hosts), state.First, state.Last, state.Lines, state.Missed
	old.prevented, old.collateral = state.Prevented, state.Collateral
	w.Merge(old)
	return nil
}

// MergeWindows decodes windows and merges them in the given order.
func MergeWindows(scope report.Scope, parts ...[]byte) (*Window, error) {
	sum := NewWindow(scope)
	for _, part := range parts {
		if err := sum.add(part); err != nil {
			return nil, err
		}
	}
	return sum, nil
}
