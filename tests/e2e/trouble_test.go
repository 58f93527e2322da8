//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/tests/lapitest"
)

// troubled is a csmail run whose LAPI is behind a proxy that makes trouble.
type troubled struct {
	*running
	proxy     *lapiProxy
	attackers int // so many have come up to now
	quiet     map[int]bool
}

func newTroubled(t *testing.T, server *lapitest.Server) *troubled {
	t.Helper()
	proxy, err := newLAPIProxy(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.close)
	r := &troubled{running: newRunning(t, buildProgram(t), server), proxy: proxy, quiet: map[int]bool{}}
	r.config = writeHost(t, r.dir, filepath.Join(r.dir, "credentials.yaml"), r.log)
	r.viaProxy()
	write(t, r.dir, "mail.log", nil)
	return r
}

// viaProxy gives csmail's machine a new password, in credentials for the proxy.
func (r *troubled) viaProxy() {
	r.t.Helper()
	path, err := r.lapi.AddMachine(r.t.Context(), "csmail")
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	write(r.t, r.dir, "credentials.yaml", []byte(strings.Replace(string(text), r.lapi.URL, "http://"+r.proxy.address+"/", 1)))
}

// attack adds n attackers to the log.
func (r *troubled) attack(n int) {
	r.t.Helper()
	now := time.Now()
	l := &trafficLog{random: rand.New(rand.NewPCG(1, uint64(r.attackers)))}
	for range n {
		for i := range 7 {
			l.failure(now.Add(time.Duration(i-20)*time.Second), r.address(r.attackers), fmt.Sprintf("user%d@example.org", i))
		}
		r.attackers++
	}
	log := &growingLog{path: r.log, random: l.random}
	if err := log.write(l.lines); err != nil {
		r.t.Fatal(err)
	}
}

// address is that of an attacker: each has a network of his own.
func (r *troubled) address(n int) string { return fmt.Sprintf("2001:db8:%x::66", 0x1000+n) }

// mustArrive waits until the LAPI has both alerts on each attacker, and each once.
func (r *troubled) mustArrive(what string) {
	r.t.Helper()
	want := map[string]int{}
	for n := range r.attackers {
		for _, scenario := range []string{"csmail/auth-spray", "csmail/auth-bf"} {
			if !r.quiet[n] {
				want[fmt.Sprintf("%s 2001:db8:%x::/64", scenario, 0x1000+n)] = 1
			}
		}
	}
	counted := func() map[string]int {
		got := map[string]int{}
		for alert, n := range r.alerts() {
			fields := strings.Fields(alert)
			got[fields[0]+" "+fields[1]] += n
		}
		return got
	}
	r.await(what+": all alerts", func() bool { return len(counted()) >= len(want) })
	r.awaitIdle()
	if diff := cmp.Diff(want, counted()); diff != "" {
		r.t.Fatalf("%s: alerts of the LAPI (-want +got):\n%s\ncsmail:\n%s", what, diff, r.said())
	}
}

// mustComplain waits until csmail status tells of the trouble.
func (r *troubled) mustComplain(words string) {
	r.t.Helper()
	r.await("csmail status says "+words, func() bool {
		s, ok := r.status()
		return ok && strings.Contains(s.LAPI.Error, words) && s.Outbox.Pending > 0
	})
}

// TestLAPITrouble: whatever happens to the LAPI, all alerts arrive, and each once.
func TestLAPITrouble(t *testing.T) {
	dir := t.TempDir()
	options, err := lapitest.Find(lapitest.Current)
	if err != nil {
		t.Fatal(err)
	}
	options.Dir = dir
	server := startLAPIWith(t, options)
	options.Listen = strings.TrimSuffix(strings.TrimPrefix(server.URL, "http://"), "/")
	r := newTroubled(t, server)

	r.start()
	r.attack(60)
	r.mustComplain("connection refused")
	if err := r.proxy.open(); err != nil {
		t.Fatal(err)
	}
	r.mustArrive("down at the start")

	r.stopLAPI()
	r.attack(3)
	r.mustComplain("502")
	r.lapi = startLAPIWith(t, options)
	r.mustArrive("restarted, with a new secret")

	for _, bad := range []struct {
		what    string
		trouble trouble
	}{
		{"failing", failing}, {"failing after it has stored", failingAfterwards}, {"slow", slow}, {"losing its answers", losingAnswers},
	} {
		r.proxy.make(bad.trouble)
		r.attack(3)
		r.await("csmail has met a LAPI that is "+bad.what, func() bool { return r.proxy.met() > 0 })
		r.proxy.make(nil)
		r.mustArrive(bad.what)
	}

	if _, err := r.lapi.AddMachine(t.Context(), "csmail"); err != nil { // a new password, which csmail is not told
		t.Fatal(err)
	}
	r.stopLAPI()
	r.lapi = startLAPIWith(t, options) // its tokens of before are worth nothing
	r.attack(3)
	r.mustComplain("refused")
	r.viaProxy()
	r.mustArrive("a wrong password, mended later")

	r.cscli("machines", "delete", "csmail")
	r.stopLAPI()
	r.lapi = startLAPIWith(t, options)
	r.attack(3)
	r.mustComplain("refused")
	r.viaProxy()
	r.mustArrive("a machine that was deleted, and added again")

	r.allowlists()
	if peak := peakMemory(t, r.process.cmd.Process.Pid); peak > 100<<10 {
		t.Errorf("csmail took %d KiB of memory at its peak", peak)
	}
	r.stop()
}

// allowlists: what is on one of the LAPI's is not told of, as long as it is on it.
func (r *troubled) allowlists() {
	r.t.Helper()
	network := func(n int) string { return fmt.Sprintf("2001:db8:%x::/64", 0x1000+n) }
	spared, later := r.attackers, r.attackers+2
	r.cscli("allowlists", "create", "office", "-d", "ours")
	r.cscli("allowlists", "add", "office", network(spared), network(later))
	r.quiet[spared] = true
	r.attack(2)
	r.mustArrive("one of two attackers allowlisted")
	r.cscli("allowlists", "remove", "office", network(later))
	r.attack(1)
	r.mustArrive("the allowlist changed")
}

// TestLAPIHangs: a LAPI that takes alerts and never says so is left after a while,
// and asked.
func TestLAPIHangs(t *testing.T) {
	r := newTroubled(t, startLAPI(t, lapitest.Current))
	if err := r.proxy.open(); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.proxy.make(hanging)
	r.attack(3)
	r.await("csmail has met a LAPI that hangs", func() bool { return r.proxy.met() > 0 })
	r.mustArrive("hanging")
	if n := r.proxy.met(); n > 3 {
		t.Errorf("csmail sent %d times", n)
	}
	r.stop()
}

func (r *troubled) cscli(args ...string) {
	r.t.Helper()
	if _, err := r.lapi.Cscli(r.t.Context(), args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *troubled) stopLAPI() {
	r.t.Helper()
	if err := r.lapi.Stop(); err != nil {
		r.t.Fatal(err)
	}
}

// peakMemory is VmHWM of proc(5), in KiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	for line := range strings.Lines(readFile(fmt.Sprintf("/proc/%d/status", pid))) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib
		}
	}
	t.Error("no VmHWM of csmail run")
	return 0
}
