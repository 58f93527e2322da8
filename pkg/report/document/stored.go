package document

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/report"
)

// stored is a report as it is kept: the JSON of the contract and the attackers,
// which that prints in a form of its own.
type stored struct {
	*Document
	Sources []*report.Source `json:"sources"`
}

// Store writes a report so that Load gives it back.
func (d *Document) Store() ([]byte, error) {
	text, err := json.Marshal(stored{d, d.Attackers.List})
	if err != nil {
		return nil, fmt.Errorf("storing the report: %w", err)
	}
	return text, nil
}

// Load reads what Store wrote, for a reader in a zone of the given name and made at
// the given time.
func Load(text []byte, zone *time.Location, generated time.Time) (*Document, error) {
	s := stored{Document: &Document{}}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("reading a stored report: %w", err)
	}
	if s.Document == nil || s.Version != Version {
		return nil, fmt.Errorf("a stored report is of another version")
	}
	d := s.Document
	d.Attackers.List = s.Sources
	d.zone, d.Generated, d.From, d.To = zone, generated, d.From.In(zone), d.To.In(zone)
	return d, nil
}

// Locate adds country and network operator to the addresses of a report.
func (d *Document) Locate(place func(netip.Addr) (country, as string)) {
	for _, list := range []*Verdicts{&d.Bans, &d.Holds, &d.Alerts} {
		list.locate(place)
	}
	for _, s := range d.Attackers.List {
		s.Country, s.AS = place(s.Addr)
	}
}

// Figures returns what the report's day came to, to compare other days with.
func (d *Document) Figures() Day {
	return Day{d.From.Format(time.DateOnly), d.Received, d.Delivered, d.Deferred, d.Bounced, d.Rejected, d.Logins.Failed, d.Logins.OK}
}
