package cluster

import "sync/atomic"

// sequence is a number that two goroutines share.
type sequence struct{ n atomic.Uint64 }

func (s *sequence) set(n uint64) { s.n.Store(n) }
func (s *sequence) get() uint64  { return s.n.Load() }
