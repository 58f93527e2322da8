package state

import (
	"fmt"

	"github.com/klauspost/compress/s2"
	bolt "go.etcd.io/bbolt"
)

const (
	partSize = 1 << 20 // bytes of a checkpoint in one value, before compression

	// asideSize is how many bytes of a checkpoint that is written are in memory, after
	// compression. bbolt holds them a second time in the transaction that writes them.
	asideSize = 8 << 20
)

// Draft is a checkpoint of the engine's whole state that is being written. What is added
// is compressed at once, and a large state goes to the file before it is complete, in
// transactions of its own, so that it never is in memory a second time:
//
//	draft := store.Draft()
//	err := engine.Snapshot(draft.Add)
//	err = draft.Store(mark, Beside{})
//
// The parts that are in the file already lie in a bucket within the bucket draft, which
// Store moves to its place. Parts of a draft that was never stored, as after a crash, do
// not count, and the next draft removes them. Of a store there is one draft at a time.
type Draft struct {
	store   *journal
	rest    []byte   // less than a part
	packed  [][]byte // parts that are not in the file yet
	size    int      // of these
	parts   int      // how many there are, in the file or not
	most    int      // size from which they go to the file
	isAside bool     // some are in the file
	err     error    // the first one of writing
}

// Draft begins a checkpoint.
func (s *journal) Draft() *Draft { return &Draft{store: s, most: asideSize} }

// Add takes more of the state. It keeps nothing of b.
func (d *Draft) Add(b []byte) {
	for len(d.rest)+len(b) >= partSize {
		room := partSize - len(d.rest)
		if len(d.rest) == 0 {
			d.pack(b[:room])
		} else {
			d.pack(append(d.rest, b[:room]...))
			d.rest = d.rest[:0]
		}
		b = b[room:]
	}
	d.rest = append(d.rest, b...)
}

// pack compresses one part and adds its checksum. The key in the checksum is the part's
// number, so parts that changed places are noticed.
func (d *Draft) pack(part []byte) {
	if d.err != nil {
		return
	}
	packed := seal(key(uint64(d.parts)), s2.Encode(nil, part))
	d.packed, d.size, d.parts = append(d.packed, packed), d.size+len(packed), d.parts+1
	if d.size >= d.most {
		d.putAside()
	}
}

// putAside writes the parts that are packed to the file.
func (d *Draft) putAside() {
	d.err = d.store.update("checkpoint", func(tx *bolt.Tx, _ *change) error {
		draft := tx.Bucket(draftBucket)
		if !d.isAside {
			if err := removeAside(draft); err != nil {
				return err
			}
		}
		aside, err := draft.CreateBucketIfNotExists(checkpointBucket)
		if err != nil {
			return err
		}
		return d.put(aside)
	})
	d.isAside, d.packed, d.size = true, nil, 0
}

// removeAside removes the rest of an older draft.
func removeAside(draft *bolt.Bucket) error {
	if draft.Bucket(checkpointBucket) == nil {
		return nil
	}
	return draft.DeleteBucket(checkpointBucket)
}

// put puts the parts that are packed into a bucket.
func (d *Draft) put(bucket *bolt.Bucket) error {
	bucket.FillPercent = 1 // keys only grow
	for i, part := range d.packed {
		if err := bucket.Put(key(uint64(d.parts-len(d.packed)+i)), part); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint stores the engine's whole state at the mark, replaces the older checkpoint,
// and removes the inputs up to the mark. Later inputs stay, so commits may go on while a
// checkpoint is stored. An empty state counts as no checkpoint.
func (s *journal) Checkpoint(state []byte, at Mark) error {
	d := s.Draft()
	d.Add(state)
	return d.Store(at, Beside{})
}

// Store does the work of [Store.Checkpoint] with the added data, and stores more in the
// same transaction. It returns the first error of the whole draft. Nothing may be added
// any more.
func (d *Draft) Store(at Mark, beside Beside) error {
	s := d.store
	if now := s.Mark(); at > now {
		return s.explain("checkpoint", fmt.Errorf("mark %d is not committed yet, %d is", at, now))
	}
	if len(d.rest) > 0 {
		d.pack(d.rest)
		d.rest = nil
	}
	if d.err != nil {
		return d.err
	}
	return s.update("checkpoint", func(tx *bolt.Tx, counted *change) error {
		counted.checkpoints = 1
		if err := d.replace(tx); err != nil {
			return err
		}
		if err := putMark(tx, at); err != nil {
			return err
		}
		if err := s.putBeside(tx, beside); err != nil {
			return err
		}
		return removeInputs(tx, at, counted)
	})
}

// replace puts the draft in the place of the older checkpoint.
func (d *Draft) replace(tx *bolt.Tx) error {
	if err := tx.DeleteBucket(checkpointBucket); err != nil {
		return err
	}
	draft := tx.Bucket(draftBucket)
	if d.isAside {
		if err := tx.MoveBucket(checkpointBucket, draft, nil); err != nil {
			return err
		}
		return d.put(tx.Bucket(checkpointBucket))
	}
	if err := removeAside(draft); err != nil {
		return err
	}
	bucket, err := tx.CreateBucket(checkpointBucket)
	if err != nil {
		return err
	}
	return d.put(bucket)
}

// removeInputs removes the inputs up to the mark of a checkpoint.
func removeInputs(tx *bolt.Tx, at Mark, counted *change) error {
	cursor := tx.Bucket(inputsBucket).Cursor()
	for k, v := cursor.First(); k != nil && Mark(number(k)) <= at; k, v = cursor.First() {
		counted.journal -= int64(len(v))
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// hasCheckpoint reports whether there is a checkpoint, and returns its mark.
func (s *journal) hasCheckpoint() (isThere bool, mark Mark, err error) {
	err = s.view("recover", func(tx *bolt.Tx) (err error) {
		first, _ := tx.Bucket(checkpointBucket).Cursor().First()
		isThere = first != nil
		mark, err = readMark(tx)
		return err
	})
	return isThere, mark, err
}

// openCheckpoint begins to read the checkpoint, a part at a time; see [Store.Recover].
func (s *journal) openCheckpoint() (next func() ([]byte, error), err error) {
	part := uint64(0) // the one to be read next
	return func() (state []byte, err error) {
		err = s.view("recover", func(tx *bolt.Tx) (err error) {
			k, v := tx.Bucket(checkpointBucket).Cursor().Seek(key(part))
			if k == nil {
				return nil
			}
			if number(k) != part {
				return fmt.Errorf("%w: part %d of the checkpoint is missing", errDamaged, part)
			}
			part++
			state, err = unpack(k, v)
			return err
		})
		return state, err
	}, nil
}
