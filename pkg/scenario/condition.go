package scenario

// meetsCondition runs condition and the bayesian conditions after a pour.
func (e *Engine) meetsCondition(s *Scenario, b *bucket) bool {
	if s.condition == nil && s.bayes == nil {
		return false
	}
	m := e.aboutBucket(s, b)
	if s.condition != nil && m.isTrue(s.condition) {
		return true
	}
	return s.bayes != nil && e.posterior(s, b, m) > s.threshold
}

func (e *Engine) aboutBucket(s *Scenario, b *bucket) *machine {
	m := &e.machine
	m.engine, m.scenario, m.bucket, m.queue = e, s, b, nil
	return m
}

// posterior follows pkg/leakybucket/bayesian.go (v1.7.8), in its precision. A
// condition that fails is left out.
func (e *Engine) posterior(s *Scenario, b *bucket, m *machine) float32 {
	p := s.prior
	for i, c := range s.bayes {
		bit := uint16(1) << i
		if c.guillotine && b.poured&bit != 0 {
			p = bayes(p, c.evil, c.benign)
			continue
		}
		value, ok := m.decide(c.expression)
		switch {
		case !ok:
		case value:
			p = bayes(p, c.evil, c.benign)
			b.poured |= bit
		default:
			p = bayes(p, 1-c.evil, 1-c.benign)
		}
	}
	return p
}

func bayes(prior, evil, benign float32) float32 {
	numerator := evil * prior
	return numerator / (numerator + benign*(1-prior))
}
