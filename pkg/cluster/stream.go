package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"csmail/pkg/hint"
	"csmail/pkg/wire"
)

const (
	// keepFor is how long the stream keeps a message. Edges keep it until the judges have
	// it, so the stream serves judges that read together, and one that was restarted.
	keepFor = 2 * time.Hour
	// maxMessages bounds the messages that one edge can leave in the stream.
	maxMessages = 100_000
	leaseTTL    = 5 * time.Second
)

func (o Options) streamConfig() *streamConfig {
	return &streamConfig{
		Name: o.Stream, Description: "csmail: batches of edges, in the order in which judges take them",
		Subjects: []string{subjects + ">"}, Retention: "limits", Storage: "file", Replicas: o.Replicas,
		Discard: "new", DiscardNewPerSubject: true, MaxMsgsPerSubject: maxMessages, MaxMsgSize: wire.MaxBatch + 4096,
		MaxConsumers: -1, MaxMsgs: -1, MaxBytes: -1, MaxAge: keepFor, DenyDelete: true, DenyPurge: true, AllowDirect: true,
	}
}

// Judges is the judges' side of a connection.
type Judges struct {
	conn   *Conn
	secret atomic.Pointer[[]byte] // that all judges share; nil: not known yet
}

// Judges returns the judges' side of the connection.
func (c *Conn) Judges() *Judges { return &Judges{conn: c} }

// Init makes the stream and the buckets, or changes them to the needs of this csmail.
// csmail cluster init does it, and a judge when the server has lost them.
func (j *Judges) Init(ctx context.Context) error {
	o := j.conn.options
	if err := j.conn.makeStream(ctx, o.streamConfig()); err != nil {
		return hint.Wrap(fmt.Errorf("the stream %s: %w", o.Stream, err), "a server of version 2.12 or newer, with jetstream on; cluster.replicas of them at least")
	}
	if err := j.conn.makeStream(ctx, bucketConfig(leaseBucket, "csmail: which judge delivers", leaseTTL, o.Replicas)); err != nil {
		return fmt.Errorf("the bucket %s: %w", leaseBucket, err)
	}
	if err := j.conn.makeStream(ctx, bucketConfig(atBucket, "csmail: what the judges have stored", 0, o.Replicas)); err != nil {
		return fmt.Errorf("the bucket %s: %w", atBucket, err)
	}
	j.bringSecret(ctx)
	return nil
}

// ensure returns the state of a stream or of a bucket's. If the servers have lost it, it is
// made.
func (j *Judges) ensure(ctx context.Context, stream string) (streamInfo, error) {
	info, err := j.conn.streamInfo(ctx, stream)
	if !isCode(err, codeNoStream) {
		return info, err
	}
	if err := j.Init(ctx); err != nil {
		return info, err
	}
	return j.conn.streamInfo(ctx, stream)
}

// Order puts an order of a person into the stream. It takes effect on all judges where it
// stands there.
func (j *Judges) Order(ctx context.Context, order []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	m := nats.NewMsg(orders)
	m.Data = order
	_, err := j.conn.publish(ctx, m)
	for errors.Is(err, nats.ErrNoResponders) && ctx.Err() == nil { // the servers choose a leader just now, and have not taken it
		pause(ctx, retryAfter)
		_, err = j.conn.publish(ctx, m)
	}
	if err != nil {
		return hint.Wrap(fmt.Errorf("the cluster does not take the order: %w", err), "csmail cluster status; nothing was changed, or all judges will change it: look again")
	}
	return nil
}
