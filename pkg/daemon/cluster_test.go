package daemon

import (
	"log/slog"
	"net/netip"
	"testing"

	"csmail/pkg/cluster"
	"csmail/pkg/merge"
	"csmail/pkg/wire"
)

// inCluster returns a daemon of a cluster whose servers do not answer, as it is before its
// loop begins.
func inCluster(t *testing.T, role string) *Daemon {
	t.Helper()
	r := newRig(t)
	r.configure("cluster: {role: '" + role + "', name: j1, servers: ['nats://127.0.0.1:1'], judges: [j1], edges: [mx1, mx2]}\n")
	options := r.options()
	options.Log = slog.New(slog.DiscardHandler)
	d := newDaemon(options)
	if err := d.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.surround(t.Context())
	t.Cleanup(func() { d.workers.stop(); d.close() })
	return d
}

var mx1 = netip.MustParseAddr("203.0.113.25")

// The guard of a judge spares the addresses of the edges, whatever is read anew.
func TestJudgeSparesEdges(t *testing.T) {
	for name, role := range map[string]string{"judge": "judge", "both": "edge, judge"} {
		t.Run(name, func(t *testing.T) {
			d := inCluster(t, role)
			spared := func(when string, want bool) {
				t.Helper()
				_, got := d.engine.Guard().Touches(netip.PrefixFrom(mx1, 32))
				if got != want {
					t.Errorf("%s: spared is %v, want %v", when, got, want)
				}
			}
			spared("before the edge is heard", false)
			b := &wire.Batch{Epoch: 1, Sent: d.started, Own: []netip.Addr{mx1}}
			d.cluster.judge.takeMessage(d, cluster.Message{Place: cluster.Place{Created: 1, Sequence: 1}, Edge: "mx1", Data: wire.AppendBatch(nil, b), Stamp: d.started})
			spared("after its first batch", true)
			d.useNames()
			spared("after the names were looked up", true)
			d.reload(t.Context())
			if d.reloadErr != nil {
				t.Fatal(d.reloadErr)
			}
			spared("after a reload", true)
			if _, err := (recovery{d}).startAnew(t.Context(), wire.ErrDamaged); err != nil {
				t.Fatal(err)
			}
			spared("after a state that cannot be read", false) // the stream is read again
			if d.cluster.judge.place != (cluster.Place{}) || len(d.cluster.judge.merger.Positions()) > 0 {
				t.Errorf("the stream is read on from %+v, want its start", d.cluster.judge.place)
			}
		})
	}
}

// A message that comes again, as after a reload, is not taken again.
func TestJudgeTakesMessagesOnce(t *testing.T) {
	d := inCluster(t, "judge")
	for range 2 {
		for n := range uint64(3) {
			b := &wire.Batch{Epoch: 1, First: n, Sent: d.started, Facts: []wire.Fact{{Place: d.started}}}
			b.Facts[0].Record.Time = d.started
			d.cluster.judge.takeMessage(d, cluster.Message{Place: cluster.Place{Created: 1, Sequence: n + 1}, Edge: "mx1", Data: wire.AppendBatch(nil, b), Stamp: d.started})
		}
	}
	if got, want := d.cluster.judge.merger.Positions()["mx1"], (merge.Position{Epoch: 1, Next: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, e := range d.cluster.judge.merger.Edges() {
		if e.Repeated != 0 {
			t.Errorf("%s: %d facts repeated, want none", e.Name, e.Repeated)
		}
	}
}
