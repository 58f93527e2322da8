package guard

import "csmail/pkg/event"

// WarmBatch is how many records Warm takes at a time.
const WarmBatch = 16

// Warm reads what Observe will read for the next records, and changes nothing: in a
// flood each concerns another source, and the processor waits for the memory of all of
// them at once instead of one after the other.
func (g *Guard) Warm(records []*event.Record) {
	var numbers [WarmBatch]uint32
	records = records[:min(len(records), WarmBatch)]
	for i, r := range records {
		if r.Addr.IsValid() {
			numbers[i], _ = g.memory.index.First(g.memory.hash(keyOf(r.Addr)))
		}
	}
	for _, n := range numbers[:len(records)] {
		if n == 0 {
			continue
		}
		if offences := g.memory.offencesOf(g.memory.table.At(n)); len(offences) > 0 {
			g.memory.warmed += offences[len(offences)-1].at
		}
	}
}
