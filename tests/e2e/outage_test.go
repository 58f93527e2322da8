//go:build e2e

package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// An hour of a botnet, as many attackers as come in one.
const (
	botnet        = 3000
	outageWait    = 3 * time.Minute
	outageMemory  = 100 << 10 // KiB
	outageAttacks = 6
)

// TestLongOutage: the LAPI is away while thousands attack. Memory stays bounded,
// and when it is back all alerts arrive, each once.
func TestLongOutage(t *testing.T) {
	r := newTroubled(t, startLAPI(t, lapitest.Current))
	r.configure("guard: {bans_per_hour: 100000}\n")
	r.start()
	r.botnet(time.Now().Add(-time.Hour))
	began := time.Now()
	r.awaitFor(outageWait, "the outbox holds all alerts", func() bool {
		s, ok := r.status()
		return ok && s.Outbox.Pending == botnet
	})
	t.Logf("%d alerts wait after %s; csmail took %d KiB at its peak", botnet, time.Since(began).Round(time.Second), peakMemory(t, r.process.cmd.Process.Pid))
	if err := r.proxy.open(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	r.awaitFor(outageWait, "all alerts are delivered", func() bool {
		s, ok := r.status()
		return ok && s.Outbox.Pending == 0 && s.LAPI.Delivered >= botnet
	})
	peak := peakMemory(t, r.process.cmd.Process.Pid)
	t.Logf("all delivered after %s more; csmail took %d KiB at its peak", time.Since(began).Round(time.Second), peak)
	if peak > outageMemory {
		t.Errorf("csmail took %d KiB of memory at its peak", peak)
	}
	alerts, sources := r.alerts(), map[string]bool{}
	for alert, n := range alerts {
		if n != 1 {
			t.Errorf("%s is there %d times", alert, n)
		}
		sources[strings.Fields(alert)[1]] = true
	}
	if len(alerts) != botnet || len(sources) != botnet {
		t.Errorf("%d alerts on %d sources, want one on each of %d", len(alerts), len(sources), botnet)
	}
	r.stop()
}

// botnet writes an hour of attackers, each with a network of his own and one
// account.
func (r *troubled) botnet(start time.Time) {
	r.t.Helper()
	l := &trafficLog{random: rand.New(rand.NewPCG(1, 1))}
	for n := range botnet {
		at := start.Add(time.Hour * time.Duration(n) / botnet)
		for i := range outageAttacks {
			smtpd := "postfix/submission/smtpd" + l.next()
			l.add(at.Add(time.Duration(i)*time.Millisecond), smtpd, "warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=box%d@example.org", r.address(n), n)
		}
	}
	log := &growingLog{path: r.log, random: l.random}
	if err := log.write(l.lines); err != nil {
		r.t.Fatal(err)
	}
}
