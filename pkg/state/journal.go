package state

import (
	"fmt"
	"maps"
	"slices"

	"csmail/pkg/wire"

	"github.com/klauspost/compress/s2"
	bolt "go.etcd.io/bbolt"
)

const (
	chunkSize = 256 << 10 // bytes of inputs in one value, before compression

	// maxUnpacked bounds the memory that a damaged value can allocate. No real input
	// comes close, because the inputs bound the length of lines.
	maxUnpacked = 64 << 20
)

// journal holds the inputs of the engine since the newest checkpoint, the checkpoint, and
// how far each source was read.
type journal struct {
	*file
	lists *lists // alerts enter them in the transaction of their inputs
}

// Commit stores a batch in one transaction: all of it, or, with an error, nothing,
// and the caller may try again. When it returns, the batch is on the disk.
func (s *journal) Commit(b Batch) error {
	mark := s.Mark()
	chunks, err := packInputs(b.Inputs, mark)
	if err != nil {
		return s.explain("commit", err)
	}
	return s.update("commit", func(tx *bolt.Tx, counted *change) error {
		counted.commits, counted.inputs = 1, len(b.Inputs)
		inputs := tx.Bucket(inputsBucket)
		inputs.FillPercent = 1 // keys only grow
		for _, c := range chunks {
			counted.journal += int64(len(c.data))
			if err := inputs.Put(key(uint64(c.last)), c.data); err != nil {
				return err
			}
		}
		for _, source := range slices.Sorted(maps.Keys(b.Cursors)) {
			if err := putCursor(tx, source, b.Cursors[source]); err != nil {
				return err
			}
		}
		if err := putOutgoing(tx, b.Outgoing, counted); err != nil {
			return err
		}
		return s.addAll(tx, b, counted)
	})
}

// addAll adds the alerts of a batch to their lists, in the transaction that stores the
// inputs that caused them.
func (s *journal) addAll(tx *bolt.Tx, b Batch, counted *change) error {
	for _, e := range b.Alerts {
		if err := s.lists.add(tx, outboxBucket, e, counted); err != nil {
			return err
		}
	}
	for _, e := range b.Held {
		if err := s.lists.add(tx, heldBucket, e, counted); err != nil {
			return err
		}
	}
	return nil
}

// Mark returns the place after the newest input. Commits and the taking of Marks
// for checkpoints are up to one goroutine.
func (s *file) Mark() Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark
}

// chunk is a part of a batch's inputs, as it is stored.
type chunk struct {
	last Mark
	data []byte // sealed and compressed
}

// packInputs encodes inputs into compressed chunks, each under the mark of its last
// input. Chunks are bounded, so that Recover can read one at a time.
func packInputs(inputs []Input, mark Mark) ([]chunk, error) {
	var chunks []chunk
	c := codec{&wire.Stored{}}
	var packed []byte
	flush := func() error {
		if c.Err != nil || len(c.B) == 0 {
			return c.Err
		}
		if len(c.B) > maxUnpacked {
			return fmt.Errorf("an input of %d bytes is too long", len(c.B))
		}
		packed = s2.Encode(packed[:cap(packed)], c.B)
		chunks = append(chunks, chunk{mark, seal(key(uint64(mark)), packed)})
		c.B = c.B[:0]
		return nil
	}
	for i := range inputs {
		if len(c.B) == 0 {
			c.Begin()
		}
		c.input(&inputs[i])
		mark++
		if len(c.B) >= chunkSize {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return chunks, flush()
}

// unpack verifies and decompresses one value. The size is checked before memory is
// allocated, because a damaged length may be anything.
func unpack(k, value []byte) ([]byte, error) {
	packed, err := unseal(k, value)
	if err != nil {
		return nil, err
	}
	return uncompress(packed)
}

func uncompress(packed []byte) ([]byte, error) {
	n, err := s2.DecodedLen(packed)
	if err != nil || n > maxUnpacked {
		return nil, fmt.Errorf("%w: compressed text of %d bytes", errDamaged, n)
	}
	data, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return data, nil
}

// readInputs calls f with each input of a chunk. Their texts share memory.
func readInputs(data []byte, f func(Input)) error {
	return decode(data, func(c codec) {
		c.Begin()
		for c.Err == nil && len(c.B) > 0 {
			var in Input
			if c.input(&in); c.Err == nil {
				f(in)
			}
		}
	})
}

// Recover returns the committed data. It first calls restore with the newest checkpoint,
// if there is one, and then replay with each later input, in order. The cursors are the
// places where reading continues. The alerts that the replay makes are already in the
// outbox or delivered, so the caller drops them. An error of restore or replay is
// returned unchanged.
//
// open begins to read the checkpoint from its start, and may be called several times.
// next returns a part of it, and nil at its end.
func (s *journal) Recover(restore func(open func() (next func() ([]byte, error), err error)) error, replay func(Input) error) (cursors map[string]string, err error) {
	isThere, mark, err := s.hasCheckpoint()
	if err != nil {
		return nil, err
	}
	if isThere {
		if err := restore(s.openCheckpoint); err != nil {
			return nil, err
		}
	}
	for {
		var inputs []Input
		inputs, mark, err = s.nextInputs(mark)
		if err != nil {
			return nil, err
		}
		if inputs == nil {
			return s.Cursors()
		}
		for _, in := range inputs {
			if err := replay(in); err != nil {
				return nil, err
			}
		}
	}
}

// nextInputs reads the chunk after a mark, none at the end.
func (s *journal) nextInputs(after Mark) (inputs []Input, last Mark, err error) {
	err = s.view("recover", func(tx *bolt.Tx) error {
		k, v := tx.Bucket(inputsBucket).Cursor().Seek(key(uint64(after) + 1))
		if k == nil {
			return nil
		}
		last = Mark(number(k))
		data, err := unpack(k, v)
		if err != nil {
			return err
		}
		return readInputs(data, func(in Input) { inputs = append(inputs, in) })
	})
	return inputs, last, err
}

// Cursors returns how far each source was read at the newest commit.
func (s *journal) Cursors() (cursors map[string]string, err error) {
	err = s.view("read the cursors", func(tx *bolt.Tx) (err error) {
		cursors, err = readCursors(tx)
		return err
	})
	return cursors, err
}
