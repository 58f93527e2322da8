package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/s2"
	bolt "go.etcd.io/bbolt"
)

const (
	chunkSize = 256 << 10 // bytes of inputs in one value, before compression
	partSize  = 1 << 20   // of a checkpoint

	// maxUnpacked bounds the memory that a damaged value can allocate. No real input
	// comes close, because the inputs bound the length of lines.
	maxUnpacked = 64 << 20
)

// Commit stores a batch in one transaction: all of it, or, with an error, nothing,
// and the caller may try again. When it returns, the batch is on the disk.
func (s *Store) Commit(b Batch) error {
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
		return s.addAll(tx, b, counted)
	})
}

// addAll adds the alerts of a batch to their lists, in the transaction that stores the
// inputs that caused them.
func (s *Store) addAll(tx *bolt.Tx, b Batch, counted *change) error {
	for _, e := range b.Alerts {
		if err := s.add(tx, outboxBucket, e, counted); err != nil {
			return err
		}
	}
	for _, e := range b.Held {
		if err := s.add(tx, heldBucket, e, counted); err != nil {
			return err
		}
	}
	return nil
}

// Mark returns the place after the newest input. Commits and the taking of Marks
// for checkpoints are up to one goroutine.
func (s *Store) Mark() Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark
}

type chunk struct {
	last Mark
	data []byte // sealed and compressed
}

// packInputs encodes inputs into compressed chunks, each under the mark of its last
// input. Chunks are bounded, so that Recover can read one at a time.
func packInputs(inputs []Input, mark Mark) ([]chunk, error) {
	var chunks []chunk
	c := &codec{}
	flush := func() error {
		if c.err != nil || len(c.data) == 0 {
			return c.err
		}
		if len(c.data) > maxUnpacked {
			return fmt.Errorf("an input of %d bytes is too long", len(c.data))
		}
		chunks = append(chunks, chunk{mark, seal(key(uint64(mark)), s2.Encode(nil, c.data))})
		c.data = c.data[:0]
		return nil
	}
	for i := range inputs {
		if len(c.data) == 0 {
			c.version()
		}
		c.input(&inputs[i])
		mark++
		if len(c.data) >= chunkSize {
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
	return decode(data, func(c *codec) {
		c.version()
		for c.err == nil && c.text != "" {
			var in Input
			if c.input(&in); c.err == nil {
				f(in)
			}
		}
	})
}

// Recover returns the committed data. It first calls restore with the newest checkpoint,
// if there is one, and then replay with each later input, in order. The cursors are the
// places at which reading continues. The alerts that the replay makes are already in the
// outbox or delivered, so the caller drops them. An error of restore or replay is
// returned unchanged.
func (s *Store) Recover(restore func(checkpoint []byte) error, replay func(Input) error) (cursors map[string]string, err error) {
	checkpoint, mark, err := s.checkpoint()
	if err != nil {
		return nil, err
	}
	if checkpoint != nil {
		if err := restore(checkpoint); err != nil {
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
func (s *Store) nextInputs(after Mark) (inputs []Input, last Mark, err error) {
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

// checkpoint reads the parts into one piece of memory. Its size is known before.
func (s *Store) checkpoint() (state []byte, mark Mark, err error) {
	err = s.view("recover", func(tx *bolt.Tx) (err error) {
		if mark, err = readMark(tx); err != nil {
			return err
		}
		bucket := tx.Bucket(checkpointBucket)
		size, err := unpackedSize(bucket)
		if err != nil || size == 0 {
			return err
		}
		state = make([]byte, 0, size)
		return bucket.ForEach(func(k, v []byte) error {
			part, err := unpack(k, v)
			state = append(state, part...)
			return err
		})
	})
	return state, mark, err
}

// unpackedSize adds the sizes of the decompressed parts, without decompressing them.
func unpackedSize(bucket *bolt.Bucket) (size int, err error) {
	err = bucket.ForEach(func(k, v []byte) error {
		packed, err := unseal(k, v)
		if err != nil {
			return err
		}
		n, err := s2.DecodedLen(packed)
		if err != nil || n > maxUnpacked {
			return fmt.Errorf("%w: compressed text of %d bytes", errDamaged, n)
		}
		size += n
		return nil
	})
	return size, err
}

// Cursors returns how far each source was read at the newest commit.
func (s *Store) Cursors() (cursors map[string]string, err error) {
	err = s.view("read the cursors", func(tx *bolt.Tx) (err error) {
		cursors, err = readCursors(tx)
		return err
	})
	return cursors, err
}

// Packed is a state that is to be stored as a checkpoint: compressed while it is
// added, so that it is never in memory whole.
type Packed struct {
	parts [][]byte
	rest  []byte // less than a part
}

// Add takes more of the state. It keeps nothing of b.
func (p *Packed) Add(b []byte) {
	for len(p.rest)+len(b) >= partSize {
		room := partSize - len(p.rest)
		if len(p.rest) == 0 {
			p.seal(b[:room])
		} else {
			p.seal(append(p.rest, b[:room]...))
			p.rest = p.rest[:0]
		}
		b = b[room:]
	}
	p.rest = append(p.rest, b...)
}

// seal compresses one part and adds its checksum. The key in the checksum is the part's
// number, so parts that changed places are noticed.
func (p *Packed) seal(part []byte) {
	p.parts = append(p.parts, seal(key(uint64(len(p.parts))), s2.Encode(nil, part)))
}

// Checkpoint stores the engine's whole state at the mark, replaces the older checkpoint,
// and removes the inputs up to the mark. Later inputs stay, so commits may go on while a
// checkpoint is stored. An empty state counts as no checkpoint.
func (s *Store) Checkpoint(state []byte, at Mark) error {
	p := &Packed{}
	p.Add(state)
	return s.StoreCheckpoint(p, at)
}

// StoreCheckpoint is Checkpoint of a state that was packed already. Nothing may be
// added to it any more.
func (s *Store) StoreCheckpoint(state *Packed, at Mark) error {
	return s.storeCheckpoint(state, at, func(*bolt.Tx) error { return nil })
}

// storeCheckpoint has more written in the same transaction.
func (s *Store) storeCheckpoint(state *Packed, at Mark, more func(*bolt.Tx) error) error {
	if now := s.Mark(); at > now {
		return s.explain("checkpoint", fmt.Errorf("mark %d is not committed yet, %d is", at, now))
	}
	if len(state.rest) > 0 {
		state.seal(state.rest)
		state.rest = nil
	}
	return s.update("checkpoint", func(tx *bolt.Tx, counted *change) error {
		counted.checkpoints = 1
		if err := tx.DeleteBucket(checkpointBucket); err != nil {
			return err
		}
		bucket, err := tx.CreateBucket(checkpointBucket)
		if err != nil {
			return err
		}
		for i, part := range state.parts {
			if err := bucket.Put(key(uint64(i)), part); err != nil {
				return err
			}
		}
		if err := putMark(tx, at); err != nil {
			return err
		}
		if err := more(tx); err != nil {
			return err
		}
		cursor := tx.Bucket(inputsBucket).Cursor()
		for k, v := cursor.First(); k != nil && Mark(number(k)) <= at; k, v = cursor.First() {
			counted.journal -= int64(len(v))
			if err := cursor.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
}
