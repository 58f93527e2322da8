package ingest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/input/file"
	"csmail/pkg/wire"
)

// repeatable begins a cursor that carries more than the place: the events that
// the next line of their log may repeat.
const repeatable = "latest:"

// readUpTo begins a cursor that says how far the source was read in terms that other
// kinds of sources share; see reach.
const readUpTo = "reach:"

// Cursor returns how far the feed was read once a batch has been parsed, for
// Resume. It is "" if the source cannot resume and no record was read.
//
// Where the latest line of a log is an event, the cursor holds that event: the
// next line may say no more than that it came again.
func (f *Feed) Cursor(b input.Batch) string {
	at := f.place(b)
	if text := f.reach.text(); text != "" {
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
	packed, err := wire.Store(func(c *wire.Stored) { encodeLatest(c, latest) })
	if err != nil {
		return string(b.Cursor) // no reader makes such a record
	}
	return repeatable + base64.StdEncoding.EncodeToString(packed) + ":" + string(b.Cursor)
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
	packed, at, err := cutPrefix(cursor, readUpTo)
	switch {
	case err != nil:
		return r, at, err
	case packed == nil:
		return splitOlderCursor(cursor)
	}
	err = wire.Load(packed, r.encode)
	return r, at, err
}

// splitRepeatable returns the events that a next line may repeat, by log, and the rest.
func splitRepeatable(at string) (latest map[string]event.Record, from input.Cursor, err error) {
	packed, place, err := cutPrefix(at, repeatable)
	switch {
	case err != nil:
		return nil, "", err
	case packed == nil:
		return splitOlderRepeatable(at)
	}
	latest = map[string]event.Record{}
	err = wire.Load(packed, func(c *wire.Stored) { encodeLatest(c, latest) })
	return latest, input.Cursor(place), err
}

// cutPrefix returns the bytes that stand in a cursor behind a prefix, and the rest of the
// cursor. Without the prefix it returns no bytes.
func cutPrefix(cursor, prefix string) (packed []byte, rest string, err error) {
	text, ok := strings.CutPrefix(cursor, prefix)
	if !ok {
		return nil, cursor, nil
	}
	text, rest, _ = strings.Cut(text, ":")
	packed, err = base64.StdEncoding.AppendDecode([]byte{}, []byte(text))
	return packed, rest, err
}

// encodeLatest takes the records that the next line of each log may repeat, by the name
// of the log.
func encodeLatest(c *wire.Stored, latest map[string]event.Record) {
	c.Begin()
	names := slices.Sorted(maps.Keys(latest))
	wire.List(&c.Codec, &names, func(name *string) {
		c.Text(name)
		r := latest[*name]
		c.Record(&r)
		c.Flow(&r)
		latest[*name] = r
	})
}
