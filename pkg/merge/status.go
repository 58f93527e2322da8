package merge

import "time"

// Edge describes a host, for a person.
type Edge struct {
	Name     string
	Expected bool // a member
	Heard    bool // it has sent a batch that was taken
	Ended    bool
	Waited   bool // the others wait for it if needed

	Distrusted bool // its batches are refused
	Blank      bool // see Merger.Blank

	Position Position
	Through  time.Time     // no later fact comes before it
	Silent   time.Duration // by the stream's clock
	Skew     time.Duration // its times are moved by this, since its clock is behind; negative: ahead
	Waiting  int           // facts that wait for their turn

	LateFacts uint64 // facts that came after their turn
	Gaps      uint64 // refused batches, since facts before them were missing
	Repeated  uint64 // facts that came twice
	Lost      uint64 // facts that are lost
}

// Edges returns the hosts, in the order of their names.
func (m *Merger) Edges() []Edge {
	all := make([]Edge, 0, len(m.all))
	leastLag := m.leastLag()
	for _, e := range m.all {
		all = append(all, Edge{
			Name: e.name, Expected: e.expected, Heard: e.isHeard, Ended: e.ended, Waited: m.isWaitedFor(e, leastLag), Distrusted: e.distrusted, Blank: m.IsBlank(e.name),
			Position: Position{e.epoch, e.next}, Through: e.through, Silent: m.clock.now - e.heard, Skew: e.skew.shift, Waiting: len(e.facts) - e.head,
			LateFacts: e.lateFacts, Gaps: e.gaps, Repeated: e.repeated, Lost: e.lost,
		})
	}
	return all
}
