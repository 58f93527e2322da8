package bucket

import (
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// TakeOver makes e continue the state of another Engine, which may have other scenarios,
// for example after a reload. The effect is that of [Engine.Restore] with a snapshot,
// without a copy. A scenario that is new, or changed in a part that decides, starts
// empty. The other Engine must not be used any more.
func (e *Engine) TakeOver(old *Engine) {
	set, places := e.set, placesIn(e.set, old.set)
	isSame := len(set.Scenarios()) == len(places)
	for was, now := range places {
		isSame = isSame && was == now
	}
	*e, *old = *old, Engine{}
	e.set, e.takers = set, newTakers()
	e.machine.In = &e.in
	if isSame {
		return
	}
	e.due = nil
	for gi := range e.groups.Used() {
		if e.groups.At(gi+1).bits != 0 {
			e.reassign(gi+1, places)
		}
	}
}

// placesIn returns for each scenario of a set the number that it has in another set, -1
// if it is not there or has changed.
func placesIn(set, old *scenario.Set) []int {
	places := make([]int, 0, len(old.Scenarios()))
	for _, was := range old.Scenarios() {
		places = append(places, slices.IndexFunc(set.Scenarios(), func(s *scenario.Scenario) bool {
			return s.Name == was.Name && s.Hash == was.Hash
		}))
	}
	return places
}

// reassign gives the buckets of a group to their scenarios in the new set, and frees
// those without one.
func (e *Engine) reassign(gi uint32, places []int) {
	g := e.groups.At(gi)
	buckets := slices.Clone(e.bucketsOf(g))
	e.buckets.Give(g.buckets, len(buckets))
	e.open -= len(buckets)
	g.buckets, g.count, g.has = 0, 0, 0
	for _, b := range buckets {
		now := places[b.owner.scenario()]
		if now < 0 {
			l, w := e.detailOf(&b)
			e.freeEvents(l, w)
			e.words.Give(b.detail, len(w))
			continue
		}
		s := e.set.Scenarios()[now]
		b.owner = owner(s.Index).of(b.owner.service())
		*e.bucketOf(g, s) = b
		if s.IsTimed() && b.total > 0 {
			e.await(deadline{b.busy + s.Life, gi, s.Index})
		}
	}
}

// newTakers returns the cache of which scenarios take an event, by its kind, service
// and shape, with nothing asked yet.
func newTakers() [][]*scenario.Scenario {
	return make([][]*scenario.Scenario, event.KindCount*event.ServiceCount*int(expression.Shapes))
}
