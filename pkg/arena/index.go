package arena

// Index finds the number of a record by the hash of its key. It holds no keys: the
// caller compares the key of each record that has the hash.
//
//	for n, at := x.First(hash); n != 0; n, at = x.Next(hash, at) {
//		if records.At(n).key == key {
//			return n
//		}
//	}
//
// It is a hash table with open addressing and linear probing, of a power of two of
// places, an eighth of which stays empty. A place is eight bytes, so that most lookups
// load one line of the processor's cache. The zero value is ready.
type Index struct {
	places []place
	held   int
}

// place is the hash of a key and the number of its record; the number 0 marks an empty
// place.
type place struct{ hash, number uint32 }

// leastPlaces is the size of a table with a first record.
const leastPlaces = 64

// First returns the number of the first record with a hash, and where it stands in the
// table; 0 if there is none.
func (x *Index) First(hash uint32) (number, at uint32) {
	if len(x.places) == 0 {
		return 0, 0
	}
	return x.find(hash, hash)
}

// Next returns the record with the hash that comes after the one at a place.
func (x *Index) Next(hash, at uint32) (number, next uint32) { return x.find(hash, at+1) }

func (x *Index) find(hash, at uint32) (number, found uint32) {
	places := x.places
	mask := uint32(len(places) - 1)
	for {
		p := places[at&mask]
		if p.hash == hash || p.number == 0 {
			return p.number, at
		}
		at++
	}
}

// Put adds a record.
func (x *Index) Put(hash, number uint32) {
	x.held++
	if x.held*8 > len(x.places)*7 {
		x.grow()
	}
	x.put(place{hash, number})
}

func (x *Index) grow() {
	old := x.places
	x.places = make([]place, max(leastPlaces, 2*len(old)))
	for _, p := range old {
		if p.number != 0 {
			x.put(p)
		}
	}
}

func (x *Index) put(p place) {
	mask := uint32(len(x.places) - 1)
	at := p.hash & mask
	for x.places[at].number != 0 {
		at = (at + 1) & mask
	}
	x.places[at] = p
}

// Remove takes out a record that is there. The places behind it move up, so that no
// marks of removed records fill the table.
func (x *Index) Remove(hash, number uint32) {
	mask := uint32(len(x.places) - 1)
	gap := hash & mask
	for x.places[gap].number != number {
		gap = (gap + 1) & mask
	}
	x.held--
	for next := (gap + 1) & mask; ; next = (next + 1) & mask {
		p := x.places[next]
		if p.number == 0 {
			x.places[gap] = place{}
			return
		}
		// p may move into the gap unless its home lies behind the gap.
		if (next-p.hash)&mask >= (next-gap)&mask {
			x.places[gap], gap = p, next
		}
	}
}

// Len returns how many records the Index holds.
func (x *Index) Len() int { return x.held }
