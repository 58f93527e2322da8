package cluster

import (
	"context"
	"errors"
	"fmt"
)

// secretKey is the key of the secret in the bucket of positions. No judge has such a
// name, and no edge may read it.
const secretKey = "_judges._secret"

// Secret returns a secret that all judges share: the one that the servers have, or else
// mine. If the servers lose it, this judge brings it back.
func (j *Judges) Secret(ctx context.Context, mine []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	conn, shared := j.conn, mine
	if _, err := j.ensure(ctx, bucketStream(atBucket)); err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", atBucket, err)
	}
	_, err := conn.publishAfter(ctx, valueMsg(atBucket, secretKey, mine), 0)
	if isCode(err, codeWrongSequence) { // another judge was first
		var newest stored
		newest, err = conn.value(ctx, atBucket, secretKey)
		if shared = newest.data; err == nil && len(shared) == 0 {
			err = errors.New("the server that answered does not have the secret yet")
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
	_, _ = j.conn.publishAfter(ctx, valueMsg(atBucket, secretKey, *secret), 0) // it is there, or At makes the bucket again in a minute
}
