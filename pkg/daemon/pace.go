package daemon

import "time"

// The limits of a batch. A batch with an alert is stored at once.
const (
	firstCommit = 50 * time.Millisecond
	commitEvery = 2 * time.Second
	maxBatch    = 5_000   // records
	maxText     = 1 << 20 // bytes of lines; with the records they are five times as much memory
)

// pace is how long a batch may wait for its commit. It begins short and doubles, so that
// a daemon that is killed soon after each start makes progress, and one that keeps
// running writes seldom.
type pace struct{ wait time.Duration }

func (p *pace) next() time.Duration { return max(p.wait, firstCommit) }

func (p *pace) committed() { p.wait = min(2*p.next(), commitEvery) }
