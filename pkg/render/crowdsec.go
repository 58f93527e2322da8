package render

import (
	"encoding/json"
	"io"
	"time"

	"csmail/pkg/event"
)

// crowdSecEvent is one event in the form that the parser csmail/csmail-events reads
// (parsers/s01-parse/csmail/csmail-events.yaml). The parser depends on the names.
type crowdSecEvent struct {
	Time   time.Time         `json:"time"` // RFC 3339 with fractions of a second, in UTC
	Meta   map[string]string `json:"meta"`
	Parsed map[string]string `json:"parsed"`
}

// CrowdSecEvent writes e as one line of JSON for a CrowdSec agent with csmail's parser:
// meta and parsed become evt.Meta and evt.Parsed. CrowdSec counts one event a line, so
// the caller writes an event of several attempts once for each. Bytes that are not UTF-8
// become U+FFFD, because JSON has no other bytes. The line is written in one call.
func CrowdSecEvent(w io.Writer, e *event.Event, meta, parsed map[string]string) error {
	encoder := json.NewEncoder(plainJSON{w})
	encoder.SetEscapeHTML(false)
	line := crowdSecEvent{Time: e.Time.UTC(), Meta: meta, Parsed: parsed}
	if line.Meta == nil {
		line.Meta = map[string]string{} // the parser reads an object, never null
	}
	if line.Parsed == nil {
		line.Parsed = map[string]string{}
	}
	return encoder.Encode(line)
}
