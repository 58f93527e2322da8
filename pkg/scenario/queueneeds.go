package scenario

import (
	"hash/fnv"
	"slices"

	"gopkg.in/yaml.v3"

	"csmail/pkg/event"
	"csmail/pkg/expression"
)

// queueOf finds what the queue of a bucket must hold. Its length follows
// pkg/leakybucket/bucket.go and pkg/pipeline/queue.go (v1.7.8): one more than the
// capacity or cache_size.
func (l *loader) queueOf(d *document, s *Scenario) error {
	s.queueLimit = -1
	switch {
	case d.CacheSize > 0 && (d.CacheSize <= d.Capacity || d.Capacity == -1):
		s.queueLimit = d.CacheSize + 1
	case d.Capacity >= 0:
		s.queueLimit = d.Capacity + 1
	}
	for _, x := range s.bucketExpressions() {
		reads := x.QueueReads()
		l.set.shapes = l.set.shapes || reads.Queue && (reads.Hub || reads.More)
		s.keepFacts = s.keepFacts || reads.Queue
		s.keepTimes = s.keepTimes || reads.Queue && reads.Times
		s.keepEvents = s.keepEvents || reads.Queue && reads.More
	}
	s.keepEvents = s.keepEvents || (s.scope != nil && !s.isPlainScope())
	return nil
}

// isPlainScope is true if the value of the scope follows from the address or
// from the key of the bucket.
func (s *Scenario) isPlainScope() bool {
	switch s.scopeField {
	case expression.FieldSourceIP, expression.FieldSourceBlock, expression.FieldSourceRange:
		return true
	}
	return s.scope == nil || (s.groupBy != nil && s.groupBy.Source() == s.scope.Source())
}

// bucketExpressions are those that may read the queue.
func (s *Scenario) bucketExpressions() []*expression.Expression {
	var all []*expression.Expression
	for _, x := range [...]*expression.Expression{s.condition, s.overflowFilter} {
		if x != nil {
			all = append(all, x)
		}
	}
	for _, b := range s.bayes {
		all = append(all, b.Expression)
	}
	return all
}

// survey finds the kinds that the scenario may count and the fields that csmail
// never sets.
func (l *loader) survey(s *Scenario) {
	var ev event.Event
	m := expression.Machine{In: &expression.Input{Event: &ev}}
	for _, k := range event.Kinds() {
		for service := event.NoService; service <= event.SSHD; service++ {
			for sh := range expression.Shapes {
				if sh.Plausible(k, service) && s.mayTake(&m, k, service, sh) {
					s.Kinds |= 1 << k
				}
			}
		}
	}
	for _, x := range slices.Concat([]*expression.Expression{s.filter, s.groupBy, s.distinct, s.cancelOn}, s.bucketExpressions()) {
		if x == nil {
			continue
		}
		l.set.shapes = l.set.shapes || x.ReadsShape()
		for _, name := range x.UnknownFields() {
			if note := "csmail never sets " + name; !slices.Contains(s.Notes, note) {
				s.Notes = append(s.Notes, note)
			}
		}
	}
}

// mayTake runs the enumerated conjuncts of the filter on a machine with room for an
// event.
func (s *Scenario) mayTake(m *expression.Machine, k event.Kind, service event.Service, sh expression.Shape) bool {
	*m.In = expression.Input{Event: m.In.Event, Shape: sh}
	m.In.Event.Kind, m.In.Event.Service = k, service
	for _, x := range s.sure {
		if !m.IsTrue(x) {
			return false
		}
	}
	return true
}

// hashOf identifies what a document decides: a changed one starts with empty
// buckets, one whose text or labels changed keeps them.
func hashOf(d *document) uint64 {
	decides := d.spec
	decides.Description, decides.References, decides.Labels, decides.Debug, decides.Version, decides.Author = "", nil, nil, false, "", ""
	text, err := yaml.Marshal(decides)
	if err != nil {
		text = []byte(d.Name)
	}
	h := fnv.New64a()
	_, _ = h.Write(text)
	return h.Sum64()
}
