package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/wire"
)

// rules are the scenarios and the guard's numbers of a judge. Two judges that changed theirs at different places of
// the stream would come to different findings from there on. So each judge declares its
// configuration in the stream, and goes on with the rules in force. Those of the
// configuration take effect at the declaration that makes all judges agree, at one
// place in the stream for all of them. For example, j0 is reloaded, and j1 a minute
// later: both change when they read j1's declaration.
type rules struct {
	inForce  config.Rules
	own      config.Rules // of this judge's configuration
	set      *scenario.Set
	ownSet   *scenario.Set
	declared map[string]string // by judge: the hash of its rules, as the stream has it

	undeclared atomic.Pointer[string] // the hash that the stream does not have yet; nil: it has
}

func newRules(c config.Config, set *scenario.Set) rules {
	own := config.RulesOf(c, hashOf(set))
	return rules{inForce: own, own: own, set: set, ownSet: set, declared: map[string]string{}}
}

// hashOf returns a hash of all that decides in scenarios.
func hashOf(set *scenario.Set) string {
	h := sha256.New()
	for _, s := range set.Scenarios() {
		_, _ = fmt.Fprintf(h, "%s %x %v\n", s.Name, s.Hash, s.Labels.Remediation)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// encode takes the rules in force and the declarations.
func (r *rules) encode(c *wire.Codec) {
	text := r.inForce.Text()
	c.Text(&text)
	names := slices.Sorted(maps.Keys(r.declared))
	wire.List(c, &names, func(name *string) {
		c.Text(name)
		hash := r.declared[*name]
		c.Text(&hash)
		r.declared[*name] = hash
	})
	if !c.Reading || c.Err != nil {
		return
	}
	var err error
	if r.inForce, err = config.ReadRules(text); err != nil {
		c.Fail()
	}
}

// note has the rules of this judge declared if the stream does not have them.
func (r *rules) note(name string) {
	hash := r.own.Hash()
	if r.declared[name] == hash {
		r.undeclared.Store(nil)
		return
	}
	r.undeclared.Store(&hash)
}

// differing returns the judges that have not declared the rules of this judge's
// configuration.
func (r *rules) differing() (judges []string) {
	for _, name := range r.own.Judges {
		if r.declared[name] != r.own.Hash() {
			judges = append(judges, name)
		}
	}
	return judges
}

// propose takes a configuration that was read. Its rules are declared, and take effect
// when all judges have them. before is the engine that goes on until then; nil at the
// start.
func (j *judgePart) propose(d *Daemon, before *engine.Engine) {
	r := &j.rules
	r.own, r.ownSet = config.RulesOf(d.config, hashOf(d.set)), d.set
	r.note(j.name)
	if before != nil {
		d.engine = before
	}
	if r.own.Hash() != r.inForce.Hash() {
		d.log.Info("other rules take effect when all judges have them", "rules", r.own.Hash(), "judges", r.own.Judges)
	}
	j.adopt(d)
	j.applyOwn(d.engine)
}

// goOn goes on by the rules that were in force when the state was stored.
func (j *judgePart) goOn(d *Daemon) {
	r := &j.rules
	if r.inForce.Scenarios != r.own.Scenarios {
		d.log.Warn("the scenarios are not those of before the start, and count from here on; the judges may differ until all have them")
		r.inForce = r.own
		j.merger.Expect(r.own.Edges)
	}
	r.note(j.name)
	if j.isBlank {
		j.noteBlank(d)
	}
	j.force(d)
}

// fresh returns an engine by the rules in force that knows nothing yet.
func (j *judgePart) fresh() *engine.Engine {
	j.origins = newOrigins(j.rules.inForce.Sites)
	return detect.Criteria{Guard: j.rules.inForce.Guard, Set: j.rules.set, HashKey: j.key, Hosts: len(j.rules.inForce.Edges)}.Engine()
}

// force has the engine judge by the rules in force. It keeps its state.
func (j *judgePart) force(d *Daemon) {
	before := d.engine
	d.engine = j.fresh()
	d.engine.TakeOver(before)
	j.applyOwn(d.engine)
}

// hear takes a judge's declaration.
func (j *judgePart) hear(d *Daemon, judge, hash string) {
	r := &j.rules
	r.declared[judge] = hash
	r.note(j.name)
	j.adopt(d)
}

// adopt brings the rules of the configuration into force if all judges have them.
func (j *judgePart) adopt(d *Daemon) {
	defer j.forgetRefused()
	r := &j.rules
	if r.own.Hash() == r.inForce.Hash() || len(r.differing()) > 0 {
		return
	}
	r.inForce, r.set = r.own, r.ownSet
	j.merger.Expect(r.own.Edges)
	if j.isBlank {
		j.noteBlank(d)
	}
	j.force(d)
	d.log.Info("the rules of all judges are in force", "rules", r.own.Hash(), "sequence", j.place.Sequence)
}

// declare puts the rules of this judge into the stream whenever it does not have them.
func (k *clustered) declare(ctx context.Context) {
	for ctx.Err() == nil {
		if hash := k.judge.rules.undeclared.Load(); hash != nil {
			if err := k.order(ctx, order{Judge: k.name, Rules: *hash}); err != nil {
				k.conn.Log().Debug("declaring the rules", "error", err)
			}
		}
		rest(ctx, declareAgain)
	}
}

// declareAgain is how long the stream has to bring a declaration.
const declareAgain = 2 * time.Second

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// shareKey gives the engine the secret that all judges share, before it takes the first
// fact. It waits for the servers as long as it takes.
func (j *judgePart) shareKey(ctx context.Context, d *Daemon, mine event.HashKey) {
	if mine == (event.HashKey{}) {
		mine = detect.NewHashKey()
	}
	for ctx.Err() == nil {
		shared, err := j.judges.Secret(ctx, mine[:])
		if err != nil || len(shared) != len(mine) {
			rest(ctx, time.Second)
			continue
		}
		_ = d.ask(ctx, func() { // an error is the end
			if j.key == (event.HashKey{}) {
				copy(j.key[:], shared)
				d.engine = j.fresh()
				j.applyOwn(d.engine)
			}
		})
		return
	}
}
