package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// secretKey is the key of the secret in the bucket of positions. No judge has such a
// name, and no edge may read it.
const secretKey = "_judges._secret"

// Secret returns a secret that all judges share: the one that the servers have, or else
// mine. If the servers lose it, this judge brings it back.
func (j *Judges) Secret(ctx context.Context, mine []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	kv, err := j.bucket(ctx, atBucket)
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", atBucket, err)
	}
	shared := mine
	if _, err = kv.Create(ctx, secretKey, mine); errors.Is(err, jetstream.ErrKeyExists) {
		var entry jetstream.KeyValueEntry
		if entry, err = kv.Get(ctx, secretKey); err == nil {
			shared = entry.Value()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", atBucket, err)
	}
	j.secret.Store(&shared)
	return shared, nil
}

// bringSecret puts the secret into a bucket that was made anew.
func (j *Judges) bringSecret(ctx context.Context) {
	secret := j.secret.Load()
	if secret == nil {
		return
	}
	if kv, err := j.js.KeyValue(ctx, atBucket); err == nil {
		_, _ = kv.Create(ctx, secretKey, *secret) // it is there, or At makes the bucket again in a minute
	}
}
