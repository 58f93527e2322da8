package report

import (
	"time"

	"csmail/pkg/engine"
)

// The bounds of a Collector that is bounded. Attackers choose how many addresses they
// come from, so a day of a flood must not fill the memory.
const (
	maxSources  = 100_000
	maxNames    = 300_000 // of all sources together
	maxNameText = 3 << 20 // bytes of them
	maxFindings = 100_000 // scenarios and values
)

// Others are the sources and findings that found no room in a bounded Collector.
type Others struct {
	Attempts int `json:"attempts"` // of hostile and suspect kinds
	Findings int `json:"findings"` // counted as often as they came
}

// NewBoundedCollector returns an empty Collector with at most 100,000 sources and as many
// findings. Those that find no room are summed up in Others. It has rows of sources only:
// Findings returns none.
func NewBoundedCollector(scope Scope) *Collector {
	c := NewCollector(scope)
	c.bounded, c.findings.brief = true, true
	return c
}

// Others sums up what found no room.
func (c *Collector) Others() Others { return c.others }

func (c *Collector) addOthers(more Others) {
	c.others.Attempts += more.Attempts
	c.others.Findings += more.Findings
}

// hasRoom reports whether there is room for another source.
func (c *Collector) hasRoom() bool { return !c.bounded || c.sources.len() < maxSources }

// addFinding merges a finding into those of its value, or counts it where there is no room.
func (c *Collector) addFinding(f *engine.Finding, since time.Time) {
	if c.bounded && len(c.findings.order) >= maxFindings && c.findings.byKey[keyOf(f.Alert)] == nil {
		c.others.Findings++
		return
	}
	c.findings.add(f, since)
}

// nameUserOf keeps a name that a source tried, as far as there is room.
func (c *Collector) nameUserOf(s *Source, name string) {
	if name == "" || c.bounded && (c.names >= maxNames || c.nameText >= maxNameText) {
		return
	}
	before := len(s.Users)
	if s.nameUser(name); len(s.Users) > before {
		c.names++
		c.nameText += len(s.Users[before])
	}
}

// forgetNames makes room for as many names as a source has that is dropped.
func (c *Collector) forgetNames(s *Source) {
	c.names -= len(s.Users)
	for _, name := range s.Users {
		c.nameText -= len(name)
	}
}
