//go:build e2e

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/control"
)

// A judge whose state is lost delivers nothing, since the stream does not hold what the hosts
// sent before. With the memory out of a copy of the other's state file it goes on as that one does.
func TestJudgeFromACopy(t *testing.T) {
	h := start(t, 0)
	h.writePart(t, 3*time.Second, 0, 0.5)
	h.awaitAll(t)
	h.restart(t, h.judges...) // it stores what it knows, and tells the edges
	h.await(t, "the edges to forget what both judges have stored", func() bool {
		return !slices.ContainsFunc(h.edges, func(p *Process) bool { s := h.status(t, p); return s == nil || s.Edge.Kept > 0 })
	})
	h.wipe(t) // as after two hours, the stream holds nothing from before
	lost := h.judges[1]
	lost.Stop(syscall.SIGKILL)
	for _, p := range h.Nodes {
		must(t, p.Start())
	}
	lost.Log += ".blank"
	must(t, os.Remove(h.stateFile(lost)))
	must(t, lost.Start())
	h.await(t, "the judge without memory to say so", func() bool {
		s := h.status(t, lost)
		return s != nil && len(s.Judge.Blank()) == len(edgeNames) && !s.Judge.Leads
	})
	h.await(t, "the other judge to lead", func() bool { s := h.status(t, h.judges[0]); return s != nil && s.Judge.Leads })

	lost.Stop(syscall.SIGTERM)
	h.judges[0].Stop(syscall.SIGTERM)
	state, err := os.ReadFile(h.stateFile(h.judges[0]))
	must(t, err)
	copied := h.stateFile(lost) + ".copy"
	must(t, os.WriteFile(copied, state, 0o600))
	if out, err := exec.Command(csmail, "-c", filepath.Join(h.Dir, lost.Name+".yaml"), "cluster", "judge", "adopt", copied).CombinedOutput(); err != nil {
		t.Fatalf("csmail cluster judge adopt: %v: %s", err, out)
	}
	before := judged(t, h.judges[0])
	for _, p := range h.judges {
		p.Log += ".copied"
		must(t, p.Start())
	}
	h.writePart(t, 3*time.Second, 0.5, 1)
	h.awaitAll(t)
	if s := h.status(t, lost); s == nil || len(s.Judge.Blank()) > 0 {
		t.Errorf("got %+v, want a judge with the memory of the other", s)
	}
	// A backtest may find some a few seconds earlier or later: while nothing is written, the
	// edges go on by the clock.
	h.await(t, "both judges to come to the same from there on", func() bool {
		found := judged(t, h.judges[0])
		return len(found) > 30 && slices.Equal(found, judged(t, lost))
	})
	h.await(t, "each alert to stand in the LAPI once", func() bool { return h.standOnce(t, slices.Concat(before, judged(t, h.judges[0]))) })
	h.checkStates(t)
}

// standOnce reports whether each finding that is to be pushed stands in the LAPI once, and
// nothing else.
func (h *hosts) standOnce(t *testing.T, found []finding) bool {
	pushed := map[string]bool{}
	for _, f := range found {
		if f.verdict != "hold" && f.value != "(account)" {
			pushed[f.id] = true
		}
	}
	count := h.inLAPI(t)
	for id := range pushed {
		if count[id] != 1 {
			return false
		}
	}
	return len(count) == len(pushed)
}

func (h *hosts) stateFile(p *Process) string { return filepath.Join(h.Dir, p.Name+".db") }

// restart ends daemons in order, and starts them again.
func (h *hosts) restart(t *testing.T, all ...*Process) {
	t.Helper()
	for _, p := range all {
		p.Stop(syscall.SIGTERM)
		must(t, p.Start())
	}
}

// status returns what a daemon says of the cluster, nil if it does not answer.
func (h *hosts) status(t *testing.T, p *Process) *control.Cluster {
	s, err := control.NewClient(filepath.Join(h.Dir, p.Name+".sock")).Status(t.Context())
	if err != nil {
		return nil
	}
	return s.Cluster
}

// await waits until something is so.
func (h *hosts) await(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !isSo(); time.Sleep(300 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waiting for " + what)
		}
	}
}
