package guard

import (
	"cmp"
	"slices"
)

// strength ranks proofs, for the choice which ones to keep when there are too many.
type strength uint8

const (
	noProof    strength = iota
	mailProof           // mail on several days, or a name of a provider
	loginProof          // a login, or a person's word
)

// proof is the proof of a source that the guard has dropped.
type proof struct {
	until    uint32
	strength strength
	by       witness
}

// evictions remember the proofs of dropped sources, because a source that has lost its
// proof must not be banned for that. A client can bring one mail from each of its
// addresses, so one mail is no proof. At the limit the weakest proofs are dropped, and
// among equal ones those that end first.
type evictions struct {
	sources, proofs, pending int // counts, for metrics
	proven                   map[uint64]proof
}

// strengthAt returns the strength of a dropped source's proof at a time.
func (e *evictions) strengthAt(key uint64, at uint32) strength {
	if p := e.proven[key]; at < p.until {
		return p.strength
	}
	return noProof
}

// ranked is a source or a proof with its rank; the lowest ranks are dropped.
type ranked struct {
	rank, key uint64
	proof     proof
}

func compareRanks(a, b ranked) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.key, b.key))
}

// rankOf ranks sources without a proof lowest, then those that had a mail taken, then by
// the strength of the proof. Among equal ones those that have been silent longest rank
// lowest.
func (k *knowledge) rankOf(s *source) ranked {
	r := ranked{key: s.key, proof: k.proofOf(s)}
	r.rank = uint64(r.proof.strength)<<33 | uint64(s.seen)
	if s.mailedDays(k.now) > 0 {
		r.rank |= 1 << 32
	}
	return r
}

// evict drops an eighth of the sources, so that the cost is spread over the sources that
// are added until the next call.
func (k *knowledge) evict() {
	all := make([]ranked, 0, k.memory.len())
	for s := range k.memory.all {
		all = append(all, k.rankOf(s))
	}
	for _, r := range lowest(all, max(1, len(all)/8)) {
		k.evicted.sources++
		if r.proof.strength > noProof {
			k.evicted.remember(r.key, r.proof, k.now, 2*k.limits.sources)
		}
		k.memory.forget(r.key)
	}
}

// lowest returns the n lowest ranks in order. It reorders the others (Hoare's
// quickselect) instead of sorting them all.
func lowest(all []ranked, n int) []ranked {
	for low, high := 0, len(all); high-low > 1; {
		at := partition(all[low:high]) + low
		switch {
		case at < n:
			low = at
		case at > n:
			high = at
		default:
			low = high
		}
	}
	slices.SortFunc(all[:n], compareRanks)
	return all[:n]
}

// partition puts lower ranks before higher ones and returns where the higher ones
// begin, which is never the first place.
func partition(all []ranked) int {
	pivot := all[(len(all)-1)/2]
	i, j := 0, len(all)-1
	for {
		for compareRanks(all[i], pivot) < 0 {
			i++
		}
		for compareRanks(all[j], pivot) > 0 {
			j--
		}
		if i >= j {
			return j + 1
		}
		all[i], all[j] = all[j], all[i]
		i++
		j--
	}
}

// proofOf returns the strongest proof of a source and its end.
func (k *knowledge) proofOf(s *source) proof {
	best := proof{until: s.amnesty, strength: loginProof}
	if s.login != 0 && k.weighsEverywhere(s.loginBy) {
		best.extend(s.login+k.limits.login, s.loginBy)
	}
	if best.until > k.now {
		return best
	}
	best = proof{strength: mailProof}
	if s.provider != 0 && k.weighsEverywhere(s.providerBy) {
		best.extend(s.provider+30*day, s.providerBy)
	}
	if s.mailedDays(k.now) >= k.limits.mailDays && k.weighsEverywhere(s.mailBy) {
		best.extend((s.mailDay+30)*day, s.mailBy)
	}
	if best.until > k.now {
		return best
	}
	return proof{}
}

// extend takes another reason for the same proof, if that lasts longer.
func (p *proof) extend(until uint32, by witness) {
	if until > p.until {
		p.until, p.by = until, by
	}
}

// remember keeps a proof. A weaker one does not replace a stronger one.
func (e *evictions) remember(key uint64, p proof, now uint32, room int) {
	e.proofs++
	if e.proven == nil {
		e.proven = make(map[uint64]proof)
	}
	if known := e.proven[key]; known.until > now && compareProofs(known, p) > 0 {
		return
	}
	if len(e.proven) >= room {
		e.forget(now, room-max(1, room/8))
	}
	e.proven[key] = p
}

func compareProofs(a, b proof) int {
	return cmp.Or(cmp.Compare(a.strength, b.strength), cmp.Compare(a.until, b.until))
}

// forget drops proofs until no more than left are kept: those that have ended, then the
// weakest, and among equal ones those that end first.
func (e *evictions) forget(now uint32, left int) {
	all := make([]ranked, 0, len(e.proven))
	for key, p := range e.proven {
		if p.until <= now {
			delete(e.proven, key)
			continue
		}
		all = append(all, ranked{rank: uint64(p.strength)<<32 | uint64(p.until), key: key})
	}
	for _, gone := range lowest(all, max(0, len(all)-left)) {
		delete(e.proven, gone.key)
	}
}
