package bucket

import "csmail/pkg/event"

// WarmBatch is how many records Warm takes at a time: as many as a processor waits for
// in parallel.
const WarmBatch = 16

// Warm reads what the next pours will read, and changes nothing. In a flood each line
// concerns other groups, which lie anywhere in hundreds of megabytes. A pour needs their
// places one after the other (the index, the group, its buckets, what they have seen)
// and waits for the main memory at each. Warm reads the places of up to WarmBatch
// records side by side, so that the processor waits for all of them at once.
func (e *Engine) Warm(records []*event.Record) {
	const keys = 3 // of a record: the address or its /64, the /24, the login name
	var hashes, numbers [keys * WarmBatch]uint32
	n := 0
	for _, r := range records[:min(len(records), WarmBatch)] {
		n += e.warmKeys(r, (*[keys]uint32)(hashes[n:]))
	}
	for i, hash := range hashes[:n] {
		numbers[i], _ = e.groups.index.First(hash)
	}
	var runs [keys * WarmBatch][]bucket
	for i, number := range numbers[:n] {
		if number != 0 {
			runs[i] = e.bucketsOf(e.groups.At(number))
		}
	}
	for _, buckets := range runs[:n] {
		for i := range buckets {
			if detail := buckets[i].detail; detail != 0 {
				e.warmed += e.words.At(detail, kindsWord)[layoutWord]
			}
		}
	}
}

// warmKeys puts the hashes of a record's groups into a list and returns how many.
func (e *Engine) warmKeys(r *event.Record, hashes *[3]uint32) int {
	if !r.Addr.IsValid() {
		return 0
	}
	key, n := rangeKey(r.Addr), 1
	hashes[0] = e.groups.hash(key.hi, key.lo, key.bits)
	if r.Addr.Is4() {
		key = addrKey(r.Addr)
		hashes[n] = e.groups.hash(key.hi, key.lo, key.bits)
		n++
	}
	if r.User != "" {
		hashes[n] = e.groups.hash(r.LoginUnder(&e.key), 0, isText)
		n++
	}
	return n
}
