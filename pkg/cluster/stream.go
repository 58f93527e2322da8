package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

func (o Options) streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: o.Stream, Description: "csmail: batches of edges, in the order in which judges take them",
		Subjects: []string{subjects + ">"}, Storage: jetstream.FileStorage, Replicas: o.Replicas,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: maxMessages, MaxMsgSize: wire.MaxBatch + 4096,
		MaxAge: keepFor, DenyDelete: true, DenyPurge: true, AllowDirect: true,
	}
}

// Judges is the judges' side of a connection.
type Judges struct {
	conn   *Conn
	js     jetstream.JetStream
	secret atomic.Pointer[[]byte] // that all judges share; nil: not known yet
}

// Judges returns the judges' side of the connection.
func (c *Conn) Judges() (*Judges, error) {
	js, err := jetstream.New(c.nc)
	if err != nil {
		return nil, fmt.Errorf("JetStream: %w", err)
	}
	return &Judges{conn: c, js: js}, nil
}

// Init makes the stream and the buckets, or changes them to the needs of this csmail.
// csmail cluster init does it, and a judge when the server has lost them.
func (j *Judges) Init(ctx context.Context) error {
	if _, err := j.js.CreateOrUpdateStream(ctx, j.conn.options.streamConfig()); err != nil {
		return hint.Wrap(fmt.Errorf("the stream %s: %w", j.conn.options.Stream, err), "a server of version 2.12 or newer, with jetstream on; cluster.replicas of them at least")
	}
	for _, b := range []jetstream.KeyValueConfig{
		{Bucket: leaseBucket, Description: "csmail: which judge delivers", TTL: leaseTTL, Storage: jetstream.FileStorage, Replicas: j.conn.options.Replicas},
		{Bucket: atBucket, Description: "csmail: what the judges have stored", Storage: jetstream.FileStorage, Replicas: j.conn.options.Replicas},
	} {
		if _, err := j.js.CreateOrUpdateKeyValue(ctx, b); err != nil {
			return fmt.Errorf("the bucket %s: %w", b.Bucket, err)
		}
	}
	j.bringSecret(ctx)
	return nil
}

// bucket opens a bucket, and makes it if the server has lost it.
func (j *Judges) bucket(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := j.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if err := j.Init(ctx); err != nil {
			return nil, err
		}
		return j.js.KeyValue(ctx, name)
	}
	return kv, err
}

// stream opens the stream, and makes it if the server has lost it.
func (j *Judges) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := j.js.Stream(ctx, j.conn.options.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := j.Init(ctx); err != nil {
			return nil, err
		}
		return j.js.Stream(ctx, j.conn.options.Stream)
	}
	return s, err
}

// Order puts an order of a person into the stream. It takes effect on all judges where it
// stands there.
func (j *Judges) Order(ctx context.Context, order []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if _, err := j.js.Publish(ctx, orders, order); err != nil {
		return hint.Wrap(fmt.Errorf("the cluster does not take the order: %w", err), "csmail cluster status; nothing was changed, or all judges will change it: look again")
	}
	return nil
}
