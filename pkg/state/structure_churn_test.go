package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// churn is a bbolt file to which everything is done that makes its pages unlike
// one another.
type churn struct {
	*testing.T
	rng *rand.Rand
	db  *bolt.DB
	old *bolt.Tx // a reader keeps the pages that it sees from being used again
}

// Whatever bbolt writes is taken: also what a crash leaves of a transaction, and
// what one does for which there was no room. (It comes after the tests that limit
// the size of files: bbolt reads a variable of the environment at each page that it
// frees, and go test logs each reading to a file of its own.)
func TestStructureTakesWhatBoltWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	for seed := range uint64(2) {
		for _, pageSize := range []int{1024, 4096, 65536} {
			t.Run(fmt.Sprintf("%d, pages of %d", seed, pageSize), func(t *testing.T) {
				p := path(t)
				// bbolt maps the file anew only when nobody reads.
				options := bolt.Options{PageSize: pageSize, FreelistType: bolt.FreelistMapType, NoSync: true, NoGrowSync: true, InitialMmapSize: 1 << 30}
				db, err := bolt.Open(p, 0o600, &options)
				must(t, err)
				c := &churn{T: t, rng: rand.New(rand.NewPCG(seed, uint64(pageSize))), db: db}
				for range 16 {
					c.turn(p, pageSize)
				}
				c.release()
				must(t, db.View(func(tx *bolt.Tx) error { // else it would be the test that is wrong
					for err := range tx.Check() {
						t.Error(err)
					}
					return nil
				}))
				must(t, db.Close())
				must(t, checkStructure(p, time.Second))
			})
		}
	}
}

// turn runs one transaction, and checks the file as it is after it and as crashes
// in the middle of it leave it.
func (c *churn) turn(path string, pageSize int) {
	if c.rng.IntN(5) == 0 {
		c.release()
		c.old, _ = c.db.Begin(false)
	}
	before, err := os.ReadFile(path)
	must(c.T, err)
	if c.rng.IntN(4) == 0 {
		c.db.MaxSize = len(before)
	}
	if err := c.db.Update(c.change); err != nil && !errors.Is(err, errGivenUp) && !errors.Is(err, bolterrors.ErrMaxSizeReached) {
		c.Fatal(err)
	}
	c.db.MaxSize = 0
	after, err := os.ReadFile(path)
	must(c.T, err)
	c.accept("after the transaction", after)
	for range 3 {
		c.accept("a crash before the meta page", c.mixed(before, after, pageSize))
	}
	torn := bytes.Clone(after)
	for _, at := range []int{0, pageSize} {
		meta, old := torn[at+pageHeader:][:metaSize], before[at+pageHeader:][:metaSize]
		if bytes.Equal(meta, old) {
			continue
		}
		copy(meta[c.rng.IntN(metaSize):], old[:]) // not the bytes of either
	}
	c.accept("a crash within the meta page", torn)
}

// mixed has some of the pages that the transaction wrote, and neither of its meta
// pages. The file has grown, or not.
func (c *churn) mixed(before, after []byte, pageSize int) []byte {
	mixed := bytes.Clone(before)
	if c.rng.IntN(2) == 0 {
		mixed = append(mixed, make([]byte, max(0, len(after)-len(before)))...)
	}
	for at := 2 * pageSize; at+pageSize <= min(len(mixed), len(after)); at += pageSize {
		if c.rng.IntN(2) == 0 {
			copy(mixed[at:at+pageSize], after[at:])
		}
	}
	return mixed
}

func (c *churn) accept(what string, file []byte) {
	c.Helper()
	if err := checkPages(bytes.NewReader(file), int64(len(file))); err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

func (c *churn) release() {
	if c.old != nil {
		must(c.T, c.old.Rollback())
		c.old = nil
	}
}

var errGivenUp = errors.New("given up")

// change puts, overwrites and deletes keys, whole runs of them, and buckets.
func (c *churn) change(tx *bolt.Tx) error {
	for range 1 + c.rng.IntN(3) {
		name := fmt.Appendf(nil, "bucket %d", c.rng.IntN(6))
		bucket, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		if c.rng.IntN(2) == 0 {
			bucket.FillPercent = 1
		}
		switch c.rng.IntN(6) {
		case 0:
			err = tx.DeleteBucket(name)
		case 1:
			err = c.empty(bucket)
		default:
			err = c.fill(bucket)
		}
		if err != nil {
			return err
		}
	}
	if c.rng.IntN(6) == 0 {
		return errGivenUp
	}
	return nil
}

func (c *churn) fill(bucket *bolt.Bucket) error {
	sizes := []int{0, 20, 300, 5000, 150_000}
	size, long := sizes[c.rng.IntN(len(sizes))], c.rng.IntN(8) == 0
	for range 1 + c.rng.IntN(min(300, 1+100_000/(size+1))) {
		k := key(c.rng.Uint64N(1000))
		if long {
			k = append(k, make([]byte, c.rng.IntN(3000))...)
		}
		if err := bucket.Put(k, make([]byte, c.rng.IntN(size+1))); err != nil {
			return err
		}
	}
	return nil
}

// empty deletes from the front, to the end or not.
func (c *churn) empty(bucket *bolt.Bucket) error {
	n, cursor := c.rng.IntN(600), bucket.Cursor()
	for k, _ := cursor.First(); k != nil && n > 0; k, _ = cursor.First() {
		if err := cursor.Delete(); err != nil {
			return err
		}
		n--
	}
	return nil
}

// From 65535 free pages on their count stands in another place.
func TestStructureOfManyFreePages(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	p := path(t)
	db, err := bolt.Open(p, 0o600, &bolt.Options{PageSize: 1024, FreelistType: bolt.FreelistMapType, NoSync: true, NoGrowSync: true})
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("big"))
		for n := uint64(0); n < 4 && err == nil; n++ {
			err = bucket.Put(key(n), make([]byte, 17<<20))
		}
		return err
	}))
	must(t, db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("big")) }))
	must(t, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("small")); return err }))
	if n := db.Stats().FreePageN; n <= manyFreePages {
		t.Fatalf("%d free pages, want more than %v", n, manyFreePages)
	}
	must(t, db.Close())
	must(t, checkStructure(p, time.Second))
}
