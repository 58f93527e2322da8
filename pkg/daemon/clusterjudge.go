package daemon

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/merge"
	"csmail/pkg/scenario"
	"csmail/pkg/wire"
)

// judgePart is a daemon that judges the facts of the edges.
type judgePart struct {
	name     string
	rules    rules
	key      event.HashKey // that all judges share; zero: not known yet
	judges   *cluster.Judges
	lease    *cluster.Lease
	give     chan struct{} // a person wants the lease handed over
	giving   atomic.Bool   // from then until it is handed over
	at       *cluster.At
	arrivals chan cluster.Message
	together time.Duration     // how long messages are taken before what was found in them is stored
	waits    []cluster.Message // taken from arrivals, to be taken when the state file can be written
	wake     func()            // has the sender look at the outbox

	names   hostNames
	merger  *merge.Merger
	origins origins
	sites   engine.SiteJoin
	place   cluster.Place             // of the newest message that was taken
	own     map[string][]netip.Addr   // addresses of the edges, by edge
	storing map[string]merge.Position // in the checkpoint under way
	refused map[string]string         // why batches of an edge were refused last
	missing map[string]time.Time      // when a gap was last reported
	settled bool
	isBlank bool // see noteBlank
}

func newJudgePart(conn *cluster.Conn, c config.Config, set *scenario.Set, name string) *judgePart {
	judges := conn.Judges()
	j := &judgePart{
		name: name, rules: newRules(c, set), judges: judges, at: judges.NewAt(), merger: merge.New(merge.Options{Late: time.Duration(c.Cluster.Late)}),
		origins: newOrigins(c.Cluster.Sites), sites: engine.NewSiteJoin(), own: map[string][]netip.Addr{}, refused: map[string]string{}, missing: map[string]time.Time{}, wake: func() {}, give: make(chan struct{}, 1), together: storedTogether,
	}
	j.merger.Expect(c.Cluster.Edges)
	j.lease = judges.NewLease(j.rules.own.Hash(), func(leads bool) {
		if leads {
			conn.Log().Info("this judge delivers now")
		} else {
			conn.Log().Info("this judge does not deliver any more")
		}
		j.wake()
	})
	return j
}

// snapshot is the state that a restart needs besides the engine's.
func (j *judgePart) snapshot() []byte {
	c := &wire.Codec{}
	j.encode(c)
	return j.merger.AppendSnapshot(c.B)
}

func (j *judgePart) restore(b []byte) error {
	c := &wire.Codec{B: b, Reading: true}
	j.sites = engine.NewSiteJoin()
	j.encode(c)
	if c.Err != nil {
		return fmt.Errorf("what a judge knows of its edges: %w", c.Err)
	}
	merger := merge.New(merge.Options{Late: j.merger.Late()})
	if err := merger.Restore(c.B); err != nil {
		return err
	}
	j.merger = merger
	j.isBlank = len(merger.Blank()) > 0
	return nil
}

func (j *judgePart) encode(c *wire.Codec) {
	version, created := uint64(judgeVersion), uint64(j.place.Created)
	wire.Numbers(c, &version, &created, &j.place.Sequence)
	if version < 1 || version > judgeVersion {
		c.Fail()
	}
	j.place.Created = int64(created)
	key := string(j.key[:])
	if c.Text(&key); copy(j.key[:], key) != len(j.key) {
		c.Fail()
	}
	j.rules.encode(c)
	names := slices.Sorted(maps.Keys(j.own))
	wire.List(c, &names, func(name *string) {
		c.Text(name)
		all := j.own[*name]
		wire.List(c, &all, c.Addr)
		j.own[*name] = all
	})
	if version >= 2 {
		j.sites.Encode(c)
	}
}

// judgeVersion is the version of what encode takes. Version 1 has no SiteJoin.
const judgeVersion = 2

// applyOwn has the guard spare the addresses of the edges.
func (j *judgePart) applyOwn(e *engine.Engine) {
	facts := guard.Facts{Allow: config.Prefixes(j.rules.inForce.Guard.Allow), Relays: config.Prefixes(j.rules.inForce.Guard.Relays)}
	for _, name := range slices.Sorted(maps.Keys(j.own)) {
		facts.Own = append(facts.Own, j.own[name]...)
	}
	e.Guard().SetFacts(facts)
}

// takeMessages takes a message of the stream and those that wait behind it, and stores what
// was found in all of them in one commit: a judge that catches up finds something in most of
// them, and the disk takes some hundred commits a second. Nothing is lost by that: a judge
// that ends before the commit reads the messages again.
//
// An order may be about alerts of the messages before it, so these are stored first. If that
// fails, the order waits.
func (j *judgePart) takeMessages(d *Daemon, m cluster.Message) {
	next := append(j.waits, m)
	j.waits = nil
	for began := time.Now(); len(next) > 0; {
		if m := next[0]; m.Edge == "" && d.urgent {
			if d.tryCommit(); d.commitErr != nil {
				j.waits = next
				return
			}
		}
		j.takeMessage(d, next[0])
		next = next[1:]
		if len(next) > 0 || time.Since(began) >= j.together {
			continue
		}
		select {
		case m := <-j.arrivals:
			next = append(next, m)
		default:
		}
	}
	if d.urgent {
		d.tryCommit()
	}
}

// storedTogether is how long messages are taken before what was found in them is stored.
const storedTogether = 300 * time.Millisecond

// takeMessage takes the next message of the stream. It goes by nothing else, so that
// every judge comes to the same.
func (j *judgePart) takeMessage(d *Daemon, m cluster.Message) {
	if m.Place.Created == j.place.Created && m.Place.Sequence <= j.place.Sequence {
		return // it was taken
	}
	j.place = m.Place
	if m.Edge == "" {
		j.obey(d, m)
		return
	}
	b, err := wire.ReadBatch(m.Data)
	if err != nil {
		j.refuse(d, m.Edge, err.Error())
		return
	}
	switch taken := j.merger.Add(m.Edge, b, m.Stamp); taken {
	case merge.Stranger:
		j.refuse(d, m.Edge, "it is not in cluster.edges")
		return
	case merge.Distrusted:
		j.refuse(d, m.Edge, becauseDistrusted)
		return
	case merge.Stale:
		j.refuse(d, m.Edge, "it is of an earlier life of the host, or another host has its name")
		return
	case merge.Gap:
		j.miss(d, m.Edge, b)
		return
	default:
		delete(j.refused, m.Edge)
	}
	if j.isBlank && b.First == 0 || !j.isBlank && j.merger.IsBlank(m.Edge) {
		j.noteBlank(d)
	}
	if b.Own != nil && !slices.Equal(b.Own, j.own[m.Edge]) {
		j.own[m.Edge] = ownAddresses(b.Own)
		j.applyOwn(d.engine)
	}
	j.judgeMerged(d, m.Stamp)
}

// noteBlank has this judge deliver nothing if it never had the earlier facts of an edge, as
// one that was started without the state of another: it does not know who proved himself.
func (j *judgePart) noteBlank(d *Daemon) {
	names := j.merger.Blank()
	if j.isBlank = len(names) > 0; j.isBlank {
		d.log.Error("this judge delivers nothing: it does not know what hosts sent before, nor who proved himself", "edges", names, "hint", blankHint)
	}
	j.lease.Stand(!j.isBlank)
}

// blankHint says how a judge gets the memory of another.
const blankHint = "stop csmail here and on another judge, copy that one's state file here, run csmail cluster judge adopt with the copy, and start both; with no other judge: docs/cluster.md, A judge more"

// judgeMerged judges the facts that are next in the order.
func (j *judgePart) judgeMerged(d *Daemon, stamp time.Time) {
	for f, edge := j.merger.Next(); f != nil; f, edge = j.merger.Next() {
		j.origins.set(f, edge, j.merger.Origin(edge))
		if j.origins.site[edge] != "" {
			j.sites.Join(f, &j.key)
		}
		j.names.attribute(f, edge)
		d.clock.seen(f.Place)
		d.addFindings(d.engine.TakeFact(f))
	}
	if at := j.merger.Watermark(); !at.IsZero() {
		d.addFindings(d.engine.JudgeUntil(at))
	}
	if ended := j.merger.Ended(); ended != j.settled {
		if j.settled = ended; ended {
			d.addFindings(d.engine.Settle(stamp))
		}
	}
}

// forgetRefused forgets that hosts were refused for being distrusted once they are out of
// cluster.edges, as they should be: what they go on sending is that of strangers.
func (j *judgePart) forgetRefused() {
	maps.DeleteFunc(j.refused, func(edge, why string) bool {
		return why == becauseDistrusted && !slices.Contains(j.rules.inForce.Edges, edge)
	})
}

// becauseDistrusted is why what a distrusted edge sends is refused.
const becauseDistrusted = "it is distrusted (csmail cluster edge distrust)"

// refuse says once why an edge's batches are refused.
func (j *judgePart) refuse(d *Daemon, edge, why string) {
	if j.refused[edge] != why {
		d.log.Warn("what a host sends is refused", "edge", edge, "why", why, "hint", "csmail cluster status; the host keeps it meanwhile")
	}
	j.refused[edge] = why
}

// miss asks an edge for the facts that are missing before a batch.
func (j *judgePart) miss(d *Daemon, edge string, b *wire.Batch) {
	p := j.merger.Positions()[edge]
	if p.Epoch != b.Epoch {
		p = merge.Position{Epoch: b.Epoch}
	}
	if time.Since(j.missing[edge]) < missAgain {
		return
	}
	j.missing[edge] = time.Now()
	d.log.Warn("facts of a host are missing in the stream; it is asked for them", "edge", edge, "from", p.Next, "to", b.First)
	j.at.Misses(edge, p.Epoch, p.Next)
}

// missAgain is how long an edge has to send the facts that it was asked for.
const missAgain = 5 * time.Second
