package daemon

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whoever has a name of guard.allow_names is neither banned nor refused, from the first
// line on, and also while no resolver answers, after a restart too. Others are.
func TestAllowNames(t *testing.T) {
	const office, other = "203.0.113.31", "203.0.113.32"
	d, url := newDecisions(t)
	d.set(false, office, other)
	var down atomic.Bool
	r := newRig(t)
	r.lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		if down.Load() || name != "office.dyn.example" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr(office)}, nil
	}
	r.enforcing(url, "guard: {allow_names: [office.dyn.example, typo.dyn.example]}\n")
	check := func(when string) {
		t.Helper()
		r.eventually(when+": the policy refuses another", func() bool { return strings.HasPrefix(r.asksPolicy(other, ""), "421") })
		if got := r.asksPolicy(office, ""); got != "DUNNO" {
			t.Errorf("%s: the office: got %s, want DUNNO", when, got)
		}
	}
	r.guesses(30, office, "", time.Now())
	r.start()
	check("at the first start")
	r.guesses(30, attacker, "", time.Now())
	r.delivered(1)
	r.stop()
	down.Store(true)
	r.start()
	check("without a resolver")
	r.guesses(30, office, "", time.Now())
	r.guesses(30, "203.0.113.33", "", time.Now())
	for _, got := range r.delivered(2) {
		if strings.HasSuffix(got, " "+office) {
			t.Errorf("an alert on the office: %s", got)
		}
	}
	why, err := r.ask.Why(t.Context(), netip.MustParseAddr(office))
	if text := strings.Join(why.Enforced, "; "); err != nil || !strings.Contains(text, "never refused: guard.allow_names (office.dyn.example)") {
		t.Errorf("why: %q, %v", text, err)
	}
	r.enforcing(url, "")
	r.reload <- struct{}{}
	r.await("READY=1")
	if got := r.asksPolicy(office, ""); !strings.HasPrefix(got, "421") {
		t.Errorf("after the name was taken out: got %s, want a refusal", got)
	}
}
