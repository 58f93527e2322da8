package scenario

import "csmail/pkg/expression"

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
