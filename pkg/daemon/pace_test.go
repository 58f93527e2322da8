package daemon

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	var p pace
	var sum time.Duration
	for range 4 {
		sum += p.next()
		p.committed()
	}
	if sum > time.Second {
		t.Errorf("four commits take %s, want them within the first second", sum)
	}
	for range 10 {
		p.committed()
	}
	if got := p.next(); got != commitEvery {
		t.Errorf("in the long run a commit each %s, want %s", got, commitEvery)
	}
}
