package state

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// partOfValue is the size of the stored parts of a value. bbolt writes a page
// again with each change of a key on it, so a value of megabytes would be rewritten, and
// copied in memory, with each change of its neighbours.
const partOfValue = 16 << 10

// partKey is the key of a part. The parts of a value stand where its name would.
func partKey(name string, n int) []byte { return fmt.Appendf(nil, "%s/%06d", name, n) }

// putValue stores a value under a name, in parts, and replaces an older one. No data
// removes the name.
func putValue(bucket *bolt.Bucket, name string, data []byte) error {
	if err := removeValue(bucket, name); err != nil {
		return err
	}
	for n := 0; len(data) > 0; n++ {
		part := data[:min(len(data), partOfValue)]
		k := partKey(name, n)
		if err := bucket.Put(k, seal(k, part)); err != nil {
			return err
		}
		data = data[len(part):]
	}
	return nil
}

// removeValue removes a value in whichever form it is stored: in parts, as a series of
// compressed parts in a bucket of its own (see Draft), or, in older files, in one piece.
func removeValue(bucket *bolt.Bucket, name string) error {
	if bucket.Bucket([]byte(name)) != nil {
		return bucket.DeleteBucket([]byte(name))
	}
	if err := bucket.Delete([]byte(name)); err != nil {
		return err
	}
	for n := 0; bucket.Get(partKey(name, n)) != nil; n++ {
		if err := bucket.Delete(partKey(name, n)); err != nil {
			return err
		}
	}
	return nil
}

// valueOf returns the value of a name, or nil. isSeries says that it was stored as a
// series of compressed parts; they are returned as they were before.
func valueOf(bucket *bolt.Bucket, name string) (data []byte, isSeries bool, err error) {
	if series := bucket.Bucket([]byte(name)); series != nil {
		data, err = readSeries(series)
		return data, true, err
	}
	if k := []byte(name); bucket.Get(k) != nil {
		whole, err := unseal(k, bucket.Get(k))
		return slices.Clone(whole), false, err
	}
	for n := 0; ; n++ {
		k := partKey(name, n)
		value := bucket.Get(k)
		if value == nil {
			return data, false, nil
		}
		part, err := unseal(k, value)
		if err != nil {
			return nil, false, err
		}
		data = append(data, part...)
	}
}

// readSeries returns all parts of a series as one.
func readSeries(bucket *bolt.Bucket) (data []byte, err error) {
	next := uint64(0)
	err = bucket.ForEach(func(k, v []byte) error {
		if number(k) != next {
			return fmt.Errorf("%w: part %d is missing", errDamaged, next)
		}
		next++
		part, err := unpack(k, v)
		data = append(data, part...)
		return err
	})
	return data, err
}
