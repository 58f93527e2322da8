package cluster

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeKey is the key of the lease in memory. It expires as the server's does.
type fakeKey struct {
	mu       sync.Mutex
	value    []byte
	sequence uint64
	written  time.Time
	fails    error
}

func (k *fakeKey) newest() stored {
	if k.sequence == 0 || time.Since(k.written) >= leaseTTL {
		return stored{}
	}
	return stored{sequence: k.sequence, data: k.value}
}

func (k *fakeKey) read(context.Context) (stored, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.newest(), k.fails
}

func (k *fakeKey) write(_ context.Context, value []byte, last uint64) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return 0, k.fails
	}
	if k.newest().sequence != last {
		return 0, &apiError{Code: codeWrongSequence}
	}
	k.sequence++
	k.value, k.written = value, time.Now()
	return k.sequence, nil
}

// pair is two judges with one lease, of which j0 leads.
type pair struct {
	key    *fakeKey
	leases [2]*Lease
	stop   [2]context.CancelFunc
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{key: &fakeKey{}}
	for i, name := range []string{"j0", "j1"} {
		p.leases[i] = newLease(p.key, name, "rules", func(bool) {})
		ctx, cancel := context.WithCancel(t.Context())
		p.stop[i] = cancel
		go p.leases[i].Run(ctx)
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(5 * time.Second)
	if !p.leases[0].Leads() {
		t.Fatal("got a judge that does not lead, want the first one to")
	}
	return p
}

// untilLeads waits until a judge leads, and fails if both do in the meantime.
func (p *pair) untilLeads(t *testing.T, judge int, within time.Duration) (took time.Duration) {
	t.Helper()
	began := time.Now()
	for time.Since(began) < within {
		if p.leases[0].Leads() && p.leases[1].Leads() {
			t.Fatal("got two judges that lead, want one")
		}
		if p.leases[judge].Leads() {
			return time.Since(began)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("got no lead of j%d within %v", judge, within)
	return 0
}

func isQuiet(time.Duration) bool { return true }

// A judge that hands over is followed within about a second, and takes the lease back in the
// same way.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		for from := range 4 {
			from, to := from%2, (from+1)%2
			if err := p.leases[from].HandOver(t.Context(), isQuiet); err != nil {
				t.Fatal(err)
			}
			if p.leases[from].Leads() || !p.leases[from].IsHandingOver() {
				t.Error("got a judge that leads on, want one that hands over")
			}
			if took := p.untilLeads(t, to, time.Minute); took > 2*renewEvery {
				t.Errorf("got %v until the other one leads, want a second or two", took)
			}
			if err := p.leases[from].HandOver(t.Context(), isQuiet); !errors.Is(err, ErrNotLeading) {
				t.Errorf("of one that does not lead: got %v, want %v", err, ErrNotLeading)
			}
			time.Sleep(2 * renewEvery)
			if p.leases[from].IsHandingOver() || p.leases[from].Leader().Name != p.leases[to].name {
				t.Errorf("got the leader %q, want %q", p.leases[from].Leader().Name, p.leases[to].name)
			}
		}
	})
}

// As long as a request may be under way the lease is kept, and nobody delivers. If that does
// not end in time, the judge goes on.
func TestHandOverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- p.leases[0].HandOver(ctx, func(time.Duration) bool { return false }) }()
		time.Sleep(11 * time.Second)
		if p.leases[0].Leads() || p.leases[1].Leads() || !p.leases[0].IsHandingOver() {
			t.Error("got a judge that leads, want none while a request may be under way")
		}
		if err := <-done; err == nil {
			t.Error("got no error, want that a request is under way")
		}
		p.untilLeads(t, 0, 3*time.Second)

		began := time.Now()
		if err := p.leases[0].HandOver(t.Context(), func(time.Duration) bool { return time.Since(began) > 8*time.Second }); err != nil {
			t.Fatal(err)
		}
		if took := p.untilLeads(t, 1, time.Minute); took > 2*renewEvery {
			t.Errorf("got %v until the other one leads, want a second or two", took)
		}
	})
}

// A judge that has the lease of one that died hands over only when nothing of that one can be
// under way any more.
func TestHandOverAfterADeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.stop[0]() // killed
		died := time.Now()
		for !p.leases[1].holds() {
			time.Sleep(10 * time.Millisecond)
		}
		third := newLease(p.key, "j2", "rules", func(bool) {})
		go third.Run(t.Context())
		if err := p.leases[1].HandOver(t.Context(), isQuiet); err != nil {
			t.Fatal(err)
		}
		for !third.Leads() {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(died); took < graceFor {
			t.Errorf("got a judge that delivers %v after another died, want %v at least", took, graceFor)
		}
	})
}

// A judge that renewed the lease just before it handed over does not lead after it, however
// late it gets to know.
func TestHandOverDuringARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.stop[0]()
		time.Sleep(renewEvery)
		asked := time.Now()
		held, err := p.leases[0].renew(t.Context())
		if !held || err != nil {
			t.Fatalf("got %t, %v, want a lease that is renewed", held, err)
		}
		p.leases[0].note(asked, held)
		if held, err = p.leases[0].renew(t.Context()); !held || err != nil {
			t.Fatalf("got %t, %v, want a lease that is renewed", held, err)
		}
		if err := p.leases[0].HandOver(t.Context(), isQuiet); err != nil {
			t.Fatal(err)
		}
		p.leases[0].note(asked, held)
		if p.leases[0].Leads() {
			t.Error("got a judge that leads, want one that has handed over")
		}
		p.untilLeads(t, 1, time.Minute)
	})
}

func (l *Lease) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until)
}

// One that hands over to nobody takes the lease back, and so does one whose word did not
// reach the servers.
func TestHandOverToNobody(t *testing.T) {
	for name, fails := range map[string]error{"nobody is there": nil, "the servers do not answer": errors.New("no answer")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				p.stop[1]()
				p.key.mu.Lock()
				p.key.fails = fails
				p.key.mu.Unlock()
				if err := p.leases[0].HandOver(t.Context(), isQuiet); (err != nil) != (fails != nil) {
					t.Errorf("got %v, want an error: %v", err, fails)
				}
				p.key.mu.Lock()
				p.key.fails = nil
				p.key.mu.Unlock()
				p.untilLeads(t, 0, awayFor+3*renewEvery)
			})
		})
	}
}
