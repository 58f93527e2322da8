package state

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// partOfValue is the size of the parts in which a long value is stored. bbolt writes a page
// again with each change of a key on it, so a value of megabytes would be rewritten, and
// copied in memory, with each change of its neighbours.
const partOfValue = 16 << 10

// partKey is the key of a part. The parts of a value stand where its name would.
func partKey(name string, n int) []byte { return fmt.Appendf(nil, "%s/%06d", name, n) }

// putParts stores a value under a name and replaces an older one. No data removes the
// name.
func putParts(bucket *bolt.Bucket, name string, data []byte) error {
	if err := bucket.Delete([]byte(name)); err != nil { // the form of older files
		return err
	}
	n := 0
	for ; len(data) > 0; n++ {
		part := data[:min(len(data), partOfValue)]
		k := partKey(name, n)
		if err := bucket.Put(k, seal(k, part)); err != nil {
			return err
		}
		data = data[len(part):]
	}
	for ; bucket.Get(partKey(name, n)) != nil; n++ {
		if err := bucket.Delete(partKey(name, n)); err != nil {
			return err
		}
	}
	return nil
}

// partsOf returns the value of a name, or nil. In older files it is in one piece.
func partsOf(bucket *bolt.Bucket, name string) (data []byte, err error) {
	if k := []byte(name); bucket.Get(k) != nil {
		whole, err := unseal(k, bucket.Get(k))
		return slices.Clone(whole), err
	}
	for n := 0; ; n++ {
		k := partKey(name, n)
		value := bucket.Get(k)
		if value == nil {
			return data, nil
		}
		part, err := unseal(k, value)
		if err != nil {
			return nil, err
		}
		data = append(data, part...)
	}
}
