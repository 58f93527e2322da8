package scenario

import "csmail/pkg/scenario/expression"

// queueOf finds the events that the queue of a bucket must hold. Its length follows
// pkg/leakybucket/bucket.go and pkg/pipeline/queue.go (v1.7.8): one more than the
// capacity or cache_size.
func (l *loader) queueOf(d *document, s *Scenario) error {
	s.QueueLimit = -1
	switch {
	case d.CacheSize > 0 && (d.CacheSize <= d.Capacity || d.Capacity == -1):
		s.QueueLimit = d.CacheSize + 1
	case d.Capacity >= 0:
		s.QueueLimit = d.Capacity + 1
	}
	for _, x := range s.bucketExpressions() {
		reads := x.QueueReads()
		l.set.shapes = l.set.shapes || reads.Queue && (reads.Hub || reads.More)
		s.KeepFacts = s.KeepFacts || reads.Queue
		s.KeepTimes = s.KeepTimes || reads.Queue && reads.Times
		s.KeepEvents = s.KeepEvents || reads.Queue && reads.More
	}
	s.KeepEvents = s.KeepEvents || (s.ScopeValue != nil && !s.IsPlainScope())
	return nil
}

// IsPlainScope reports whether the value of the scope follows from the address or from
// the key of the bucket.
func (s *Scenario) IsPlainScope() bool {
	switch s.ScopeField {
	case expression.FieldSourceIP, expression.FieldSourceBlock, expression.FieldSourceRange:
		return true
	}
	return s.ScopeValue == nil || (s.GroupBy != nil && s.GroupBy.Source() == s.ScopeValue.Source())
}

// bucketExpressions are those that may read the queue.
func (s *Scenario) bucketExpressions() []*expression.Expression {
	var all []*expression.Expression
	for _, x := range [...]*expression.Expression{s.Condition, s.OverflowFilter} {
		if x != nil {
			all = append(all, x)
		}
	}
	for _, b := range s.Bayes {
		all = append(all, b.Expression)
	}
	return all
}
