package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Lease lets one judge deliver: the holder of a key that the server forgets after five
// seconds. The holder renews it each second, and relies on it for two seconds from the
// moment before it asked, by its own clock. So no judge relies on it any more when the next
// one gets it.
//
// The next one waits ten seconds more, since a request of a holder that died may be under
// way. A holder that stops in order hands the lease over: it sends nothing more, waits until
// no request of it is under way, and then writes that the lease is free. So the next one
// delivers at once.
type Lease struct {
	key   leaseKey
	value []byte
	name  string
	log   *slog.Logger

	writing  sync.Mutex // held while the key is read and written
	revision uint64     // that this judge wrote last; 0: it does not hold the lease

	mu      sync.Mutex
	until   time.Time // with the monotonic reading
	from    time.Time // not before: the last request of another judge may be under way
	other   time.Time // when another judge was last seen to hold it; zero: nothing of it can be under way
	leader  Leader
	moved   func(leads bool)
	leads   bool
	stands  bool      // it tries to hold the lease
	leaving bool      // it holds the lease, and delivers nothing, until it can hand over
	left    time.Time // when it handed over last: what was asked before does not hold any more
	away    time.Time // it has handed over, and leaves the lease to others until then
}

// leaseKey is the key as the servers have it.
type leaseKey interface {
	// read returns the newest value; without a sequence if there is none.
	read(ctx context.Context) (stored, error)
	// write writes a value after the sequence last, 0 if there must be none.
	write(ctx context.Context, value []byte, last uint64) (sequence uint64, err error)
}

// Leader is the judge that delivers, as the key has it.
type Leader struct {
	Name  string `json:"name"`           // "": nobody does
	Rules string `json:"rules"`          // a hash of the criteria of the judge
	Left  string `json:"left,omitempty"` // the judge that handed over; nothing of it is under way
}

const (
	renewEvery = time.Second
	reliedFor  = 2 * time.Second

	// graceFor is how long a judge waits before it delivers in the place of another one. A
	// request that the other one had sent goes on at the LAPI, which does not show its alerts
	// until it has stored all of them.
	graceFor   = 10 * time.Second
	otherSince = time.Minute // a judge that held the lease so long ago has nothing under way

	// awayFor is how long a judge that handed over leaves the lease to others. They look each
	// second.
	awayFor   = 10 * time.Second
	lookQuiet = 20 * time.Millisecond
)

// NewLease returns a Lease that is not held before Run. moved is called, by Run, when this
// judge begins or ends to lead.
func (j *Judges) NewLease(rules string, moved func(leads bool)) *Lease {
	l := newLease(serverKey{j}, j.conn.options.Name, rules, moved)
	l.log = j.conn.log
	return l
}

func newLease(key leaseKey, name, rules string, moved func(leads bool)) *Lease {
	value, _ := json.Marshal(Leader{Name: name, Rules: rules}) // of two texts
	return &Lease{key: key, value: value, name: name, moved: moved, stands: true, log: slog.New(slog.DiscardHandler)}
}

// serverKey is the key in the bucket of the servers.
type serverKey struct{ judges *Judges }

func (k serverKey) read(ctx context.Context) (stored, error) {
	entry, err := k.judges.conn.value(ctx, leaseBucket, leaderKey)
	if errors.Is(err, errNoStream) { // the servers have lost it, perhaps
		if _, made := k.judges.ensure(ctx, bucketStream(leaseBucket)); made != nil {
			err = made
		}
	}
	return entry, err
}

func (k serverKey) write(ctx context.Context, value []byte, last uint64) (sequence uint64, err error) {
	return k.judges.conn.publishAfter(ctx, valueMsg(leaseBucket, leaderKey, value), last)
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

// Run holds the lease, or tries to get it, until the context ends.
func (l *Lease) Run(ctx context.Context) {
	for ctx.Err() == nil {
		asked := time.Now()
		held, err := l.renew(ctx)
		l.note(asked, held)
		if err != nil && ctx.Err() == nil {
			l.log.Debug("the lease", "error", err)
		}
		pause(ctx, renewEvery)
	}
}

// renew writes the key at the revision that this judge wrote last. Without one it asks who
// holds the lease, and writes the key anew if nobody does.
func (l *Lease) renew(ctx context.Context) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reliedFor)
	defer cancel()
	l.writing.Lock()
	defer l.writing.Unlock()
	stands, takes := l.isStanding(time.Now())
	if !stands {
		l.revision = 0
	}
	if l.revision != 0 {
		l.revision, err = l.key.write(ctx, l.value, l.revision)
		if err == nil {
			return true, nil
		}
	}
	entry, err := l.key.read(ctx)
	if err != nil {
		return false, err
	}
	var leader Leader
	if entry.sequence != 0 && json.Unmarshal(entry.data, &leader) != nil {
		return false, errors.New("what the key of the lease holds cannot be read")
	}
	l.know(leader)
	switch {
	case leader.Name == "" && takes:
		if l.revision, err = l.key.write(ctx, l.value, entry.sequence); err == nil && leader.Left != "" {
			l.follow(leader.Left)
		}
		return err == nil, err
	case leader.Name == l.name && string(entry.data) == string(l.value):
		l.revision = entry.sequence // ours: the answer to an update was lost, or this judge was restarted
	}
	return false, nil
}

// isStanding reports whether this judge keeps a lease that it holds, and whether it takes one
// that is free.
func (l *Lease) isStanding(now time.Time) (keeps, takes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stands, l.stands && !l.leaving && !now.Before(l.away)
}

func (l *Lease) know(leader Leader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leader = leader
	if leader.Name != "" && leader.Name != l.name {
		l.other, l.away = time.Now(), time.Time{}
	}
}

// follow is called when this judge has the lease after one that handed over: nothing of
// another judge is under way.
func (l *Lease) follow(left string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.other = time.Time{}
	if left != l.name {
		l.log.Info("another judge has handed over to this one", "judge", left)
	}
}

// note takes the outcome of asking.
func (l *Lease) note(asked time.Time, held bool) {
	l.mu.Lock()
	now := time.Now()
	if held && l.stands && !l.leaving && asked.After(l.left) {
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
