//go:build e2e

package cluster

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/control"
)

// loses has the LAPI lose every seventh answer.
const loses = 7

// outage is how long the servers have no quorum: CSMAIL_TEST_OUTAGE, or 8 s.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("CSMAIL_TEST_OUTAGE")
	if text == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(text)
	must(t, err)
	return d
}

// Four hosts counted as one come to what a backtest of their logs comes to, and both
// judges have the same state in the end.
func TestManyHostsAsOne(t *testing.T) {
	h := start(t, 0)
	h.write(t, 5*time.Second)
	h.check(t, patience)
	h.checkStates(t)
}

// kill ends a process in the middle of whatever it does, and starts it again.
func kill(t *testing.T, p *Process, down time.Duration) {
	p.Stop(syscall.SIGKILL)
	time.Sleep(down)
	if err := p.Start(); err != nil {
		t.Error(err)
	}
}

// The same comes out while edges, judges and servers are killed at random, one at a time,
// all csmails are reloaded now and then, and the LAPI loses every seventh answer.
func TestKills(t *testing.T) {
	h := start(t, loses)
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.write(t, 35*time.Second)
	}()
	dice := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	csmails := slices.Concat(h.edges, h.judges)
	all := slices.Concat(csmails, h.Nodes)
	const kills = 40
	for n := range kills {
		kill(t, all[dice.IntN(len(all))], time.Duration(dice.IntN(1500))*time.Millisecond)
		time.Sleep(time.Duration(dice.IntN(500)) * time.Millisecond)
		if n%5 == 4 {
			h.reload(t, csmails...)
		}
	}
	<-written
	h.check(t, patience)
	t.Logf("%d kills; the LAPI lost %d answers", kills, h.lost())
}

// Two of three servers are gone for a while. Later, twice, all of them lose all they have,
// and a judge and an edge are killed with them.
func TestLostStores(t *testing.T) {
	h := start(t, loses)
	away := outage(t)
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.write(t, away+25*time.Second)
	}()
	time.Sleep(5 * time.Second)
	h.Nodes[0].Stop(syscall.SIGKILL)
	h.Nodes[1].Stop(syscall.SIGKILL)
	time.Sleep(away)
	must(t, h.Nodes[0].Start())
	must(t, h.Nodes[1].Start())
	for n := range 2 {
		time.Sleep(7 * time.Second)
		h.wipe(t)
		h.judges[n].Stop(syscall.SIGKILL)
		h.edges[n+1].Stop(syscall.SIGKILL)
		for _, p := range slices.Concat(h.Nodes, h.judges[n:n+1], h.edges[n+1:n+2]) {
			must(t, p.Start())
		}
	}
	<-written
	h.check(t, patience)
	t.Logf("without quorum for %v; the LAPI lost %d answers", away, h.lost())
}

// wipe ends all servers and takes all they have stored.
func (h *hosts) wipe(t *testing.T) {
	t.Helper()
	for i, p := range h.Nodes {
		p.Stop(syscall.SIGKILL)
		must(t, os.RemoveAll(h.StoreOf(i)))
	}
}

// The judges hand over to each other in the middle of pushes, by csmail cluster handover and
// by a stop in order, while the LAPI answers slowly: no alert is lost or stands there twice,
// and the other judge delivers at once.
func TestHandover(t *testing.T) {
	h := prepare(t, 0, forever)
	pushing := make(chan struct{}, 1)
	for _, w := range h.ways {
		w.slow.Store(int64(300 * time.Millisecond))
		w.onPush(func() {
			select {
			case pushing <- struct{}{}:
			default:
			}
		})
	}
	h.run(t, slices.Concat(h.Nodes, h.judges, h.edges)...)
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.write(t, 30*time.Second)
	}()
	atStop := 0 // how often a judge that stopped handed over
	for turn := range 4 {
		<-pushing
		leader := h.leader(t)
		if turn%2 == 0 {
			h.handOver(t, leader)
			continue
		}
		handed := h.logged(t, 1-leader, handedOver)
		h.judges[leader].Stop(syscall.SIGTERM)
		h.leader(t)
		if h.logged(t, 1-leader, handedOver) > handed || h.logged(t, leader, "could not hand over") > 0 { // a LAPI may be slower than a stop may take
			atStop++
		}
		must(t, h.judges[leader].Start())
	}
	<-written
	if atStop == 0 { // on a busy machine the lease may have gone over by itself once
		t.Error("no judge that stopped handed over, want one at least")
	}
	h.check(t, patience)
	h.checkStates(t)
}

// leader is the number of the judge that delivers.
func (h *hosts) leader(t *testing.T) int {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		for i, p := range h.judges {
			status, err := control.NewClient(filepath.Join(h.Dir, p.Name+".sock")).Status(t.Context())
			if err == nil && status.Cluster.Judge.Leads {
				return i
			}
		}
	}
	t.Fatal("no judge leads")
	return 0
}

// handOver has a judge hand over to the other one, by command.
func (h *hosts) handOver(t *testing.T, judge int) {
	t.Helper()
	var out []byte
	var err error
	for range 5 { // on a busy machine the lease may have gone over by itself
		out, err = exec.Command(csmail, "-c", filepath.Join(h.Dir, h.judges[judge].Name+".yaml"), "cluster", "handover").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "does not lead") {
			break
		}
		judge = h.leader(t)
	}
	if want := h.judges[1-judge].Name + " delivers now\n"; err != nil || string(out) != want {
		t.Errorf("csmail cluster handover on %s: got %q, %v, want %q", h.judges[judge].Name, out, err, want)
	}
}

// handedOver is what a judge logs that was handed the lease.
const handedOver = "another judge has handed over to this one"

// logged is how often a judge has logged a text.
func (h *hosts) logged(t *testing.T, judge int, text string) int {
	t.Helper()
	log, err := os.ReadFile(h.judges[judge].Log)
	must(t, err)
	return strings.Count(string(log), text)
}

// The leading judge is stopped for 20 s while a request with alerts is under way; the
// other takes over, and no alert stands twice in the LAPI.
func TestStoppedLeader(t *testing.T) {
	h := prepare(t, loses, forever)
	var once sync.Once
	stopped := make(chan *Process, 1)
	for i, w := range h.ways {
		w.onPush(func() {
			once.Do(func() {
				_ = h.judges[i].Signal(syscall.SIGSTOP)
				stopped <- h.judges[i]
			})
		})
	}
	h.run(t, slices.Concat(h.Nodes, h.judges, h.edges)...)
	h.write(t, 4*time.Second)
	select {
	case leader := <-stopped:
		time.Sleep(20 * time.Second)
		must(t, leader.Signal(syscall.SIGCONT))
	case <-time.After(patience):
		t.Fatal("nobody pushes")
	}
	h.check(t, patience)
}
