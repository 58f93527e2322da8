package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"csmail/pkg/hint"
)

// View is the state of the stream and its servers, as one of them sees it.
type View struct {
	Server   string        `json:"server"` // that answered
	Version  string        `json:"version"`
	Ends     time.Time     `json:"certificate_ends,omitzero"` // the end of its certificate; zero without TLS
	Took     time.Duration `json:"took_ns"`                   // until it answered
	Stream   string        `json:"stream"`
	Messages uint64        `json:"messages"`
	Bytes    uint64        `json:"bytes"`
	Newest   uint64        `json:"sequence"` // of the newest message
	Want     int           `json:"replicas_wanted"`
	Replicas []Replica     `json:"replicas"` // the first leads
	Leader   Leader        `json:"leader"`   // the judge that delivers; without a name: nobody does

	Stored []Stored `json:"stored"` // by judge, then by edge
}

// Stored is up to where a judge has stored the facts of an edge.
type Stored struct {
	Judge string `json:"judge"`
	Edge  string `json:"edge"`
	Next  uint64 `json:"next"` // number of the first fact that it has not
	Known bool   `json:"known"`
}

// Replica is a server that holds the stream.
type Replica struct {
	Name    string        `json:"name"`
	Leads   bool          `json:"leads"`
	Current bool          `json:"current"` // it has all that the leading one has
	Away    bool          `json:"away"`
	Lag     uint64        `json:"lag_messages"`
	Active  time.Duration `json:"active_ns"` // since it was heard of
}

// lookWithin bounds the time of a Look.
const lookWithin = 8 * time.Second

// Look asks the servers for the state of the stream, and changes nothing. It takes the key
// of a judge.
func Look(ctx context.Context, o Options, judges, edges []string) (View, error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	v := View{Stream: o.Stream, Want: o.Replicas, Replicas: []Replica{}, Stored: []Stored{}}
	conn, err := Connect(o)
	if err != nil {
		return v, err
	}
	defer conn.Close()
	if err := conn.await(ctx); err != nil {
		return v, err
	}
	v.Server, v.Version = conn.nc.ConnectedServerName(), conn.nc.ConnectedServerVersion()
	if state, err := conn.nc.TLSConnectionState(); err == nil && len(state.PeerCertificates) > 0 {
		v.Ends = state.PeerCertificates[0].NotAfter
	}
	j := conn.Judges()
	began := time.Now()
	if err := j.lookAtStream(ctx, &v); err != nil {
		return v, conn.explained(err)
	}
	v.Took = time.Since(began)
	if err := j.lookAgain(ctx, &v); err != nil {
		return v, conn.explained(err)
	}
	if v.Leader, err = j.leader(ctx); err != nil {
		return v, conn.explained(err)
	}
	v.Stored, err = j.storedBy(ctx, judges, edges)
	if err != nil {
		return v, conn.explained(err)
	}
	return v, nil
}

// await waits until a server answers.
func (c *Conn) await(ctx context.Context) error {
	for !c.nc.IsConnected() {
		if ctx.Err() != nil || c.nc.IsClosed() {
			err := errors.New("no server of the cluster answers")
			if last := c.nc.LastError(); last != nil {
				err = fmt.Errorf("%w: %w", err, last)
			}
			return hint.Wrap(err, "%s", awaitHint(c.nc.LastError()))
		}
		pause(ctx, 50*time.Millisecond)
	}
	return nil
}

func awaitHint(err error) string {
	switch text := fmt.Sprint(err); {
	case errors.Is(err, nats.ErrAuthorization) || strings.Contains(text, "Authorization"):
		return "the servers do not know this host's key: copy what csmail cluster wrote for them, and restart nats-server"
	case strings.Contains(text, "certificate"):
		return "cluster.ca_cert_path must be the authority that signed the servers' certificates"
	}
	return "is nats-server running on the hosts of cluster.servers, and does a firewall let this host in?"
}

// explained adds what a person can do about a refusal of the server.
func (c *Conn) explained(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil || c.refused == nil {
		return err
	}
	if !errors.Is(err, c.refused) { // the call itself only ran out of time
		err = fmt.Errorf("%w: %w", err, c.refused)
	}
	return hint.Wrap(err, "the state of the servers is for judges: ask on one of them")
}

const (
	looks      = 5 // at a server that has not all
	betweenTwo = 500 * time.Millisecond
)

// lookAgain tells a server that lags from one that is a message behind just now, as each
// follower is now and then while messages come: that catches up, or is less behind, at one of
// some looks.
func (j *Judges) lookAgain(ctx context.Context, v *View) error {
	var seen []View
	for n := 1; n < looks && v.isLagging(); n++ {
		seen = append(seen, View{Replicas: slices.Clone(v.Replicas)})
		pause(ctx, betweenTwo)
		if err := j.lookAtStream(ctx, v); err != nil {
			return err
		}
	}
	v.excuse(seen)
	return nil
}

// isLagging reports whether a server is there and has not all.
func (v *View) isLagging() bool {
	return slices.ContainsFunc(v.Replicas, func(r Replica) bool { return !r.Current && !r.Away })
}

// excuse takes a server for current that was so in an earlier view, or whose lag has become
// less since.
func (v *View) excuse(earlier []View) {
	for i := range v.Replicas {
		r := &v.Replicas[i]
		if r.Current || r.Away {
			continue
		}
		lag := r.Lag
		for _, before := range slices.Backward(earlier) {
			at := slices.IndexFunc(before.Replicas, func(o Replica) bool { return o.Name == r.Name })
			if at < 0 {
				continue
			}
			if o := before.Replicas[at]; o.Current || o.Lag > lag {
				r.Current = true
			} else {
				lag = o.Lag
			}
		}
	}
}

func (j *Judges) lookAtStream(ctx context.Context, v *View) error {
	info, err := j.conn.streamInfo(ctx, v.Stream)
	if isCode(err, codeNoStream) {
		return hint.Wrap(fmt.Errorf("the cluster has no stream %s", v.Stream), "a judge makes it when it runs; csmail cluster init --create does so now")
	}
	if err != nil {
		return fmt.Errorf("the stream %s: %w", v.Stream, err)
	}
	v.Replicas = v.Replicas[:0]
	v.Messages, v.Bytes, v.Newest = info.State.Messages, info.State.Bytes, info.State.LastSeq
	if info.Cluster == nil { // a single server
		v.Replicas = append(v.Replicas, Replica{Name: v.Server, Leads: true, Current: true})
		return nil
	}
	if info.Cluster.Leader != "" {
		v.Replicas = append(v.Replicas, Replica{Name: info.Cluster.Leader, Leads: true, Current: true})
	}
	for _, p := range info.Cluster.Replicas {
		v.Replicas = append(v.Replicas, Replica{Name: p.Name, Current: p.Current, Away: p.Offline, Lag: p.Lag, Active: p.Active})
	}
	slices.SortStableFunc(v.Replicas, func(a, b Replica) int {
		if a.Leads != b.Leads {
			return map[bool]int{true: -1, false: 1}[a.Leads]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return nil
}

// leader returns the judge that delivers, the zero Leader if none does.
func (j *Judges) leader(ctx context.Context) (leader Leader, err error) {
	entry, err := j.conn.value(ctx, leaseBucket, leaderKey)
	if err != nil {
		return leader, fmt.Errorf("the bucket %s: %w", leaseBucket, err)
	}
	if entry.sequence == 0 {
		return leader, nil
	}
	if err := json.Unmarshal(entry.data, &leader); err != nil {
		return Leader{}, fmt.Errorf("the bucket %s: %w", leaseBucket, err)
	}
	return leader, nil
}

// storedBy asks up to where each judge has stored the facts of each edge.
func (j *Judges) storedBy(ctx context.Context, judges, edges []string) ([]Stored, error) {
	all := []Stored{}
	for _, judge := range judges {
		for _, edge := range edges {
			m, err := j.conn.value(ctx, atBucket, judge+"."+edge)
			if err != nil && !errors.Is(err, errNoStream) {
				return all, err
			}
			s := Stored{Judge: judge, Edge: edge}
			var at atValue
			if m.sequence != 0 && json.Unmarshal(m.data, &at) == nil {
				s.Known, s.Next = true, at.Stored
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// Create makes the stream and the buckets, or changes them to the needs of this csmail.
func Create(ctx context.Context, o Options) error {
	return asJudge(ctx, o, createWithin, func(ctx context.Context, j *Judges) error {
		for {
			err := j.initWithin(ctx, callWithin/2)
			if err == nil || ctx.Err() != nil {
				return err
			}
			pause(ctx, retryAfter) // servers that have just been started choose a leader first
		}
	})
}

// Order puts an order of a person into the stream, as [Judges.Order] does, with the key of a
// judge.
func Order(ctx context.Context, o Options, order []byte) error {
	return asJudge(ctx, o, callWithin, func(ctx context.Context, j *Judges) error { return j.Order(ctx, order) })
}

// asJudge connects with the key of a judge, for one task that must be done within a time.
func asJudge(ctx context.Context, o Options, within time.Duration, do func(context.Context, *Judges) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := Connect(o)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.await(ctx); err != nil {
		return err
	}
	return conn.explained(do(ctx, conn.Judges()))
}

// initWithin bounds one try: an answer can get lost while the servers choose a leader.
func (j *Judges) initWithin(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return j.Init(ctx)
}

// createWithin bounds the time of a Create: servers that were started just now need some
// seconds until they take orders.
const createWithin = time.Minute
