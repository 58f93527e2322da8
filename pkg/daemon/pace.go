package daemon

import "time"

// The measures of a commit. One that an alert hurries waits for nothing.
const (
	firstCommit = 50 * time.Millisecond
	commitEvery = 2 * time.Second
	maxBatch    = 20_000  // records
	maxText     = 4 << 20 // bytes of lines
)

// pace says how long what was read may wait for its commit. It begins short and
// doubles, so that a daemon that is killed soon after each start gets on all the
// same, and one that lives writes seldom.
type pace struct{ wait time.Duration }

func (p *pace) next() time.Duration { return max(p.wait, firstCommit) }

func (p *pace) committed() { p.wait = min(2*p.next(), commitEvery) }
