package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"csmail/pkg/merge"
)

// At publishes, for each edge, up to where this judge has stored its facts, and from where it misses some.
type At struct {
	judges *Judges

	mu   sync.Mutex
	want map[string]atValue // by edge
	put  map[string]atValue // that the server has
}

// NewAt returns an At that publishes nothing before Run.
func (j *Judges) NewAt() *At {
	return &At{judges: j, want: map[string]atValue{}, put: map[string]atValue{}}
}

// Stored says that the judge's newest checkpoint holds the facts before these positions.
func (a *At) Stored(positions map[string]merge.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for edge, p := range positions {
		v := a.want[edge]
		a.want[edge] = atValue{Epoch: p.Epoch, Stored: p.Next, Misses: v.Misses && v.Epoch == p.Epoch && v.Want >= p.Next, Want: v.Want}
	}
}

// Misses says that a batch of an edge was refused, since the facts from a position on are
// missing.
func (a *At) Misses(edge string, epoch uint64, next uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.want[edge]
	if v.Epoch != epoch {
		v = atValue{Epoch: epoch} // of this life nothing is stored
	}
	v.Misses, v.Want = true, next
	a.want[edge] = v
	delete(a.put, edge) // the edge acts on each time that it is said
}

const (
	tellEvery  = time.Second
	againEvery = time.Minute // all, since the server may have lost it
)

// Run publishes until the context ends.
func (a *At) Run(ctx context.Context) {
	again := time.Time{}
	for ctx.Err() == nil {
		if time.Since(again) >= againEvery {
			if err := a.ensure(ctx); err != nil {
				pause(ctx, tellEvery)
				continue
			}
			a.forget()
			again = time.Now()
		}
		if err := a.tell(ctx); err != nil && ctx.Err() == nil {
			a.judges.conn.log.Debug("telling the edges what is stored", "error", err)
			a.forget()
		}
		pause(ctx, tellEvery)
	}
}

// ensure makes the bucket if it is not there.
func (a *At) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	_, err := a.judges.ensure(ctx, bucketStream(atBucket))
	return err
}

func (a *At) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.put)
}

func (a *At) due() (edges []string, values map[string]atValue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	values = map[string]atValue{}
	for edge, v := range a.want {
		if put, ok := a.put[edge]; !ok || put != v {
			values[edge] = v
		}
	}
	return slices.Sorted(maps.Keys(values)), values
}

func (a *At) tell(ctx context.Context) error {
	edges, values := a.due()
	if len(edges) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callWithin+time.Duration(len(edges))*100*time.Millisecond)
	defer cancel()
	conn := a.judges.conn
	for _, edge := range edges {
		text, err := json.Marshal(values[edge])
		if err != nil {
			return err
		}
		if _, err := conn.publish(ctx, valueMsg(atBucket, conn.options.Name+"."+edge, text)); err != nil {
			return fmt.Errorf("the bucket %s: %w", atBucket, err)
		}
		a.mu.Lock()
		a.put[edge] = values[edge]
		a.mu.Unlock()
	}
	return nil
}
