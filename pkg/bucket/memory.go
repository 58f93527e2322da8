package bucket

import (
	"csmail/pkg/arena"
	"csmail/pkg/scenario"
)

// memory holds the groups, their buckets and their evidence, in bounded tables without
// pointers. It knows no event that is being poured.
type memory struct {
	details
	set     *scenario.Set
	groups  *groups
	buckets arena.Blocks[bucket]
	ring    ring   // the text of the newest events
	open    int    // buckets
	cursor  uint32 // of the sweep
	hand    uint32 // of the search for a source that may be forgotten
	now     int64  // the latest time that was seen
	pours   uint64 // number of the pour
	stats   Stats
}
