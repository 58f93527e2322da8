//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/tests/lapitest"
)

var (
	crashSeed = flag.Uint64("seed", 20260603, "of the moments at which csmail run is killed")
	crashes   = flag.Int("kills", 200, "how often csmail run is killed")
)

const crashAttackers = 100

// TestCrashEquivalence kills csmail run again and again, with its log growing and
// being rotated all the while. What the LAPI has in the end is what it has of a
// run that nobody disturbed: each alert, and each once.
func TestCrashEquivalence(t *testing.T) {
	t.Logf("seed %d", *crashSeed)
	program := buildProgram(t)
	traffic := newTraffic(*crashSeed, time.Now().Add(-time.Minute), crashAttackers)
	t.Logf("%d lines, %d attackers", len(traffic.lines), len(traffic.attackers))

	calm := newRunning(t, program, startLAPI(t, lapitest.Current))
	write(t, calm.dir, "mail.log", []byte(traffic.text()))
	calm.start()
	calm.awaitIdle()
	want := calm.alerts()
	calm.stop()

	harried := newRunning(t, program, startLAPI(t, lapitest.Current))
	log := &growingLog{path: harried.log, lines: traffic.lines, random: rand.New(rand.NewPCG(*crashSeed, 2))}
	harried.killOften(log, *crashes, rand.New(rand.NewPCG(*crashSeed, 3)))
	if err := log.write(log.lines); err != nil {
		t.Fatal(err)
	}
	harried.start()
	harried.awaitIdle()
	harried.await("all alerts", func() bool { return len(harried.alerts()) >= len(want) })
	got := harried.alerts()
	harried.stop()

	t.Logf("%d alerts, %d rotations", len(want), log.rotated)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts, and how often each is there (-undisturbed +killed):\n%s\ncsmail:\n%s", diff, harried.said())
	}
	banned := map[string]bool{}
	for alert := range want {
		if value := strings.Fields(alert)[1]; !isCrowded(value, traffic.attackers) {
			banned[value] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(traffic.attackers)), slices.Sorted(maps.Keys(banned))); diff != "" {
		t.Errorf("whom the alerts are about (-attackers +alerts):\n%s", diff)
	}
}

// isCrowded is true for an IPv4 network with so many of the attackers that it is
// found as a network too (csmail/range-bf).
func isCrowded(value string, attackers []string) bool {
	network, err := netip.ParsePrefix(value)
	if err != nil || !network.Addr().Is4() {
		return false
	}
	inside := 0
	for _, a := range attackers {
		if addr, err := netip.ParseAddr(a); err == nil && network.Contains(addr) {
			inside++
		}
	}
	return inside >= 15
}

// running is a csmail run with its folder and its LAPI.
type running struct {
	t            *testing.T
	program, dir string
	config, log  string
	lapi         *lapitest.Server
	ns           *netns
	process      *child
	earlier      []string // what processes of before said
}

func newRunning(t *testing.T, program string, server *lapitest.Server) *running {
	t.Helper()
	r := &running{t: t, program: program, dir: t.TempDir(), lapi: server}
	credentials, err := server.AddMachine(t.Context(), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	r.log = filepath.Join(r.dir, "mail.log")
	r.config = writeHost(t, r.dir, credentials, r.log)
	if r.ns, err = openNetns("/proc/self/ns/net"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.ns.close)
	return r
}

func (r *running) start() {
	r.t.Helper()
	process, err := startChild(r.ns, csmailCommand(r.program, r.config, "run"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.process = process
}

// stop asks csmail to end, which it does without a complaint.
func (r *running) stop() {
	r.t.Helper()
	r.process.stop()
	if !r.process.cmd.ProcessState.Success() {
		r.t.Errorf("csmail run: %v\n%s", r.process.cmd.ProcessState, r.process.out.String())
	}
}

func (r *running) kill() {
	_ = r.process.cmd.Process.Kill() // if it has ended by itself, its status tells
	<-r.process.done
	if r.process.cmd.ProcessState.Exited() {
		r.t.Fatalf("csmail run ended by itself: %v\n%s", r.process.cmd.ProcessState, r.process.out.String())
	}
	r.earlier = append(r.earlier, r.process.out.String())
}

// said is what csmail wrote of late.
func (r *running) said() string {
	all := strings.Join(append(r.earlier, r.process.out.String()), "--- killed\n")
	return all[max(0, len(all)-20000):]
}

// killOften starts and kills csmail while the log grows: one time in four while it
// starts, else when it is at work.
func (r *running) killOften(log *growingLog, times int, random *rand.Rand) {
	portion := len(log.lines)/times + 1
	for i := range times {
		life := time.Duration(random.IntN(500)) * time.Millisecond
		grown := make(chan error)
		go func() { grown <- log.grow(portion, life) }()
		r.start()
		if i%4 != 0 {
			r.await("csmail has started", func() bool { return strings.Contains(r.process.out.String(), "msg=started") })
		}
		end := time.NewTimer(life)
		<-end.C
		r.kill()
		if err := <-grown; err != nil {
			r.t.Fatal(err)
		}
	}
}

// status is what the tests read of csmail status.
type status struct {
	Lines   int64
	Sources []source
	Outbox  struct{ Pending, Parked, Held int }
	LAPI    struct {
		Error     string
		Delivered int
	}
	State struct{ Error, Hint string }
}

type source struct {
	Lag   int64 `json:"lag_bytes"`
	State string
	Error string
	Hint  string
}

func (r *running) status() (s status, ok bool) {
	out, err := csmailCommand(r.program, r.config, "status", "-o", "json").Output()
	if err != nil && len(out) == 0 {
		return s, false // not up yet; a status that is red prints and exits with 1
	}
	if err := json.Unmarshal(out, &s); err != nil {
		r.t.Fatalf("csmail status: %v\n%s", err, out)
	}
	return s, true
}

// awaitIdle waits until csmail has read all and delivered all.
func (r *running) awaitIdle() {
	r.t.Helper()
	r.await("csmail has read and delivered everything", func() bool {
		s, ok := r.status()
		return ok && s.Outbox.Pending == 0 && !slices.ContainsFunc(s.Sources, func(l source) bool { return l.Lag != 0 || l.State != "following" })
	})
}

const runningWait = time.Minute

func (r *running) await(what string, done func() bool) {
	r.t.Helper()
	r.awaitFor(runningWait, what, done)
}

func (r *running) awaitFor(limit time.Duration, what string, done func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			s, _ := r.status()
			r.t.Fatalf("not within %v: %s\n%+v\ncsmail:\n%s", limit, what, s, r.said())
		case <-r.process.done:
			r.t.Fatalf("csmail run ended: %v\n%s", r.process.cmd.ProcessState, r.said())
		case <-tick.C:
		}
	}
}

// alerts is what the LAPI has: scenario, source and csmail_id of each alert, and
// how often it is there.
func (r *running) alerts() map[string]int {
	r.t.Helper()
	out, err := r.lapi.Cscli(r.t.Context(), "alerts", "list", "--limit", "0", "-o", "json")
	if err != nil {
		r.t.Fatal(err)
	}
	var list []struct {
		Scenario string
		Source   struct{ Value string }
		Meta     []struct{ Key, Value string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		r.t.Fatalf("cscli alerts list: %v\n%s", err, out)
	}
	found := map[string]int{}
	for _, a := range list {
		id := "no csmail_id"
		for _, m := range a.Meta {
			if m.Key == "csmail_id" {
				id = m.Value
			}
		}
		found[fmt.Sprintf("%s %s %s", a.Scenario, a.Source.Value, id)]++
	}
	return found
}
