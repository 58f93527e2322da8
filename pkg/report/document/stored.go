package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/report"
)

// The data of a day that is over has one of two forms: its sums, since hours are stored,
// so that a report need not read seven days of hours; or, in older files, its finished
// report.

// sumVersion is the version of the first of them; the other has that of the report.
const sumVersion = 2

// dayState is the stored form of a day.
type dayState struct {
	Version int `json:"version"`
	Sum     Day `json:"sum"`
}

// errDay means that the data is not that of a day.
var errDay = errors.New("a stored day is damaged or of another version")

// StoreDay encodes the sums of a day, for LoadDay.
func StoreDay(day Day) ([]byte, error) {
	text, err := json.Marshal(dayState{sumVersion, day})
	if err != nil {
		return nil, fmt.Errorf("storing the day: %w", err)
	}
	return text, nil
}

// LoadDay reads the data of a day in either form.
func LoadDay(text []byte, zone *time.Location) (Day, error) {
	var state dayState
	if err := json.Unmarshal(text, &state); err != nil {
		return Day{}, fmt.Errorf("%w: %w", errDay, err)
	}
	switch state.Version {
	case sumVersion:
		return state.Sum, nil
	case Version:
		d, err := Load(text, zone, time.Time{})
		if err != nil {
			return Day{}, err
		}
		return Day{d.From.Format(time.DateOnly), d.Received, d.Delivered, d.Deferred, d.Bounced, d.Rejected, d.Logins.Failed, d.Logins.OK}, nil
	}
	return Day{}, fmt.Errorf("%w: version %d", errDay, state.Version)
}

// IsFinished reports whether the data of a day is a finished report.
func IsFinished(text []byte) bool {
	var state dayState
	return json.Unmarshal(text, &state) == nil && state.Version == Version
}

// finished is a report as older releases stored it: the JSON of the contract and the
// attackers, which that prints in a form of its own.
type finished struct {
	*Document
	Sources []*report.Source `json:"sources"`
}

// Load reads a finished report, for a reader in a zone and made at the given time.
func Load(text []byte, zone *time.Location, generated time.Time) (*Document, error) {
	s := finished{Document: &Document{}}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", errDay, err)
	}
	if s.Document == nil || s.Version != Version {
		return nil, errDay
	}
	d := s.Document
	d.Attackers.List = s.Sources
	d.zone, d.Generated, d.From, d.To = zone, generated, d.From.In(zone), d.To.In(zone)
	return d, nil
}

// Locate adds country and network operator to the addresses of a finished report.
func (d *Document) Locate(place func(netip.Addr) (country, as string)) {
	for _, list := range []*Verdicts{&d.Bans, &d.Holds, &d.Alerts} {
		list.locate(place)
	}
	for _, s := range d.Attackers.List {
		s.Country, s.AS = place(s.Addr)
	}
}
