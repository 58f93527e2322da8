package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/input/file"
)

// repeatable begins a cursor that carries more than the place: the events that
// the next line of their log may repeat.
const repeatable = "repeatable:"

// readUpTo begins a cursor that says how far the source was read in terms that other
// kinds of sources share; see reach.
const readUpTo = "read:"

// Cursor returns how far the feed was read once a batch has been parsed, for
// Resume. It is "" if the source cannot resume and no record was read.
//
// Where the latest line of a log is an event, the cursor holds that event: the
// next line may say no more than that it came again.
func (f *Feed) Cursor(b input.Batch) string {
	at := f.place(b)
	if text := f.reach.encode(); text != "" {
		return readUpTo + text + ":" + at
	}
	return at
}

// place is the part of the cursor that means something to this source only.
func (f *Feed) place(b input.Batch) string {
	if b.Cursor == "" {
		return ""
	}
	latest := map[string]event.Record{}
	for name, log := range f.logs {
		if r, ok := log.Repeatable(); ok {
			latest[name] = r
		}
	}
	if len(latest) == 0 {
		return string(b.Cursor)
	}
	var packed bytes.Buffer
	if err := gob.NewEncoder(&packed).Encode(latest); err != nil {
		return string(b.Cursor) // cannot be: no type in a Record fails
	}
	return repeatable + base64.StdEncoding.EncodeToString(packed.Bytes()) + ":" + string(b.Cursor)
}

// Resume continues at the cursor, and returns the place from which the source is to be
// followed. gone are the cursors of inputs that are no longer followed: lines that they
// had read are not counted again when they come through this source. For example, a
// configuration may have changed from a file to the journal. Resume is called before the
// first Parse.
func (f *Feed) Resume(cursor string, gone ...string) (input.Cursor, error) {
	own, at, err := splitCursor(cursor)
	if err != nil {
		return "", f.badCursor(err)
	}
	f.reach = own
	var places []input.Cursor
	for _, other := range gone {
		theirs, place, err := splitCursor(other)
		if err != nil {
			continue // an unreadable cursor of an unused source does no harm
		}
		f.before.add(theirs)
		if _, place, err := splitRepeatable(place); err == nil {
			places = append(places, place)
		}
	}
	latest, from, err := splitRepeatable(at)
	if err != nil {
		return "", f.badCursor(err)
	}
	for name, r := range latest {
		f.readerOf(name).Resume(r)
	}
	if f.Kind == "file" {
		from = file.ReadElsewhere(from, places)
	}
	return from, nil
}

func (f *Feed) badCursor(err error) error {
	return hint.Wrap(fmt.Errorf("the stored position of %s: %w", f.Input.Name(), err), "was it stored by a newer csmail?")
}

// splitCursor returns the part of a cursor that all kinds of inputs share, and the rest.
func splitCursor(cursor string) (r reach, at string, err error) {
	rest, ok := strings.CutPrefix(cursor, readUpTo)
	if !ok {
		return r, cursor, nil
	}
	text, at, _ := strings.Cut(rest, ":")
	r, err = decodeReach(text)
	return r, at, err
}

// splitRepeatable returns the events that a next line may repeat, by log, and the rest.
func splitRepeatable(at string) (latest map[string]event.Record, from input.Cursor, err error) {
	rest, ok := strings.CutPrefix(at, repeatable)
	if !ok {
		return nil, input.Cursor(at), nil
	}
	text, place, _ := strings.Cut(rest, ":")
	packed, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(packed)).Decode(&latest)
	}
	return latest, input.Cursor(place), err
}
