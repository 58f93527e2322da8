package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/merge"
	"csmail/pkg/state"
	"csmail/pkg/wire"
)

// judges writes the configuration of a judge or more.
func (r *rig) judges(name, edges, more string) {
	r.t.Helper()
	r.configure("cluster: {role: judge, name: " + name + ", servers: ['nats://127.0.0.1:1'], judges: [j0, j1], edges: " + edges + "}\n" + more)
}

// inCluster returns a daemon of a cluster whose servers do not answer. Its loop does not
// run.
func inCluster(t *testing.T, role, name string) (*Daemon, *rig) {
	t.Helper()
	r := newRig(t)
	r.configure("cluster: {role: '" + role + "', name: " + name + ", servers: ['nats://127.0.0.1:1'], judges: [j0, j1], edges: [mx1, mx2]}\n")
	return r.inCluster(t), r
}

func (r *rig) inCluster(t *testing.T) *Daemon {
	t.Helper()
	options := r.options()
	options.Log = slog.New(slog.DiscardHandler)
	options.Notify = func(string) {}
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
			d, _ := inCluster(t, role, "j0")
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
		})
	}
}

// A message that comes again, as after a reload, is not taken again.
func TestJudgeTakesMessagesOnce(t *testing.T) {
	d, _ := inCluster(t, "judge", "j0")
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

// stream is a stream of the cluster's as judges read it.
type stream struct {
	t        *testing.T
	messages []cluster.Message
	at       time.Time
	next     map[string]uint64
}

func newStream(t *testing.T) *stream {
	return &stream{t: t, at: time.Now().UTC().Add(-time.Hour).Truncate(time.Second), next: map[string]uint64{}}
}

func (s *stream) add(edge string, data []byte) {
	s.at = s.at.Add(time.Second)
	s.messages = append(s.messages, cluster.Message{Place: cluster.Place{Created: 1, Sequence: uint64(len(s.messages) + 1)}, Edge: edge, Data: data, Stamp: s.at})
}

// guesses adds n failed logins of a client, as an edge sends them.
func (s *stream) guesses(edge string, n int, client string) {
	s.t.Helper()
	b := &wire.Batch{Epoch: 1, First: s.next[edge], Sent: s.at, Through: s.at}
	for i := range n {
		at := s.at.Add(time.Duration(i-n) * time.Millisecond)
		b.Facts = append(b.Facts, wire.Fact{Place: at, Record: event.Record{
			Outcome: event.Noted, Event: event.Event{
				Time: at, Host: edge, Service: event.Postfix, Program: "postfix/smtpd", Kind: event.AuthFailed, Addr: netip.MustParseAddr(client), Attempts: 1,
				User: fmt.Sprint("user", s.next[edge]+uint64(i)), PID: i + 1, Message: "a guess",
			},
		}})
	}
	s.next[edge] += uint64(n)
	s.add(edge, wire.AppendBatch(nil, b))
}

func (s *stream) declares(judge string, rules config.Rules) {
	s.t.Helper()
	text, err := json.Marshal(order{Judge: judge, Rules: rules.Hash()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.add("", text)
}

// takeAll has a judge take the messages that it did not take yet.
func (s *stream) takeAll(d *Daemon) {
	for _, m := range s.messages {
		d.cluster.judge.takeMessage(d, m)
	}
}

// snapshots are the whole state of a judge: the engine's and that of the merge.
func snapshots(t *testing.T, d *Daemon) []byte {
	t.Helper()
	b, err := d.engine.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, d.cluster.judge.snapshot()...)
}

// pair are two judges with the same key, as the servers give it to them.
func pair(t *testing.T) (all [2]*Daemon, rigs [2]*rig) {
	t.Helper()
	for i := range all {
		all[i], rigs[i] = inCluster(t, "judge", fmt.Sprint("j", i))
		j := all[i].cluster.judge
		j.key = event.HashKey{1}
		all[i].engine = j.fresh()
		j.applyOwn(all[i].engine)
	}
	return all, rigs
}

// Two judges have the same state, byte for byte, at the same message of the stream, also
// if one of them was restarted or read its configuration anew in between.
func TestJudgesAreEqual(t *testing.T) {
	all, rigs := pair(t)
	s := newStream(t)
	for round := range 20 {
		for n, edge := range []string{"mx1", "mx2"} {
			s.guesses(edge, round%3+1, fmt.Sprintf("203.0.113.%d", round*n%5+1))
		}
		s.takeAll(all[0])
		if round%4 == 3 {
			s.takeAll(all[1])
		}
		switch round {
		case 7:
			all[1].reload(t.Context())
		case 11:
			if err := all[1].storeNow(); err != nil {
				t.Fatal(err)
			}
		case 13: // messages of after the checkpoint come again
			s.takeAll(all[1])
			all[1].workers.stop()
			all[1].close()
			all[1] = rigs[1].inCluster(t)
			s.takeAll(all[1])
		}
	}
	s.takeAll(all[1])
	if a, b := snapshots(t, all[0]), snapshots(t, all[1]); !bytes.Equal(a, b) {
		t.Errorf("got states of %d and %d bytes that differ, want equal ones", len(a), len(b))
	}
	if n := all[0].engine.Buckets().Stats().Sources; n == 0 {
		t.Error("got a state that knows no source, want some")
	}
}

// says adds facts about a client of the same second, as an edge sends them; each fill makes one.
func (s *stream) says(edge, client string, fill ...func(*event.Record)) {
	s.t.Helper()
	b := &wire.Batch{Epoch: 1, First: s.next[edge], Sent: s.at, Through: s.at}
	for _, f := range fill {
		r := event.Record{Outcome: event.Noted, Event: event.Event{Time: s.at, Host: edge, Addr: netip.MustParseAddr(client), Attempts: 1}}
		f(&r)
		b.Facts = append(b.Facts, wire.Fact{Place: s.at, Record: r})
	}
	s.next[edge] += uint64(len(fill))
	s.add(edge, wire.AppendBatch(nil, b))
}

// login is a login by the log of a host.
func login(host string) func(*event.Record) {
	return func(r *event.Record) {
		r.Host, r.Service, r.Program, r.Kind, r.User, r.Message = host, event.Dovecot, "dovecot", event.LoginOK, "bob", "a login"
	}
}

func denied(r *event.Record) {
	r.Service, r.Program, r.Kind, r.Message = event.Postfix, "postfix/smtpd", event.RelayDenied, "denied"
}

// passes adds empty batches of both edges, so that all facts before are judged.
func (s *stream) passes() {
	s.t.Helper()
	s.says("mx1", thief)
	s.says("mx2", thief)
}

// orders adds a person's command.
func (s *stream) orders(o order) {
	s.t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.add("", text)
}

// excused returns how many attempts of a client the guard excuses.
func excused(d *Daemon, client string) (n int) {
	for _, e := range d.engine.Guard().History(netip.MustParseAddr(client)).Excuses {
		n += e.Attempts
	}
	return n
}

// What is found in messages that wait behind one another is stored in one commit, and before an
// order that may be about it; without the disk the order waits, and nothing after it is taken.
func TestFindingsAreStoredTogether(t *testing.T) {
	d, _ := inCluster(t, "judge", "j0")
	s := newStream(t)
	client := func(i int) string { return fmt.Sprintf("203.0.113.%d", i+1) }
	for i := range 10 {
		s.guesses("mx1", 20, client(i))
		s.passes()
	}
	s.orders(order{Unban: netip.MustParsePrefix(client(0) + "/32"), Until: time.Now().Add(time.Hour)})
	s.guesses("mx1", 20, client(10))
	s.passes()
	before := d.store.Stats().Commits
	j := d.cluster.judge
	takeAll := func() {
		j.together, j.arrivals = time.Hour, make(chan cluster.Message, len(s.messages))
		for _, m := range s.messages[1:] {
			j.arrivals <- m
		}
		j.takeMessages(d, s.messages[0])
	}
	takeAll()
	stats := d.store.Stats()
	if n := stats.Commits - before; n < 1 || n > 5 {
		t.Errorf("got %d commits for %d messages, want a few", n, len(s.messages))
	}
	found := map[string]int{}
	for _, list := range (answers{d}).lists() {
		if err := eachOf(list, func(e *state.Entry) { found[e.Alert.Value()]++ }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 11 {
		if n := found[client(i)]; (n > 0) != (i > 0) {
			t.Errorf("got %d alerts on %s, want some unless the order forgave it", n, client(i))
		}
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	at := uint64(len(s.messages))
	s.guesses("mx1", 20, client(20))
	s.passes()
	s.orders(order{Unban: netip.MustParsePrefix(client(20) + "/32"), Until: time.Now().Add(time.Hour)})
	s.guesses("mx1", 20, client(21))
	takeAll()
	if j.place.Sequence != at+3 || len(j.waits) != 1 {
		t.Errorf("without a disk: got message %d taken and %d that wait, want %d and the order", j.place.Sequence, len(j.waits), at+3)
	}
}

// A judge that was started without the state of another delivers nothing, also after a restart,
// and says what to do; with that state it does.
func TestJudgeWithoutMemory(t *testing.T) {
	d, r := inCluster(t, "judge", "j0")
	j := d.cluster.judge
	s := newStream(t)
	b := &wire.Batch{Epoch: 1, First: 500, Sent: s.at, Through: s.at}
	data := wire.AppendBatch(nil, b)
	wire.SetSent(data, s.at, 500) // the edge has forgotten the facts that all judges had stored
	s.add("mx1", data)
	s.takeAll(d)
	state := func() []string { return clusterTroubles(d.cluster.status(), time.Now()) }
	isBlank := func(troubles []string) bool {
		return slices.ContainsFunc(troubles, func(s string) bool {
			return strings.Contains(s, "this judge delivers nothing, since it does not know what hosts sent before (mx1)") && strings.Contains(s, "csmail cluster judge adopt")
		})
	}
	if !j.isBlank || !isBlank(state()) {
		t.Errorf("got blank %t and troubles %q, want a judge that says what it lacks", j.isBlank, state())
	}
	if err := d.storeNow(); err != nil {
		t.Fatal(err)
	}
	d.workers.stop()
	d.close()
	d = r.inCluster(t)
	if !d.cluster.judge.isBlank || !isBlank(state()) {
		t.Errorf("after a restart: got blank %t and troubles %q, want the same", d.cluster.judge.isBlank, state())
	}
	s.next["mx1"] = 0
	b = &wire.Batch{Epoch: 2, Sent: s.at, Through: s.at}
	s.add("mx1", wire.AppendBatch(nil, b))
	s.takeAll(d)
	if d.cluster.judge.isBlank || isBlank(state()) {
		t.Errorf("the edge reads back all: got blank %t and troubles %q, want neither", d.cluster.judge.isBlank, state())
	}
}

const thief = "203.0.113.66"

// An edge that names two hosts in its lines is one witness: whoever took it over cannot have
// himself excused everywhere by that.
func TestOneEdgeIsOneWitness(t *testing.T) {
	for name, tt := range map[string]struct {
		second string // edge
		host   string // that its log names
		want   int
	}{
		"two hosts of one edge": {"mx2", "b", 0},
		"one host twice":        {"mx2", "a", 0},
		"two edges":             {"mx1", "mx1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			all, _ := pair(t)
			d, s := all[0], newStream(t)
			s.says("mx2", thief, login("a"))
			s.says(tt.second, thief, login(tt.host))
			s.says("mx1", thief, denied)
			for _, edge := range []string{"mx2", "mx1"} {
				s.says(edge, thief)
			}
			s.takeAll(d)
			if got := excused(d, thief); got != tt.want {
				t.Errorf("got %d excused attempts on mx1, want %d", got, tt.want)
			}
		})
	}
}

// A distrusted edge counts for nothing from one place in the stream on, on both judges, and
// what it reported before excuses nobody any more; also after a restart, and after it was
// installed anew.
func TestDistrustedEdge(t *testing.T) {
	all, rigs := pair(t)
	s := newStream(t)
	own := netip.MustParseAddr("203.0.113.67")
	s.says("mx2", thief, login("a"))
	s.at = s.at.Add(25 * time.Hour)
	s.says("mx2", thief, login("a")) // on another day: it counts everywhere
	s.add("mx2", wire.AppendBatch(nil, &wire.Batch{Epoch: 1, First: 2, Sent: s.at, Through: s.at, Own: []netip.Addr{own}}))
	s.says("mx1", thief, denied, denied)
	s.says("mx2", thief)
	s.says("mx1", thief)
	for _, d := range all {
		s.takeAll(d)
		if got := excused(d, thief); got != 2 {
			t.Fatalf("before: got %d excused attempts, want 2", got)
		}
		if _, spared := d.engine.Guard().Touches(netip.PrefixFrom(own, 32)); !spared {
			t.Fatal("before: an address of the edge is not spared")
		}
	}
	s.says("mx2", thief, login("a")) // waits for its turn
	s.orders(order{Distrust: "mx2"})
	s.says("mx2", thief, login("a"))
	s.says("mx1", thief, denied)
	s.takeAll(all[0])
	for i := range 3 {
		s.guesses("mx1", 2, fmt.Sprintf("203.0.113.%d", i+1))
		s.says("mx2", thief, login("a"))
	}
	s.takeAll(all[0])
	s.takeAll(all[1])
	equal := func(when string) {
		t.Helper()
		if a, b := snapshots(t, all[0]), snapshots(t, all[1]); !bytes.Equal(a, b) {
			t.Errorf("%s: got states of %d and %d bytes that differ, want equal ones", when, len(a), len(b))
		}
		for i, d := range all {
			if got := excused(d, thief); got != 0 {
				t.Errorf("%s: judge %d excuses %d attempts, want none", when, i, got)
			}
			if _, spared := d.engine.Guard().Touches(netip.PrefixFrom(own, 32)); spared {
				t.Errorf("%s: judge %d spares an address that the edge called its own", when, i)
			}
			if troubles := clusterTroubles(d.cluster.status(), time.Now()); !slices.ContainsFunc(troubles, func(s string) bool {
				return strings.Contains(s, "what mx2 sends is refused: it is distrusted")
			}) {
				t.Errorf("%s: judge %d: got troubles %q, want that mx2 is distrusted", when, i, troubles)
			}
		}
	}
	equal("after the order")
	if err := all[1].storeNow(); err != nil {
		t.Fatal(err)
	}
	all[1].workers.stop()
	all[1].close()
	all[1] = rigs[1].inCluster(t)
	s.says("mx2", thief, login("a"))
	s.says("mx1", thief, denied)
	s.takeAll(all[0])
	s.takeAll(all[1])
	equal("after a restart of one")
	s.orders(order{Distrust: "mx2"}) // again
	s.takeAll(all[0])
	s.takeAll(all[1])
	equal("after the order came again")
}

// Once a distrusted edge is out of cluster.edges, as the command advises, there is no trouble
// with it any more.
func TestDistrustedEdgeIsTakenOut(t *testing.T) {
	all, rigs := pair(t)
	s := newStream(t)
	for i, d := range all {
		s.declares(fmt.Sprint("j", i), d.cluster.judge.rules.own)
	}
	s.orders(order{Distrust: "mx2"})
	s.says("mx2", thief, login("a"))
	for i, d := range all {
		s.takeAll(d)
		rigs[i].judges(fmt.Sprint("j", i), "[mx1]", "")
		if d.reload(t.Context()); d.reloadErr != nil {
			t.Fatal(d.reloadErr)
		}
		s.declares(fmt.Sprint("j", i), d.cluster.judge.rules.own)
	}
	for i, d := range all {
		s.takeAll(d)
		if got := d.cluster.judge.merger.Expected(); !slices.Equal(got, []string{"mx1"}) {
			t.Errorf("judge %d counts %q, want mx1", i, got)
		}
		if got := clusterTroubles(d.cluster.status(), time.Now()); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "mx2") }) {
			t.Errorf("judge %d: got troubles %q, want none with mx2", i, got)
		}
	}
}

// A configuration with other rules takes effect on both judges at the same message: where
// the stream says that the second one has it too.
func TestRulesTakeEffectTogether(t *testing.T) {
	all, rigs := pair(t)
	s := newStream(t)
	for i, d := range all {
		s.declares(fmt.Sprint("j", i), d.cluster.judge.rules.own)
	}
	s.guesses("mx1", 3, "203.0.113.1")
	for i, d := range all {
		s.takeAll(d)
		rigs[i].judges(fmt.Sprint("j", i), "[mx1, mx3]", "guard: {bans_per_hour: 77}\n")
	}
	inForce := func(when string, want ...int) {
		t.Helper()
		for i, d := range all {
			if got := d.cluster.judge.rules.inForce.Guard.BansPerHour; got != want[i] {
				t.Errorf("%s: judge %d holds more than %d bans an hour, want %d", when, i, got, want[i])
			}
		}
	}
	all[0].reload(t.Context())
	if all[0].reloadErr != nil {
		t.Fatal(all[0].reloadErr)
	}
	s.declares("j0", all[0].cluster.judge.rules.own)
	s.takeAll(all[0])
	inForce("one judge was reloaded", 2000, 2000)
	if s := all[0].cluster.status().Judge; s.SameRules || !slices.Equal(s.Differing, []string{"j1"}) {
		t.Errorf("got status %+v, want j1 to differ", s)
	}
	all[1].reload(t.Context())
	inForce("the stream does not say so yet", 2000, 2000)
	s.guesses("mx3", 3, "203.0.113.1") // of no member yet
	s.declares("j1", all[1].cluster.judge.rules.own)
	s.takeAll(all[0])
	inForce("the other one has not read so far", 77, 2000)
	s.takeAll(all[1])
	inForce("both have", 77, 77)
	for i, d := range all {
		if got := d.cluster.judge.merger.Expected(); !slices.Equal(got, []string{"mx1", "mx3"}) {
			t.Errorf("judge %d counts %q, want mx1 and mx3", i, got)
		}
	}
	if a, b := snapshots(t, all[0]), snapshots(t, all[1]); !bytes.Equal(a, b) {
		t.Errorf("got states of %d and %d bytes that differ, want equal ones", len(a), len(b))
	}
}

// A judge that is restarted with other numbers goes on by those in force until all have
// the others.
func TestRulesOutlastARestart(t *testing.T) {
	d, r := inCluster(t, "judge", "j0")
	if err := d.storeNow(); err != nil {
		t.Fatal(err)
	}
	d.workers.stop()
	d.close()
	r.judges("j0", "[mx1]", "guard: {bans_per_hour: 77}\n")
	d = r.inCluster(t)
	if got := d.cluster.judge.rules.inForce.Guard.BansPerHour; got != 2000 {
		t.Errorf("got %d in force, want 2000 as before", got)
	}
	if got := d.cluster.judge.merger.Expected(); !slices.Equal(got, []string{"mx1", "mx2"}) {
		t.Errorf("got members %q, want mx1 and mx2 as before", got)
	}
}

// A judge whose state cannot be read does not start: it would know nobody who is proven.
func TestJudgeDoesNotForget(t *testing.T) {
	d, _ := inCluster(t, "judge", "j0")
	_, err := (recovery{d}).startAnew(t.Context(), wire.ErrDamaged)
	if !errors.Is(err, wire.ErrDamaged) || !strings.Contains(hint.Of(err), "move their state files away") {
		t.Errorf("got %v (%s), want an error with what to do", err, hint.Of(err))
	}
}

// What an edge of another release sends is refused by name and counts for nothing; from
// where it was refused on the edge is asked for it again, and counts when it can be read.
func TestAnotherRelease(t *testing.T) {
	d, _ := inCluster(t, "judge", "j0")
	s := newStream(t)
	s.guesses("mx1", 2, "203.0.113.1")
	s.guesses("mx1", 2, "203.0.113.1")
	newer := &s.messages[1]
	readable := bytes.Clone(newer.Data)
	newer.Data[0]++ // the version of the format
	s.guesses("mx1", 2, "203.0.113.1")
	s.takeAll(d)
	state := func() control.EdgeState {
		edges := d.cluster.status().Judge.Edges
		return edges[slices.IndexFunc(edges, func(e control.EdgeState) bool { return e.Name == "mx1" })]
	}
	if got := state(); !strings.Contains(got.Refused, "of another release of csmail") || got.Gaps != 1 {
		t.Errorf("got %+v, want one refusal by the release, and one gap behind it", got)
	}
	if got := d.cluster.judge.merger.Positions()["mx1"].Next; got != 2 {
		t.Errorf("got position %d, want 2: nothing of what cannot be read counts", got)
	}
	third := s.messages[2].Data
	s.add("mx1", readable) // the judge was upgraded, or the edge is asked again
	s.add("mx1", third)
	s.takeAll(d)
	if got := state(); got.Refused != "" || d.cluster.judge.merger.Positions()["mx1"].Next != 6 {
		t.Errorf("got %+v at %d, want all taken", got, d.cluster.judge.merger.Positions()["mx1"].Next)
	}
}
