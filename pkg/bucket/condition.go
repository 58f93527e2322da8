package bucket

import (
	"time"

	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// meetsCondition runs condition and the bayesian conditions after a pour.
func (c *current) meetsCondition(s *scenario.Scenario, b *bucket) bool {
	if s.Condition == nil && s.Bayes == nil {
		return false
	}
	c.turnTo()
	if s.Condition != nil {
		if value, ok := c.decide(s, b, s.Condition); value && ok {
			return true
		}
	}
	return s.Bayes != nil && c.posterior(s, b) > s.Threshold
}

// turnTo makes the machine forget the previous bucket.
func (c *current) turnTo() {
	c.machine.Facts, c.machine.Queue = c.machine.Facts[:0], nil
}

// decide runs an expression about a bucket, which the machine is given as far as
// the expression needs it. It reports false if the expression failed.
func (c *current) decide(s *scenario.Scenario, b *bucket, x *expression.Expression) (value, ok bool) {
	m := &c.machine
	switch needs := x.Needs(); {
	case needs == expression.NeedsFacts && len(m.Facts) == 0:
		m.Facts = c.appendFacts(m.Facts, b)
	case needs == expression.NeedsQueue && m.Queue == nil:
		m.Queue, m.Leaky = c.queueView(b, s), leakyOf(b, m.In.Event.Time)
	}
	return m.Decide(x)
}

// leakyOf returns the bucket as programs read it. At an overflow the time is now: that of
// the last event, or of the end of a counter.
func leakyOf(b *bucket, now time.Time) *expression.Leaky {
	return &expression.Leaky{
		Total_count: int(b.total), First_ts: stamp(b.first), Last_ts: stamp(b.last),
		Ovflw_ts: stamp(max(b.last, nanoseconds(now))),
	}
}

// posterior follows pkg/leakybucket/bayesian.go (v1.7.8), also in its precision. A
// condition that fails to evaluate is left out.
func (c *current) posterior(s *scenario.Scenario, b *bucket) float32 {
	p := s.Prior
	for i, given := range s.Bayes {
		bit := uint16(1) << i
		if given.Guillotine && b.poured&bit != 0 {
			p = bayes(p, given.Evil, given.Benign)
			continue
		}
		value, ok := c.decide(s, b, given.Expression)
		switch {
		case !ok:
		case value:
			p = bayes(p, given.Evil, given.Benign)
			b.poured |= bit
		default:
			p = bayes(p, 1-given.Evil, 1-given.Benign)
		}
	}
	return p
}

// bayes returns the posterior probability after one condition.
func bayes(prior, evil, benign float32) float32 {
	numerator := evil * prior
	return numerator / (numerator + benign*(1-prior))
}
