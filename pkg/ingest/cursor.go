package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/follow"
	"csmail/pkg/hint"
)

// repeatable begins a cursor that carries more than the place: the events that
// the next line of their log may repeat.
const repeatable = "repeatable:"

// Cursor returns how far the feed was read once a batch has been parsed, for
// Resume. It is "" if the source cannot resume.
//
// Where the latest line of a log is an event, the cursor holds that event: the
// next line may say no more than that it came again.
func (f *Feed) Cursor(b follow.Batch) string {
	if b.Cursor == "" {
		return ""
	}
	latest := map[string]event.Record{}
	for name, log := range f.logs {
		if r, ok := log.repeats.Repeatable(log.line); ok {
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

// Resume takes up where Cursor left off, and returns from where the source is to
// be followed. It is called before the first Parse.
func (f *Feed) Resume(cursor string) (follow.Cursor, error) {
	rest, ok := strings.CutPrefix(cursor, repeatable)
	if !ok {
		return follow.Cursor(cursor), nil
	}
	text, at, _ := strings.Cut(rest, ":")
	packed, err := base64.StdEncoding.DecodeString(text)
	latest := map[string]event.Record{}
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(packed)).Decode(&latest)
	}
	if err != nil {
		return "", hint.Wrap(fmt.Errorf("the stored position of %s: %w", f.Source.Name(), err), "was it stored by a newer csmail?")
	}
	for name, r := range latest {
		log := f.log(name)
		log.line, log.latest = r.Line, r.Time
		log.repeats.Take(&r)
	}
	return follow.Cursor(at), nil
}
