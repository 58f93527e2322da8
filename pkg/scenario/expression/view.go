package expression

import (
	"time"

	"csmail/pkg/event"
)

// Evt is "evt" of an expression: the parts of CrowdSec's pipeline.Event (v1.7.8)
// that a mail or ssh scenario reads. Enriched and Unmarshaled stay empty.
type Evt struct {
	Meta        map[string]string
	Parsed      map[string]string
	Enriched    map[string]string
	Unmarshaled map[string]any
	Line        Line
	Time        time.Time
	StrTime     string

	MarshaledTime string
	Stage         string
	Process       bool
	Whitelisted   bool
}

// Line is "evt.Line".
type Line struct {
	Raw    string // the message; csmail keeps no syslog header
	Src    string
	Module string
	Labels map[string]string
	Time   time.Time
}

// GetMeta returns evt.Meta[key].
func (e *Evt) GetMeta(key string) string { return e.Meta[key] }

// GetType returns "log": csmail feeds no overflow back into scenarios.
func (e *Evt) GetType() string { return "log" }

// View returns the event as expressions see it in evt.Meta and evt.Parsed: the fields of
// csmail, and those that the parsers of CrowdSec's hub would set for the same line. Both
// hold text of the event and no empty values.
func View(e *event.Event) (meta, parsed map[string]string) {
	in := Input{Event: e, Shape: ShapeOf(e)}
	return in.fields(metaFields), in.fields(parsedFields)
}

// fields reads the fields of a table that have a value.
func (in *Input) fields(table map[string]Field) map[string]string {
	values := make(map[string]string, len(table))
	for name, f := range table {
		if value := f.read(in); value != "" {
			values[name] = value
		}
	}
	return values
}

// Evt returns the whole view, built once an Input. All callers share it.
func (in *Input) Evt() *Evt {
	if in.view != nil {
		return in.view
	}
	stamp := in.Event.Time.UTC().Format(time.RFC3339Nano)
	in.view = &Evt{
		Meta: in.fields(metaFields), Parsed: in.fields(parsedFields),
		Enriched: map[string]string{}, Unmarshaled: map[string]any{},
		Line: Line{Raw: in.Event.Message, Module: "csmail", Labels: map[string]string{"type": "syslog"}, Time: in.Event.Time},
		Time: in.Event.Time, StrTime: stamp, MarshaledTime: stamp, Stage: "s02-enrich", Process: true,
	}
	return in.view
}
