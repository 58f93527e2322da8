package state

import (
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
	bolt "go.etcd.io/bbolt"
)

const (
	partSize = 1 << 20 // bytes of a checkpoint in one value, before compression

	// asideSize is how many bytes of a checkpoint that is written are in memory, after
	// compression. bbolt holds them a second time in the transaction that writes them.
	asideSize = 2 << 20
)

// Draft is a checkpoint of the engine's whole state that is being written. What is added
// is compressed at once, and a large state goes to the file before it is complete, in
// transactions of its own, so that it never is in memory a second time:
//
//	draft := store.Draft()
//	err := engine.Snapshot(draft.Add)
//	err = draft.Store(mark, Beside{})
//
// The parts that are in the file already lie in the bucket draft, from which Store moves
// them to their places. Parts of a draft that was never stored, as after a crash, do not
// count, and the next draft removes them. Of a store there is one draft at a time.
type Draft struct {
	store   *journal
	series  []*series // the engine's state, and then large values beside it
	packed  []part    // that are not in the file yet
	scratch []byte    // of pack
	size    int       // of these
	most    int       // size from which they go to the file
	isAside bool      // some are in the file
	err     error     // the first one of writing
}

// series is a value that is stored in parts, in a bucket of its own.
type series struct {
	in    []byte // the bucket that it belongs to; nil: it is one of the file's
	name  []byte // of its own bucket
	rest  []byte // less than a part
	parts int    // how many there are, in the file or not
}

// part is one part of a series, as it is stored.
type part struct {
	of     *series
	number int
	data   []byte
}

// Draft begins a checkpoint.
func (s *journal) Draft() *Draft {
	return &Draft{store: s, most: asideSize, series: []*series{{name: checkpointBucket}}}
}

// Add takes more of the engine's state. It keeps nothing of b.
func (d *Draft) Add(b []byte) { d.add(d.series[0], b) }

// addValue takes a whole value that belongs into a bucket.
func (d *Draft) addValue(in []byte, name string, data []byte) {
	s := &series{in: in, name: []byte(name)}
	d.series = append(d.series, s)
	d.add(s, data)
	d.finish(s)
}

func (d *Draft) add(s *series, b []byte) {
	for len(s.rest)+len(b) >= partSize {
		room := partSize - len(s.rest)
		if len(s.rest) == 0 {
			d.pack(s, b[:room])
		} else {
			d.pack(s, append(s.rest, b[:room]...))
			s.rest = s.rest[:0]
		}
		b = b[room:]
	}
	s.rest = append(s.rest, b...)
}

// finish packs the last part of a series.
func (d *Draft) finish(s *series) {
	if len(s.rest) > 0 {
		d.pack(s, s.rest)
		s.rest = nil
	}
}

// pack compresses one part and adds its checksum. The key in the checksum is the part's
// number, so parts that changed places are noticed.
func (d *Draft) pack(s *series, b []byte) {
	if d.err != nil {
		return
	}
	d.scratch = s2.Encode(d.scratch[:cap(d.scratch)], b)
	packed := seal(key(uint64(s.parts)), d.scratch)
	d.packed, d.size = append(d.packed, part{s, s.parts, packed}), d.size+len(packed)
	if s.parts++; d.size >= d.most {
		d.putAside()
	}
}

// putAside writes the parts that are packed to the file.
func (d *Draft) putAside() {
	d.err = d.store.update("checkpoint", func(tx *bolt.Tx, _ *change) error {
		draft := tx.Bucket(draftBucket)
		if !d.isAside {
			if err := empty(draft); err != nil {
				return err
			}
		}
		return d.putParts(func(s *series) (*bolt.Bucket, error) { return draft.CreateBucketIfNotExists(s.name) })
	})
	d.isAside, d.packed, d.size = true, nil, 0
}

// putParts puts the parts that are packed into the buckets of their series.
func (d *Draft) putParts(bucketOf func(*series) (*bolt.Bucket, error)) error {
	for _, p := range d.packed {
		bucket, err := bucketOf(p.of)
		if err != nil {
			return err
		}
		bucket.FillPercent = 1 // keys only grow
		if err := bucket.Put(key(uint64(p.number)), p.data); err != nil {
			return err
		}
	}
	return nil
}

// empty removes the buckets in a bucket, for example the rest of an older draft.
func empty(bucket *bolt.Bucket) error {
	var names [][]byte
	err := bucket.ForEachBucket(func(name []byte) error {
		names = append(names, slices.Clone(name))
		return nil
	})
	for _, name := range names {
		err = errors.Join(err, bucket.DeleteBucket(name))
	}
	return err
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
	d.finish(d.series[0])
	for name, data := range beside.Large {
		d.addValue(keptBucket, name, data)
	}
	for name, data := range beside.Days {
		d.addValue(daysBucket, name, data)
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

// replace puts each series of the draft in the place of the older one.
func (d *Draft) replace(tx *bolt.Tx) error {
	draft := tx.Bucket(draftBucket)
	if !d.isAside {
		if err := empty(draft); err != nil {
			return err
		}
	}
	for _, s := range d.series {
		if err := s.moveFrom(draft, tx); err != nil {
			return err
		}
	}
	return d.putParts(func(s *series) (*bolt.Bucket, error) {
		if s.in == nil {
			return tx.Bucket(s.name), nil
		}
		return tx.Bucket(s.in).Bucket(s.name), nil
	})
}

// moveFrom moves the bucket of a series from the draft to its place, or makes a new one
// there if nothing of it is in the file yet.
func (s *series) moveFrom(draft *bolt.Bucket, tx *bolt.Tx) (err error) {
	if s.in == nil {
		if err := tx.DeleteBucket(s.name); err != nil {
			return err
		}
		if draft.Bucket(s.name) != nil {
			return tx.MoveBucket(s.name, draft, nil)
		}
		_, err = tx.CreateBucket(s.name)
		return err
	}
	place := tx.Bucket(s.in)
	if err := removeValue(place, string(s.name)); err != nil {
		return err
	}
	switch {
	case draft.Bucket(s.name) != nil:
		return tx.MoveBucket(s.name, draft, place)
	case s.parts > 0:
		_, err = place.CreateBucket(s.name)
	}
	return err
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
