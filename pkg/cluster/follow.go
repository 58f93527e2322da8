package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// Place is how far a judge has read a stream. A stream that was made anew has another time
// of creation.
type Place struct {
	Created  int64 // nanoseconds since 1970
	Sequence uint64
}

// Message is one message of the stream.
type Message struct {
	Place Place     // after it
	Edge  string    // the sender; "": it is an order
	Data  []byte    // the receiver's own
	Stamp time.Time // the server's
}

const (
	lookEvery  = 3 * time.Second
	callWithin = 10 * time.Second
)

// Follow hands out the messages of the stream in their order, from a place on, until the
// context ends or take returns an error. A stream that was lost and made anew is read from
// its beginning: the numbers of the facts show the repetitions.
func (j *Judges) Follow(ctx context.Context, from Place, take func(Message) error) error {
	told := ""
	for ctx.Err() == nil {
		err := j.followOnce(ctx, &from, take)
		if ctx.Err() != nil {
			break
		}
		if err != nil && err.Error() != told {
			told = err.Error()
			j.conn.log.Warn("the cluster's stream cannot be read now", "error", err, "hint", hint.Of(err))
		}
		if stop, ok := err.(stopError); ok {
			return stop.error
		}
		pause(ctx, retryAfter)
	}
	return context.Cause(ctx)
}

// stopError is an error of the receiver.
type stopError struct{ error }

func (j *Judges) followOnce(ctx context.Context, from *Place, take func(Message) error) error {
	info, err := j.info(ctx)
	if err != nil {
		return err
	}
	created := info.Created.UnixNano()
	if created != from.Created || info.State.LastSeq < from.Sequence {
		*from = Place{Created: created}
	}
	asking, asked := context.WithTimeout(ctx, callWithin)
	defer asked()
	r, err := j.conn.readFrom(asking, j.conn.options.Stream, from.Sequence+1)
	if err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	defer r.close()
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	defer func() { cancel(nil); <-stopped }()
	var last sequence
	last.set(from.Sequence)
	go func() {
		defer close(stopped)
		j.watch(ctx, created, &last)
		cancel(errMadeAnew)
	}()
	for {
		m, meta, err := r.next(ctx)
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		*from = Place{created, meta.Sequence.Stream}
		last.set(from.Sequence)
		edge := strings.TrimPrefix(m.Subject, subjects)
		if m.Subject == orders {
			edge = ""
		}
		if err := take(Message{Place: *from, Edge: edge, Data: m.Data, Stamp: meta.Timestamp}); err != nil {
			return stopError{err}
		}
	}
}

var errMadeAnew = errors.New("it was made anew, or has lost messages")

func (j *Judges) info(ctx context.Context) (streamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	return j.ensure(ctx, j.conn.options.Stream)
}

// watch returns when the stream is no longer the one that is read: it was made anew, or
// has lost messages that were read.
func (j *Judges) watch(ctx context.Context, created int64, last *sequence) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		before := last.get()
		if info, err := j.info(ctx); err == nil && (info.Created.UnixNano() != created || info.State.LastSeq < before) {
			return
		}
	}
}
