package ingest

import (
	"bytes"
	"encoding/gob"

	"csmail/pkg/event"
	"csmail/pkg/input"
)

// The beginnings of cursors of csmail up to November 2026, whose bytes were encoded by
// encoding/gob.
const (
	olderRepeatable = "repeatable:"
	olderReadUpTo   = "read:"
)

// splitOlderCursor does the work of splitCursor for the cursor of an older csmail.
func splitOlderCursor(cursor string) (r reach, at string, err error) {
	packed, at, err := cutPrefix(cursor, olderReadUpTo)
	if packed != nil && err == nil {
		err = gob.NewDecoder(bytes.NewReader(packed)).Decode(&r)
	}
	return r, at, err
}

// splitOlderRepeatable does the work of splitRepeatable for the cursor of an older csmail.
func splitOlderRepeatable(at string) (latest map[string]event.Record, from input.Cursor, err error) {
	packed, place, err := cutPrefix(at, olderRepeatable)
	if packed != nil && err == nil {
		err = gob.NewDecoder(bytes.NewReader(packed)).Decode(&latest)
	}
	return latest, input.Cursor(place), err
}
