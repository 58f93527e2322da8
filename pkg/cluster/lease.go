package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// Lease lets one judge deliver: the holder of a key that the server forgets after five
// seconds. The holder renews it each second, and relies on it for two seconds from the
// moment before it asked, by its own clock. So no judge relies on it any more when the next
// one gets it.
type Lease struct {
	judges *Judges
	value  []byte
	name   string

	mu     sync.Mutex
	until  time.Time // with the monotonic reading
	from   time.Time // not before: the last request of another judge may be under way
	other  time.Time // when another judge was last seen to hold it; zero: never
	leader Leader
	moved  func(leads bool)
	leads  bool
	stands bool // it tries to hold the lease
}

// Leader is the judge that delivers, as the key has it.
type Leader struct {
	Name  string `json:"name"`
	Rules string `json:"rules"` // a hash of the criteria of the judge
}

const (
	renewEvery = time.Second
	reliedFor  = 2 * time.Second

	// graceFor is how long a judge waits before it delivers in the place of another one. A
	// request that the other one had sent goes on at the LAPI, which does not show its alerts
	// until it has stored all of them.
	graceFor   = 10 * time.Second
	otherSince = time.Minute // a judge that held the lease so long ago has nothing under way
)

// NewLease returns a Lease that is not held before Run. moved is called, by Run, when this
// judge begins or ends to lead.
func (j *Judges) NewLease(rules string, moved func(leads bool)) *Lease {
	value, _ := json.Marshal(Leader{Name: j.conn.options.Name, Rules: rules}) // of two texts
	return &Lease{judges: j, value: value, name: j.conn.options.Name, moved: moved, stands: true}
}

// Leads reports whether this judge may deliver now.
func (l *Lease) Leads() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isRelied(time.Now())
}

func (l *Lease) isRelied(now time.Time) bool { return now.Before(l.until) && !now.Before(l.from) }

// Leader returns the judge that delivers, as far as is known; the zero Leader if none does.
func (l *Lease) Leader() Leader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leader
}

// Stand sets whether this judge tries to hold the lease. At first it does. One that does not
// any more delivers nothing from now on.
func (l *Lease) Stand(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stands = is; !is {
		l.until = time.Time{}
	}
}

func (l *Lease) isStanding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stands
}

// Run holds the lease, or tries to get it, until the context ends.
func (l *Lease) Run(ctx context.Context) {
	var revision uint64
	for ctx.Err() == nil {
		asked := time.Now()
		held, err := l.renew(ctx, &revision)
		l.note(asked, held)
		if err != nil && ctx.Err() == nil {
			l.judges.conn.log.Debug("the lease", "error", err)
		}
		pause(ctx, renewEvery)
	}
}

// renew writes the key at the revision that this judge wrote last. Without one it asks who
// holds the lease, and writes the key anew if nobody does.
func (l *Lease) renew(ctx context.Context, revision *uint64) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reliedFor)
	defer cancel()
	stands := l.isStanding()
	if !stands {
		*revision = 0
	}
	if *revision != 0 {
		if *revision, err = l.write(ctx, *revision); err == nil {
			return true, nil
		}
		*revision = 0
	}
	entry, err := l.judges.conn.value(ctx, leaseBucket, leaderKey)
	if errors.Is(err, errNoStream) {
		_, err = l.judges.ensure(ctx, bucketStream(leaseBucket))
		return false, err
	}
	if err != nil {
		return false, err
	}
	if entry.sequence == 0 {
		l.know(Leader{})
		if !stands {
			return false, nil
		}
		*revision, err = l.write(ctx, 0)
		return err == nil, err
	}
	var leader Leader
	if json.Unmarshal(entry.data, &leader) == nil {
		l.know(leader)
	}
	if leader.Name == l.name && string(entry.data) == string(l.value) {
		*revision = entry.sequence // ours: the answer to an update was lost, or this judge was restarted
	}
	return false, nil
}

// write writes the key after the revision last, 0 if there is none, and returns the new one.
func (l *Lease) write(ctx context.Context, last uint64) (revision uint64, err error) {
	return l.judges.conn.publishAfter(ctx, valueMsg(leaseBucket, leaderKey, l.value), last)
}

func (l *Lease) know(leader Leader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leader = leader
	if leader.Name != "" && leader.Name != l.name {
		l.other = time.Now()
	}
}

// note takes the outcome of asking.
func (l *Lease) note(asked time.Time, held bool) {
	l.mu.Lock()
	now := time.Now()
	if held && l.stands {
		if !now.Before(l.until) && now.Sub(l.other) < otherSince {
			l.from = now.Add(graceFor)
		}
		l.until = asked.Add(reliedFor)
		l.leader = Leader{Name: l.name}
	}
	leads := l.isRelied(now)
	changed := leads != l.leads
	l.leads = leads
	l.mu.Unlock()
	if changed {
		l.moved(leads)
	}
}
