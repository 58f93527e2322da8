//go:build e2e

package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/tests/lapitest"
	"csmail/tests/situations"
)

// paths of the programs, made once.
var csmail, natsServer string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "csmail-cluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	csmail, natsServer = filepath.Join(dir, "csmail"), "../nats/bin/nats-server"
	for _, command := range [][]string{{"go", "build", "-o", csmail, "../../cmd/csmail"}, {"../nats/build.sh"}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%q: %v: %s\n", command, err, out)
			return 1
		}
	}
	return m.Run()
}

var (
	edgeNames  = []string{"mx0", "mx1", "mx2", "mx3"}
	judgeNames = []string{"j0", "j1"}
)

// hosts is a cluster of four edges and two judges, with the logs that the edges read.
type hosts struct {
	*Lab
	lapi   *lapitest.Server
	edges  []*Process
	judges []*Process
	logs   [][]string // lines
	paths  []string
}

func start(t *testing.T, late string) *hosts {
	t.Helper()
	h := &hosts{Lab: &Lab{Dir: t.TempDir(), Csmail: csmail, Nats: natsServer}}
	must(t, h.AddNodes())
	options, err := lapitest.Find(lapitest.Current)
	must(t, err)
	h.lapi, err = lapitest.Start(t.Context(), options)
	must(t, err)
	t.Cleanup(func() { _ = h.lapi.Stop() })
	begin := time.Now().Add(-8 * time.Hour).Truncate(time.Second).UTC()
	for i, name := range edgeNames {
		dice := rand.New(rand.NewPCG(uint64(i), 5))
		lines := situations.HostLog(name, begin, dice).Lines()
		// Long after all else a line lets everything come to its end.
		lines = append(lines, fmt.Sprintf("%s %s postfix/smtpd[1]: connect from last.example[192.0.2.200]", time.Now().UTC().Add(-time.Minute).Format("2006-01-02T15:04:05.000000-07:00"), name))
		h.logs = append(h.logs, lines)
		path := filepath.Join(h.Dir, name+".log")
		must(t, os.WriteFile(path, nil, 0o600))
		h.paths = append(h.paths, path)
		p, err := h.Daemon(name, h.Settings("edge", name, judgeNames, nil, late)+fmt.Sprintf("sources: [{source: file, filenames: [%s], timezone: UTC}]\n", path))
		must(t, err)
		h.edges = append(h.edges, p)
	}
	for _, name := range judgeNames {
		credentials, err := h.lapi.AddMachine(t.Context(), name)
		must(t, err)
		p, err := h.Daemon(name, h.Settings("judge", name, judgeNames, edgeNames, late)+fmt.Sprintf("lapi: {credentials: %s}\n", credentials))
		must(t, err)
		h.judges = append(h.judges, p)
	}
	for _, p := range slices.Concat(h.Nodes, h.judges, h.edges) {
		must(t, p.Start())
		t.Cleanup(func() { p.Stop(syscall.SIGKILL) })
	}
	t.Cleanup(func() {
		if t.Failed() {
			h.showLogs(t)
		}
	})
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *hosts) showLogs(t *testing.T) {
	for _, p := range slices.Concat(h.judges, h.edges) {
		text, _ := os.ReadFile(p.Log)
		lines := strings.Split(string(text), "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "msg=finding") })
		t.Logf("%s:\n%s", p.Name, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// write lets the hosts log their lines within a time.
func (h *hosts) write(t *testing.T, within time.Duration) {
	t.Helper()
	const parts = 50
	for part := range parts {
		for i, lines := range h.logs {
			some := lines[len(lines)*part/parts : len(lines)*(part+1)/parts]
			if len(some) == 0 {
				continue
			}
			f, err := os.OpenFile(h.paths[i], os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString(strings.Join(some, "\n") + "\n")
			must(t, err)
			must(t, f.Close())
		}
		time.Sleep(within / parts)
	}
}

// finding is what a backtest or a judge says.
type finding struct{ id, at, verdict string }

// backtested is what csmail backtest finds in the four logs.
func (h *hosts) backtested(t *testing.T) (all []finding, pushed []string) {
	t.Helper()
	conf := filepath.Join(h.Dir, "backtest.yaml")
	must(t, os.WriteFile(conf, []byte("{}\n"), 0o600))
	out, err := exec.Command(csmail, append([]string{"-c", conf, "backtest", "-q", "-o", "json", "--timezone", "UTC"}, h.paths...)...).Output()
	must(t, err)
	var result struct {
		Alerts []struct {
			Scenario, Scope, Value, Verdict string
			StartAt                         time.Time `json:"start_at"`
			StopAt                          time.Time `json:"stop_at"`
			VerdictAt                       time.Time `json:"verdict_at"`
		}
	}
	must(t, json.Unmarshal(out, &result))
	for _, a := range result.Alerts {
		alert := event.Alert{Scenario: a.Scenario, Scope: event.Scope(a.Scope), First: a.StartAt, Last: a.StopAt}
		switch alert.Scope {
		case event.ScopeIP:
			alert.Source = netip.MustParseAddr(a.Value)
		case event.ScopeRange:
			alert.Source = netip.MustParsePrefix(a.Value).Addr()
		default:
			alert.Account = a.Value
		}
		all = append(all, finding{alert.ID(), a.VerdictAt.UTC().Format(time.RFC3339Nano), a.Verdict})
		if a.Verdict != "hold" && alert.Scope != event.ScopeAccount {
			pushed = append(pushed, alert.ID())
		}
	}
	return all, pushed
}

var findingLine = regexp.MustCompile(`msg=finding id=(\S+) at=(\S+) .*verdict=(\w+)`)

// judged is what a judge found, in its order. What it found again after a kill counts once.
func judged(t *testing.T, p *Process) []finding {
	t.Helper()
	f, err := os.Open(p.Log)
	must(t, err)
	defer f.Close()
	var all []finding
	seen := map[finding]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m := findingLine.FindStringSubmatch(lines.Text()); m != nil {
			one := finding{m[1], m[2], m[3]}
			if !seen[one] {
				all = append(all, one)
			}
			seen[one] = true
		}
	}
	return all
}

// inLAPI is how often each alert stands in the LAPI, by its csmail_id.
func (h *hosts) inLAPI(t *testing.T) map[string]int {
	t.Helper()
	out, err := h.lapi.Cscli(t.Context(), "alerts", "list", "-l", "0", "-o", "json")
	must(t, err)
	var list []struct {
		Meta []struct{ Key, Value string }
	}
	must(t, json.Unmarshal([]byte(out), &list))
	count := map[string]int{}
	for _, a := range list {
		for _, m := range a.Meta {
			if m.Key == "csmail_id" {
				count[strings.Trim(m.Value, `["]`)]++
			}
		}
	}
	return count
}

// patience is what a busy machine may need. An idle one takes ten seconds.
const patience = 4 * time.Minute

// check waits until all is as the backtest has it.
func (h *hosts) check(t *testing.T, within time.Duration) {
	t.Helper()
	want, pushed := h.backtested(t)
	if len(want) < 50 || len(pushed) < 30 {
		t.Fatalf("got %d findings of a backtest, %d to push, want more", len(want), len(pushed))
	}
	var trouble string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if trouble = h.difference(t, want, pushed); trouble == "" {
			t.Logf("%d findings on both judges as a backtest has them; %d alerts in the LAPI", len(want), len(pushed))
			return
		}
	}
	t.Error(trouble)
}

func (h *hosts) difference(t *testing.T, want []finding, pushed []string) string {
	for _, p := range h.judges {
		got := judged(t, p)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				return fmt.Sprintf("%s: %d findings, want %d; number %d: got %v, want %v", p.Name, len(got), len(want), i, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
			}
		}
	}
	count := h.inLAPI(t)
	for _, id := range pushed {
		if count[id] != 1 {
			return fmt.Sprintf("alert %s stands %d times in the LAPI, want once", id, count[id])
		}
	}
	if len(count) != len(pushed) {
		return fmt.Sprintf("%d alerts in the LAPI, want %d", len(count), len(pushed))
	}
	return ""
}

// Four hosts counted as one come to what a backtest of their logs comes to.
func TestManyHostsAsOne(t *testing.T) {
	h := start(t, "240h")
	h.write(t, 5*time.Second)
	h.check(t, patience)
}

// kill ends a process in the middle of whatever it does, and starts it again.
func kill(t *testing.T, p *Process, down time.Duration) {
	p.Stop(syscall.SIGKILL)
	time.Sleep(down)
	if err := p.Start(); err != nil {
		t.Error(err)
	}
}

// The same comes out while edges, judges and servers are killed at random, one at a time.
func TestKills(t *testing.T) {
	h := start(t, "240h")
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.write(t, 25*time.Second)
	}()
	dice, kills := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)), 0
	for begin := time.Now(); time.Since(begin) < 30*time.Second && !t.Failed(); kills++ {
		all := slices.Concat(h.edges, h.judges, h.Nodes)
		kill(t, all[dice.IntN(len(all))], time.Duration(dice.IntN(1500))*time.Millisecond)
		time.Sleep(time.Duration(dice.IntN(500)) * time.Millisecond)
	}
	<-written
	t.Logf("%d kills", kills)
	h.check(t, patience)
}

// Two of three servers are gone for a while, and then all lose all they have.
func TestLostStores(t *testing.T) {
	h := start(t, "240h")
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.write(t, 30*time.Second)
	}()
	time.Sleep(6 * time.Second)
	h.Nodes[0].Stop(syscall.SIGKILL)
	h.Nodes[1].Stop(syscall.SIGKILL)
	time.Sleep(8 * time.Second)
	must(t, h.Nodes[0].Start())
	must(t, h.Nodes[1].Start())
	time.Sleep(6 * time.Second)
	for i, p := range h.Nodes {
		p.Stop(syscall.SIGKILL)
		must(t, os.RemoveAll(h.StoreOf(i)))
	}
	h.judges[0].Stop(syscall.SIGKILL)
	h.edges[1].Stop(syscall.SIGKILL)
	for _, p := range slices.Concat(h.Nodes, h.judges[:1], h.edges[1:2]) {
		must(t, p.Start())
	}
	<-written
	h.check(t, patience)
}

// The leading judge is stopped for 20 s while it pushes; the other takes over, and no
// alert stands twice in the LAPI.
func TestStoppedLeader(t *testing.T) {
	h := start(t, "240h")
	h.write(t, 4*time.Second)
	leader := h.leader(t)
	must(t, leader.Signal(syscall.SIGSTOP))
	time.Sleep(20 * time.Second)
	must(t, leader.Signal(syscall.SIGCONT))
	h.check(t, patience)
}

// leader waits until alerts are pushed, and returns the judge that does.
func (h *hosts) leader(t *testing.T) *Process {
	t.Helper()
	for range 600 {
		if len(h.inLAPI(t)) > 0 {
			for _, p := range h.judges {
				if text, _ := os.ReadFile(p.Log); strings.Contains(string(text), "this judge delivers now") {
					return p
				}
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nobody pushes")
	return nil
}
