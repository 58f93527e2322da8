package daemon

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"csmail/pkg/config"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/state"
)

// end stops a daemon of inCluster with all that it knows on the disk.
func end(t *testing.T, d *Daemon) {
	t.Helper()
	if err := d.storeNow(); err != nil {
		t.Fatal(err)
	}
	d.workers.stop()
	d.close()
}

// A host that is edge and judge, and has lost its disk, takes the memory of another such host
// out of a copy of its state file, and keeps what it has to send itself.
func TestAdoptJudge(t *testing.T) {
	var rigs [2]*rig
	var all [2]*Daemon
	for i := range all {
		rigs[i] = newRig(t)
		rigs[i].configure("cluster: {role: 'edge, judge', name: j" + string(rune('0'+i)) + ", servers: ['nats://127.0.0.1:1'], judges: [j0, j1], edges: [mx1, mx2]}\n")
		all[i] = rigs[i].inCluster(t)
	}
	all[0].cluster.judge.key = event.HashKey{1}
	all[0].engine = all[0].cluster.judge.fresh()
	s := newStream(t)
	s.guesses("mx1", 12, "203.0.113.9")
	s.says("mx2", "203.0.113.77", login("mx2"))
	s.passes()
	s.takeAll(all[0])
	all[0].tryCommit()
	want := snapshots(t, all[0])
	pending := all[0].store.Stats().Pending
	for i, d := range all {
		facts := []state.Outgoing{{First: 0, Next: uint64(3 + i), Data: []byte("facts of j" + string(rune('0'+i)))}}
		if err := d.store.Commit(state.Batch{Outgoing: facts, Cursors: map[string]string{"a log": "of j" + string(rune('0'+i))}}); err != nil {
			t.Fatal(err)
		}
		end(t, d)
	}
	copied, err := os.ReadFile(rigs[0].path("state.db"))
	if err != nil {
		t.Fatal(err)
	}
	rigs[1].write("copy.db", string(copied))
	c, err := config.Load(rigs[1].path("csmail.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := AdoptJudge(c, rigs[1].path("copy.db")); err != nil {
		t.Fatal(err)
	}

	d := rigs[1].inCluster(t)
	if got := snapshots(t, d); !bytes.Equal(got, want) {
		t.Errorf("got a state of %d bytes, want the %d of the other judge", len(got), len(want))
	}
	if got := d.store.Stats().Pending; got != pending || pending == 0 {
		t.Errorf("got %d alerts that wait, want the %d of the other judge", got, pending)
	}
	kept, found, err := d.store.OutgoingBatch(0)
	if err != nil || !found || string(kept.Data) != "facts of j1" {
		t.Errorf("got %q to send, %v, want its own facts", kept.Data, err)
	}
	if cursors, err := d.store.Cursors(); err != nil || cursors["a log"] != "of j1" {
		t.Errorf("got the cursors %v, %v, want its own", cursors, err)
	}
	if d.cluster.judge.isBlank {
		t.Error("got a judge without memory, want one with that of the other")
	}
}

// What cannot be adopted is refused, and nothing is changed.
func TestAdoptJudgeRefuses(t *testing.T) {
	r := newRig(t)
	r.judges("j0", "[mx1]", "")
	d := r.inCluster(t)
	end(t, d)
	judge, err := config.Load(r.path("csmail.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	alone := judge
	alone.Cluster.Role = ""
	empty, err := state.Open(r.path("empty.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Close(); err != nil {
		t.Fatal(err)
	}
	r.write("text.db", strings.Repeat("no state file ", 1000))
	before, err := os.ReadFile(r.path("state.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		config       config.Config
		copied, want string
	}{
		"no judge":        {alone, "empty.db", "this host is no judge"},
		"its own file":    {judge, "state.db", "is the state file of this host"},
		"no such file":    {judge, "none.db", "no such file"},
		"another program": {judge, "text.db", "the copy: "},
		"nothing in it":   {judge, "empty.db", "the file holds nothing that a judge knows"},
	} {
		err := AdoptJudge(tt.config, r.path(tt.copied))
		if err == nil || !strings.Contains(err.Error(), tt.want) || hint.Of(err) == "" {
			t.Errorf("%s: got %v (%s), want %q with a hint", name, err, hint.Of(err), tt.want)
		}
	}
	if after, err := os.ReadFile(r.path("state.db")); err != nil || len(after) != len(before) {
		t.Errorf("got a state file of %d bytes, %v, want it as it was, %d", len(after), err, len(before))
	}
	r.inCluster(t)
	if err := AdoptJudge(judge, r.path("empty.db")); err == nil {
		t.Error("while csmail runs: got no error, want one")
	}
}
