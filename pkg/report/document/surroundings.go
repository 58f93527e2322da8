package document

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/report"
)

// Surroundings are the parts of a report that the lines of its window do not hold.
type Surroundings struct {
	Since      time.Time `json:"since"` // the borders of the window
	Until      time.Time `json:"until"`
	Before     []Day     `json:"before,omitempty"`   // the days before it
	Findings   []Finding `json:"findings,omitempty"` // made elsewhere, for example about alerts that wait for the LAPI
	Habits     Habits    `json:"habits"`
	Unfinished int       `json:"unfinished,omitempty"` // mails that were begun and would not be completed if the log ended now
}

// Store writes the surroundings for Maker.Make.
func (s Surroundings) Store() ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("storing what is around a report: %w", err)
	}
	return text, nil
}

// Maker describes how a report is made from stored data.
type Maker struct {
	Generated time.Time
	Zone      *time.Location
	ZoneName  string
	Place     func(netip.Addr) (country, as string) // nil: nothing is known of places
}

// Make makes the report of an encoded window and its stored surroundings.
func (m Maker) Make(window, around []byte) (*Document, error) {
	var s Surroundings
	if err := json.Unmarshal(around, &s); err != nil {
		return nil, fmt.Errorf("reading what is around a report: %w", err)
	}
	w, err := DecodeWindow(report.Scope{Since: s.Since, Until: s.Until}, window)
	if err != nil {
		return nil, err
	}
	return m.Of(w, s), nil
}

// Of makes the report of a window.
func (m Maker) Of(w *Window, s Surroundings) *Document {
	in := w.Input()
	in.Generated, in.Zone, in.ZoneName, in.Place = m.Generated, m.Zone, m.ZoneName, m.Place
	in.Before, in.Others, in.Habits = s.Before, s.Findings, s.Habits
	in.From, in.To, in.Bounded = s.Since, s.Until, true
	in.Figures.NotCompleted += s.Unfinished
	if m.Place != nil {
		for _, source := range in.Sources {
			source.Country, source.AS = m.Place(source.Addr)
		}
	}
	return New(in)
}
