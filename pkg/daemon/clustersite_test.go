package daemon

import (
	"bytes"
	"net/netip"
	"testing"

	"csmail/pkg/event"
	"csmail/pkg/merge"
	"csmail/pkg/wire"
)

// relayed is a failed login as the server behind a Dovecot proxy logs it, or the proxy.
func relayed(cause event.Cause, phase event.Phase) func(*event.Record) {
	return func(r *event.Record) {
		r.Service, r.Program, r.Kind, r.User, r.Session = event.Dovecot, "dovecot/imap-login", event.AuthFailed, "bob", "u1Dl"
		r.Cause, r.Phase, r.Message = cause, phase, "a login"
	}
}

// What a proxy and the server behind it report counts once if they are edges of one site, also
// when a judge was restarted in between; both judges are the same.
func TestJudgeJoinsASite(t *testing.T) {
	const client = "203.0.113.77"
	for name, tt := range map[string]struct {
		sites string
		want  int
	}{
		"of one site":  {"sites: {paris: [mx1, mx2]}", 1},
		"of two sites": {"sites: {paris: [mx1], rome: [mx2]}", 2},
		"of none":      {"sites: {}", 2},
	} {
		t.Run(name, func(t *testing.T) {
			var all [2]*Daemon
			var rigs [2]*rig
			for i := range all {
				rigs[i] = newRig(t)
				rigs[i].configure("cluster: {role: judge, name: j" + string(rune('0'+i)) + ", servers: ['nats://127.0.0.1:1'], judges: [j0, j1], edges: [mx1, mx2], " + tt.sites + "}\n")
				all[i] = rigs[i].inCluster(t)
				j := all[i].cluster.judge
				j.key = event.HashKey{1}
				all[i].engine = j.fresh()
			}
			s := newStream(t)
			s.says("mx1", client, relayed(0, event.End))
			s.passes()
			s.takeAll(all[0])
			s.takeAll(all[1])
			if err := all[1].storeNow(); err != nil {
				t.Fatal(err)
			}
			all[1].workers.stop()
			all[1].close()
			all[1] = rigs[1].inCluster(t)
			s.says("mx2", client, relayed(event.Relayed, event.Attempt))
			s.passes()
			s.passes()
			for _, d := range all {
				s.takeAll(d)
				got := 0
				for _, kind := range d.engine.Guard().History(netip.MustParseAddr(client)).Offences {
					got += kind.N
				}
				if got != tt.want {
					t.Errorf("%s: got %d attempts, want %d", d.cluster.name, got, tt.want)
				}
			}
			if a, b := snapshots(t, all[0]), snapshots(t, all[1]); !bytes.Equal(a, b) {
				t.Errorf("got states of %d and %d bytes that differ, want equal ones", len(a), len(b))
			}
		})
	}
}

// The state of a judge of before it joined sites is read, and knows no connection.
func TestJudgeStateOfBefore(t *testing.T) {
	d, _ := inCluster(t, "judge", "j0")
	j := d.cluster.judge
	j.key, j.place.Sequence = event.HashKey{1}, 7
	c := &wire.Codec{}
	j.encode(c)
	before := append([]byte{1}, c.B[1:len(c.B)-1]...) // version 1 ends before the number of connections, 0
	j.place.Sequence = 8
	if err := j.restore(merge.New(merge.Options{}).AppendSnapshot(before)); err != nil || j.place.Sequence != 7 {
		t.Errorf("got %v at message %d, want 7", err, j.place.Sequence)
	}
}
