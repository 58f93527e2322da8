package cluster

import (
	"testing"
	"testing/synctest"
	"time"
)

// renewals has a judge hold the lease for some seconds, and returns after how many of them
// it delivered, -1 for never.
func renewals(l *Lease, seconds int) int {
	delivers := -1
	for second := range seconds {
		l.note(time.Now(), true)
		if l.Leads() && delivers < 0 {
			delivers = second
		}
		time.Sleep(renewEvery)
	}
	return delivers
}

// A judge that does not stand any more delivers nothing, though the servers may have taken its
// last renewal.
func TestLeaseStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(nil, "j0", "", func(bool) {})
		l.note(time.Now(), true)
		if !l.Leads() {
			t.Error("got a judge that does not deliver, want one that does")
		}
		l.Stand(false)
		l.note(time.Now(), true)
		if l.Leads() {
			t.Error("got a judge that delivers, want none")
		}
	})
}

// A judge delivers as soon as it has the lease, but in the place of another one only when a
// request of that one must have ended.
func TestLease(t *testing.T) {
	for name, tt := range map[string]struct {
		other time.Duration // how long ago another judge had it; 0: never
		want  int
	}{
		"the first one":             {0, 0},
		"in the place of another":   {5 * time.Second, 10},
		"another one had it before": {2 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				moves := []bool{}
				l := newLease(nil, "j0", "", func(leads bool) { moves = append(moves, leads) })
				l.know(Leader{Name: "j0"}) // its own, as after a restart
				if tt.other > 0 {
					l.know(Leader{Name: "j1"})
					time.Sleep(tt.other)
				}
				if got := renewals(l, 20); got != tt.want {
					t.Errorf("got a judge that delivers after %d s, want %d", got, tt.want)
				}
				time.Sleep(reliedFor)
				if l.Leads() {
					t.Error("got a judge that relies on a lease that it did not renew, want none")
				}
				l.note(time.Now(), false)
				if len(moves) != 2 || !moves[0] || moves[1] {
					t.Errorf("got the moves %v, want true and false", moves)
				}
			})
		})
	}
}
