//go:build e2e

package cluster

import (
	"bufio"
	"bytes"
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

	"csmail/pkg/control"
	"csmail/pkg/event"
	"csmail/pkg/state"
	"csmail/tests/lapitest"
	"csmail/tests/situations"
)

// paths of the programs, made once.
var csmail, natsServer string

func TestMain(m *testing.M) {
	if path := os.Getenv(shiftedDaemon); path != "" {
		os.Exit(runShifted(path, os.Getenv(shiftedBy)))
	}
	os.Exit(run(m))
}

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
	ways   []*way // of the judges to the LAPI
	late   string // how long the others wait for a silent edge
	edges  []*Process
	judges []*Process
	logs   [][]string      // lines, by the true time
	paths  []string        // of what the edges read
	shifts []time.Duration // by edge: how far its clock is ahead; nil: no one's is
}

// forever is how long the others wait for a silent edge, since a test must not depend on
// how fast the machine is.
const forever = "240h"

// start starts a cluster of which the LAPI loses each so many answers; 0: none.
func start(t *testing.T, loses int) *hosts {
	t.Helper()
	h := prepare(t, loses, forever)
	h.run(t, slices.Concat(h.Nodes, h.judges, h.edges)...)
	return h
}

// run starts processes, which end with the test.
func (h *hosts) run(t *testing.T, all ...*Process) {
	t.Helper()
	for _, p := range all {
		must(t, p.Start())
		t.Cleanup(func() { p.Stop(syscall.SIGKILL) })
	}
}

// prepare makes a cluster of which only the LAPI runs.
func prepare(t *testing.T, loses int, late string) *hosts {
	t.Helper()
	h := &hosts{Lab: &Lab{Dir: t.TempDir(), Csmail: csmail, Nats: natsServer}, late: late}
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
		// A host whose log was empty would tell the judges that nothing comes from before
		// now. Long after all else a line lets everything come to its end.
		lines = slices.Concat([]string{connectLine(begin, name)}, lines, []string{connectLine(time.Now().UTC().Add(-10*time.Minute), name)})
		h.logs = append(h.logs, lines)
		path := filepath.Join(h.Dir, name+".log")
		must(t, os.WriteFile(path, []byte(lines[0]+"\n"), 0o600))
		h.paths = append(h.paths, path)
		p, err := h.Daemon(name, h.edgeSettings(i, name))
		must(t, err)
		h.edges = append(h.edges, p)
	}
	for _, name := range judgeNames {
		h.ways = append(h.ways, newWay(t, h.lapi, name, loses))
		p, err := h.Daemon(name, h.judgeSettings(name, edgeNames))
		must(t, err)
		h.judges = append(h.judges, p)
	}
	t.Cleanup(func() {
		if t.Failed() {
			h.showLogs(t)
		}
	})
	return h
}

func connectLine(at time.Time, host string) string {
	return at.Format(stampForm) + " " + host + " postfix/smtpd[1]: connect from other.example[192.0.2.200]"
}

func (h *hosts) edgeSettings(edge int, name string) string {
	return h.Settings("edge", name, judgeNames, nil, h.late) + fmt.Sprintf("sources: [{source: file, filenames: [%s], timezone: UTC}]\n", h.paths[edge])
}

func (h *hosts) judgeSettings(name string, edges []string) string {
	return h.Settings("judge", name, judgeNames, edges, h.late) + fmt.Sprintf("lapi: {credentials: %s}\n", filepath.Join(h.lapi.Dir, name+"_credentials.yaml"))
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
	h.writePart(t, within, 0, 1)
}

// writePart lets them log a part of their lines after the first one.
func (h *hosts) writePart(t *testing.T, within time.Duration, from, to float64) {
	t.Helper()
	const parts = 50
	for part := range parts {
		for i, lines := range h.logs {
			lines = lines[1:]
			first, end := int(from*float64(len(lines))), int(to*float64(len(lines)))
			lines = lines[first:end]
			some := lines[len(lines)*part/parts : len(lines)*(part+1)/parts]
			if len(some) == 0 {
				continue
			}
			if h.shifts != nil {
				some = shifted(t, some, h.shifts[i])
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
type finding struct{ id, at, value, verdict string }

// backtested is what csmail backtest finds in the four logs.
func (h *hosts) backtested(t *testing.T) (all []finding, pushed []string) {
	t.Helper()
	conf := filepath.Join(h.Dir, "backtest.yaml")
	must(t, os.WriteFile(conf, []byte("{}\n"), 0o600))
	args := []string{"-c", conf, "backtest", "-q", "-o", "json", "--timezone", "UTC"}
	for i, lines := range h.logs {
		path := filepath.Join(h.Dir, edgeNames[i]+".true.log")
		must(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		args = append(args, path)
	}
	out, err := exec.Command(csmail, args...).Output()
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
			alert.Account, a.Value = a.Value, "(account)" // as the log has it
		}
		all = append(all, finding{alert.ID(), a.VerdictAt.UTC().Format(time.RFC3339Nano), a.Value, a.Verdict})
		if a.Verdict != "hold" && alert.Scope != event.ScopeAccount {
			pushed = append(pushed, alert.ID())
		}
	}
	return all, pushed
}

var findingLine = regexp.MustCompile(`msg=finding id=(\S+) at=(\S+) .* value=(\S+) verdict=(\w+)`)

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
			one := finding{m[1], m[2], m[3], m[4]}
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
				return fmt.Sprintf("%s: %d findings, want %d; number %d: got %v, want %v\nnot wanted: %v\nmissing: %v", p.Name, len(got), len(want), i,
					got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))], without(got, want), without(want, got))
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

// without are the first of some findings that others are not among.
func without(some, others []finding) (left []finding) {
	for _, f := range some {
		if !slices.Contains(others, f) && len(left) < 8 {
			left = append(left, f)
		}
	}
	return left
}

// reload has daemons read their configuration anew. One that was started a moment ago may
// end by that, and is started again.
func (h *hosts) reload(t *testing.T, all ...*Process) {
	t.Helper()
	for _, p := range all {
		_ = p.Signal(syscall.SIGHUP)
	}
	time.Sleep(300 * time.Millisecond)
	for _, p := range all {
		if p.HasEnded() {
			must(t, p.Start())
		}
	}
}

// lost is how many answers the LAPI has lost.
func (h *hosts) lost() (n int64) {
	for _, w := range h.ways {
		n += w.lost.Load()
	}
	return n
}

// awaitAll waits until the judges have found nothing more for a while.
func (h *hosts) awaitAll(t *testing.T) {
	t.Helper()
	before, since := -1, time.Now()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Second) {
		found := len(judged(t, h.judges[0])) + len(judged(t, h.judges[1]))
		if found != before {
			before, since = found, time.Now()
		}
		if found > 0 && time.Since(since) > 12*time.Second {
			return
		}
	}
	t.Error("the judges go on finding something")
}

// checkStates ends all csmails and compares the states of both judges, byte for byte, once
// they have read the same.
func (h *hosts) checkStates(t *testing.T) {
	t.Helper()
	for _, p := range h.edges {
		p.Stop(syscall.SIGKILL)
	}
	var sequences [2]uint64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Second) {
		before := sequences
		for i, p := range h.judges {
			status, err := control.NewClient(filepath.Join(h.Dir, p.Name+".sock")).Status(t.Context())
			if err == nil {
				sequences[i] = status.Cluster.Judge.Sequence
			}
		}
		if sequences == before && sequences[0] == sequences[1] && sequences[0] > 0 {
			break
		}
	}
	var states [2][]byte
	for i, p := range h.judges {
		p.Stop(syscall.SIGTERM)
		states[i] = h.stateOf(t, p)
	}
	if !bytes.Equal(states[0], states[1]) {
		t.Errorf("the states of the judges differ at the messages %d and %d: %d and %d bytes", sequences[0], sequences[1], len(states[0]), len(states[1]))
	}
	t.Logf("both judges have the same state at message %d: %d bytes", sequences[0], len(states[0]))
}

// stateOf is what a judge that was stopped has stored: the state of its engine, and what it
// knows of the edges.
func (h *hosts) stateOf(t *testing.T, judge *Process) []byte {
	t.Helper()
	store, err := state.Open(filepath.Join(h.Dir, judge.Name+".db"), state.Options{})
	must(t, err)
	defer store.Close()
	var all []byte
	_, err = store.Recover(func(open func() (func() ([]byte, error), error)) error {
		next, err := open()
		for err == nil {
			var piece []byte
			if piece, err = next(); piece == nil {
				return err
			}
			all = append(all, piece...)
		}
		return err
	}, func(state.Input) error { return nil })
	must(t, err)
	kept, err := store.Kept("cluster judge")
	must(t, err)
	if len(kept) == 0 || len(all) == 0 {
		t.Fatalf("%s has stored %d bytes of its engine and %d of its edges, want some", judge.Name, len(all), len(kept))
	}
	return append(all, kept...)
}
