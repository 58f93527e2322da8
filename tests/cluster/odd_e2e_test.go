//go:build e2e

package cluster

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The same comes out with messages missing in the middle of the stream, a host whose clock
// is 90 s ahead, one that is cut off for a while, and one that gets another name, while
// all are reloaded.
func TestOddHosts(t *testing.T) {
	const cutOff, renamed, ahead = 0, 2, 3
	h := prepare(t, loses, forever)
	h.shiftClock(t, ahead, 90*time.Second)
	gates := h.behindGates(t, cutOff)
	h.run(t, h.Nodes...)
	js := h.openStream(t)
	h.run(t, h.edges...)
	h.writePart(t, 6*time.Second, 0, 0.5)
	h.loseMiddle(t, js)
	h.run(t, h.judges...)

	cut(gates, true)
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.writePart(t, 12*time.Second, 0.5, 1)
	}()
	time.Sleep(3 * time.Second)
	h.rename(t, renamed, "mx2b")
	time.Sleep(5 * time.Second)
	cut(gates, false)
	h.reload(t, slices.Concat(h.edges, h.judges)...)
	<-written
	h.check(t, patience)
}

// behindGates has an edge reach the servers through gates alone.
func (h *hosts) behindGates(t *testing.T, edge int) (gates []*Gate) {
	t.Helper()
	direct, settings := h.Servers, ""
	h.Servers = nil
	for _, server := range direct {
		u, err := url.Parse(server)
		must(t, err)
		g, err := NewGate(u.Host)
		must(t, err)
		t.Cleanup(g.Close)
		gates = append(gates, g)
		h.Servers = append(h.Servers, "nats://"+g.Addr)
	}
	settings = h.edgeSettings(edge, edgeNames[edge])
	h.Servers = direct
	must(t, h.Configure(edgeNames[edge], settings))
	return gates
}

func cut(gates []*Gate, isCut bool) {
	for _, g := range gates {
		g.Cut(isCut)
	}
}

// openStream makes the stream before any judge does, so that messages can be deleted.
func (h *hosts) openStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(strings.Join(h.Servers, ","), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	for range 120 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "CSMAIL", Subjects: []string{"csmail.in.>"}, Replicas: 3, AllowDirect: true})
		cancel()
		if err == nil {
			return js
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}

// loseMiddle deletes messages in the middle of what the edges have sent.
func (h *hosts) loseMiddle(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	s, err := js.Stream(t.Context(), "CSMAIL")
	must(t, err)
	var lost int
	for sequence := s.CachedInfo().State.LastSeq * 2 / 5; sequence < s.CachedInfo().State.LastSeq*3/5; sequence++ {
		if err := s.DeleteMsg(t.Context(), sequence); err == nil {
			lost++
		}
	}
	if lost < 10 {
		t.Fatalf("%d messages were deleted in the middle of %d, want more", lost, s.CachedInfo().State.LastSeq)
	}
	t.Logf("%d of %d messages deleted", lost, s.CachedInfo().State.LastSeq)
}

// rename gives an edge another name, and tells the judges.
func (h *hosts) rename(t *testing.T, edge int, name string) {
	t.Helper()
	p := h.edges[edge]
	p.Stop(syscall.SIGKILL)
	must(t, h.Configure(edgeNames[edge], h.edgeSettings(edge, name)))
	must(t, p.Start())
	names := slices.Clone(edgeNames)
	names[edge] = name
	for _, judge := range h.judges {
		must(t, h.Configure(judge.Name, h.judgeSettings(judge.Name, names)))
	}
	h.reload(t, h.judges...)
}

// The others do not wait for ever for a host that is stopped. What it sends later counts as
// late lines do: both judges come to the same, and nobody is banned who would not be
// otherwise.
func TestLateHost(t *testing.T) {
	h := prepare(t, 0, "3s")
	h.run(t, slices.Concat(h.Nodes, h.judges, h.edges)...)
	h.writePart(t, 5*time.Second, 0, 0.5)
	must(t, h.edges[1].Signal(syscall.SIGSTOP))
	h.writePart(t, 10*time.Second, 0.5, 1)
	must(t, h.edges[1].Signal(syscall.SIGCONT))
	h.awaitAll(t)
	h.checkStates(t)

	want, _ := h.backtested(t)
	banned := map[string]bool{}
	for _, f := range want {
		banned[f.value] = banned[f.value] || f.verdict == "ban"
	}
	var values []string
	for _, f := range judged(t, h.judges[0]) {
		if f.verdict == "ban" && !banned[f.value] {
			t.Errorf("%s is banned, and would not be in a backtest", f.value)
		}
		values = append(values, f.value)
	}
	for _, f := range want {
		if f.verdict == "ban" && !slices.Contains(values, f.value) {
			t.Errorf("%s is not found, and would be in a backtest", f.value)
		}
	}
	if a, b := judged(t, h.judges[0]), judged(t, h.judges[1]); !slices.Equal(a, b) {
		t.Errorf("the judges come to %d and %d findings that differ", len(a), len(b))
	}
}
