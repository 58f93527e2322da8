package health

import (
	"testing"

	"csmail/pkg/event"
)

const noon = 1_780_000_000 // seconds since 1970

var testLimits = Limits{ResolverQuiet: 30 * minute, ListQuiet: 2 * hour, FaultLasts: 2 * minute, FaultSilence: 30 * minute}

func loginService() *service {
	var s service
	s.configure(testLimits, 2)
	return &s
}

// A fault that clients met is ours if two met it within ten minutes.
func TestFaultsOfTwoClients(t *testing.T) {
	for name, tt := range map[string]struct {
		second uint64
		gap    uint32
		want   bool
	}{
		"at once": {2, 0, true}, "within ten minutes": {2, faultTogether, true}, "later": {2, faultTogether + 1, false}, "the same client": {1, 1, false},
	} {
		s := loginService()
		s.fault(Client{Key: 70}, noon, 0)
		s.fault(Client{Key: tt.second + 69}, noon+tt.gap, 0)
		if got := s.doubt.covers(noon + tt.gap); got != tt.want {
			t.Errorf("%s: got trouble %t, want %t", name, got, tt.want)
		}
		if s.sure.covers(noon + tt.gap) {
			t.Errorf("%s: strangers alone make it certain", name)
		}
	}
}

// A login in the second of the fault may have come before it: the outage goes on.
func TestOutageEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		works, at uint32 // after the fault
		want      bool
	}{
		"nobody gets in":            {0, 30 * minute, true},
		"silence is over":           {0, 30*minute + 1, false},
		"in the same second":        {0, 10 * minute, true},
		"somebody gets in":          {5 * minute, 5*minute + 1, false},
		"until somebody got in":     {5 * minute, 5 * minute, true},
		"it lasts for a while":      {1, 2 * minute, true},
		"and no longer":             {1, 2*minute + 1, false},
		"somebody gets in too late": {40 * minute, 30*minute + 1, false},
		"a minute before":           {5 * minute, ^uint32(0) - minute + 1, true},
		"more than a minute before": {5 * minute, ^uint32(0) - minute, false},
	} {
		o := &loginService().sure
		o.fault(noon)
		if name != "nobody gets in" && name != "silence is over" {
			o.works(noon + tt.works)
		}
		if got := o.covers(noon + tt.at); got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
}

// What was of outages that had no more room counts as one.
func TestForgottenOutages(t *testing.T) {
	o := &loginService().sure
	for i := range uint32(maxSpans + 2) {
		o.fault(noon + i*hour)
		o.works(noon + i*hour + minute)
	}
	if at := uint32(noon + hour + 30*minute); len(o.spans) != maxSpans || !o.covers(noon+30*minute) || o.covers(at) {
		t.Errorf("%d spans, between the first two %t, behind them %t", len(o.spans), o.covers(noon+30*minute), o.covers(at))
	}
}

// A fault that one client alone met excuses it for a while, until somebody else gets
// in.
func TestOwnFault(t *testing.T) {
	for name, tt := range map[string]struct {
		by     uint64
		in, at uint32
		want   bool
	}{
		"nobody gets in": {0, 0, 20, true}, "itself": {7, 10, 20, true}, "another": {8, 10, 20, false}, "another, before": {8, 0, 20, true},
		"as long as it lasts": {0, 0, 2 * minute, true}, "after it": {0, 0, 2*minute + 1, false},
	} {
		site := NewSites(testLimits).Note(1, "mx1", noon)
		site.Fault(event.AuthFault, event.Dovecot, Client{Key: 7}, noon)
		if tt.by != 0 {
			site.LoggedIn(event.Dovecot, tt.by, noon+tt.in)
		}
		if got := site.MayExcuse(LoginArea, event.Dovecot, 7, noon, noon+tt.at); got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
}

// The second in which something was seen to work proves nothing.
func TestEvidenceOfASecond(t *testing.T) {
	e := newEvidence(30 * minute)
	e.least, e.most = 10, 30*minute
	for i := range uint32(3) {
		e.seen(uint64(i+1), noon+10*i)
	}
	for at, want := range map[uint32]Certainty{noon - 1: Unknown, noon: Unknown, noon + 1: Works, noon + 10: Works, noon + 19: Works, noon + 20: NotYet, noon + 21: NotYet} {
		if got := e.at(9, at, noon+21); got != want {
			t.Errorf("%d s: %d, want %d", at-noon, got, want)
		}
	}
}

// What two saw in one second is no one's own.
func TestEvidenceOfTwo(t *testing.T) {
	for name, tt := range map[string]struct {
		again uint64 // who is seen in the second of the last sight
		want  Certainty
	}{"by one alone": {1, Unknown}, "by two": {2, Works}} {
		e := newEvidence(30 * minute)
		e.least, e.most = 10, 30*minute
		e.seen(1, noon)
		e.seen(1, noon+10)
		e.seen(tt.again, noon+10)
		if got := e.at(1, noon+5, noon+10); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// Good sources that fail make an outage from the first of them on.
func TestOutageSinceTheFirst(t *testing.T) {
	o := &loginService().sure
	o.regularFails(1, 1, noon, true)
	if o.covers(noon) {
		t.Error("one source alone makes an outage")
	}
	o.regularFails(2, 2, noon+20*minute, true)
	for at, want := range map[uint32]bool{
		noon - minute - 1: false, noon - minute: true, noon + 10*minute: true, noon + 20*minute: true, noon + 22*minute: true,
	} {
		if got := o.covers(at); got != want {
			t.Errorf("%d s after the first: %t, want %t", int64(at)-noon, got, want)
		}
	}
}
