package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The buckets of the file.
var (
	metaBucket       = []byte("meta")       // schema; the mark of the checkpoint; the numbers of outgoing batches
	keptBucket       = []byte("kept")       // name and number → part of a value of Keep
	inputsBucket     = []byte("inputs")     // number of its last input → chunk of inputs
	checkpointBucket = []byte("checkpoint") // number → part of the engine's state
	draftBucket      = []byte("draft")      // a checkpoint that is not complete yet, as a bucket
	cursorsBucket    = []byte("cursors")    // source → cursor
	outboxBucket     = []byte("outbox")     // sequence → Entry
	parkedBucket     = []byte("parked")     // the same
	heldBucket       = []byte("held")       // the same
	knownBucket      = []byte("known")      // ID → when it was added
	historyBucket    = []byte("history")    // time and ID → HistoryEntry
	valuesBucket     = []byte("values")     // hash of the value, key of the history → nothing
	outgoingBucket   = []byte("outgoing")   // number of its first fact → batch that an edge has to send
	daysBucket       = []byte("days")       // date or hour → its part of the daily report
	runningBucket    = []byte("running")    // key of the history → nothing while a ban of it may run, its end once it is over
	// (all that is nothing has a checksum of its key)

	schemaKey = []byte("schema")
	markKey   = []byte("mark")
)

// buckets returns the names of all buckets. A file with any other is damaged.
func buckets() [][]byte {
	return [][]byte{
		metaBucket, inputsBucket, checkpointBucket, cursorsBucket, outboxBucket, parkedBucket, heldBucket,
		knownBucket, historyBucket, valuesBucket, runningBucket, daysBucket, outgoingBucket, keptBucket, draftBucket,
	}
}

// sinceOf returns the schema from which on a file has the bucket.
func sinceOf(bucket []byte) uint64 {
	switch string(bucket) {
	case string(daysBucket):
		return 4
	case string(outgoingBucket):
		return 5
	case string(keptBucket), string(draftBucket):
		return 6
	}
	return 1
}

// listBuckets are the buckets of entries.
func listBuckets() [][]byte { return [][]byte{outboxBucket, parkedBucket, heldBucket} }

// indexes are the buckets whose values got checksums with schema 3.
func indexes() [][]byte { return [][]byte{knownBucket, valuesBucket, runningBucket} }

func isOneOf(name []byte, names [][]byte) bool {
	return slices.ContainsFunc(names, func(one []byte) bool { return bytes.Equal(one, name) })
}

// noSchema is a version that csmail will not reach: more is damage.
const noSchema = 1000

// load checks the version, makes the buckets of a new file, and counts. It
// walks over every key, so that damage shows at the start. A file that is as it
// should be opens on a full disk, too.
func (s *file) load() error {
	if err := s.db.View(checkSchema); err != nil {
		return err
	}
	if !s.options.ReadOnly && s.db.View(isNewest) != nil {
		if err := s.db.Update(upgrade); err != nil {
			return err
		}
	}
	return s.db.View(s.count)
}

// complete finds a bucket that is missing.
func complete(tx *bolt.Tx) error {
	for _, name := range buckets() {
		if version(tx) >= sinceOf(name) && tx.Bucket(name) == nil {
			return fmt.Errorf("%w: %s is missing", errDamaged, name)
		}
	}
	return nil
}

// isNewest returns an error if upgrade would have to change the file.
func isNewest(tx *bolt.Tx) error {
	if meta := tx.Bucket(metaBucket); meta == nil || version(tx) != schema {
		return fmt.Errorf("%w: not of version %d", errDamaged, schema)
	}
	return nil
}

// version returns the schema of the file, 0 if it has none.
func version(tx *bolt.Tx) uint64 { return number(tx.Bucket(metaBucket).Get(schemaKey)) }

// checkSchema returns an error for a file of another program, and for a schema that is
// newer than this csmail.
func checkSchema(tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		if name, _ := tx.Cursor().First(); name != nil {
			return fmt.Errorf("%w: it is another program's", errDamaged)
		}
		return nil // new
	}
	version := version(tx)
	if version > noSchema {
		return fmt.Errorf("%w: version %d", errDamaged, version)
	}
	if version > schema {
		return fmt.Errorf("%w: its version is %d, this one knows %d", ErrNewer, version, schema)
	}
	if version == 0 {
		return fmt.Errorf("%w: it has no version", errDamaged)
	}
	return tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
		if !isOneOf(name, buckets()) {
			// It is a file of csmail's, and creating it again would lose its content.
			return fmt.Errorf("%w: it holds an unknown %q", errDamaged, name)
		}
		return nil
	})
}

// create makes the buckets that are missing.
func create(tx *bolt.Tx) error {
	for _, name := range buckets() {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// The last schemas without these checksums, or with the values of Keep in the bucket meta.
const (
	bareCursors = 1
	bareIndexes = 2 // and before
	keptInMeta  = 5 // and before
)

// upgrade brings a new file, or one of an older schema, to the newest.
func upgrade(tx *bolt.Tx) error {
	if err := create(tx); err != nil {
		return err
	}
	read, err := readCursors(tx)
	if err != nil {
		return err
	}
	for source, cursor := range read {
		if err := putCursor(tx, source, cursor); err != nil {
			return err
		}
	}
	for _, name := range indexes() {
		if version(tx) > bareIndexes {
			break
		}
		if err := sealAll(tx.Bucket(name)); err != nil {
			return err
		}
	}
	mark, err := readMark(tx)
	if err != nil {
		return err
	}
	if err := putMark(tx, mark); err != nil {
		return err
	}
	if version(tx) <= keptInMeta {
		if err := moveKept(tx); err != nil {
			return err
		}
	}
	return tx.Bucket(metaBucket).Put(schemaKey, key(schema))
}

// sealAll adds a checksum to every value of a bucket of an older schema. It collects the
// values first, because bbolt allows no change of a bucket while it is iterated.
func sealAll(bucket *bolt.Bucket) error {
	sealed := map[string][]byte{}
	err := bucket.ForEach(func(k, v []byte) error {
		sealed[string(k)] = seal(k, v)
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(sealed)) {
		if err := bucket.Put([]byte(k), sealed[k]); err != nil {
			return err
		}
	}
	return nil
}

// unsealIndex reads a value of an index.
func unsealIndex(tx *bolt.Tx, k, v []byte) ([]byte, error) {
	if version(tx) <= bareIndexes {
		return v, nil
	}
	return unseal(k, v)
}

// sealedMark returns the bytes that the mark's checksum covers besides the mark: the
// schema. The schema itself has no checksum, because an older csmail must be able to
// read it.
func sealedMark(version uint64) []byte { return slices.Concat(markKey, schemaKey, key(version)) }

// putMark stores the mark of the newest checkpoint.
func putMark(tx *bolt.Tx, mark Mark) error {
	return tx.Bucket(metaBucket).Put(markKey, seal(sealedMark(schema), key(uint64(mark))))
}

// readMark returns the mark of the newest checkpoint.
func readMark(tx *bolt.Tx) (Mark, error) {
	value, version := tx.Bucket(metaBucket).Get(markKey), version(tx)
	if version <= bareIndexes {
		if value != nil && len(value) != 8 {
			return 0, fmt.Errorf("%w: a mark of %d bytes in version %d", errDamaged, len(value), version)
		}
		return Mark(number(value)), nil
	}
	mark, err := unseal(sealedMark(version), value)
	if err != nil {
		return 0, fmt.Errorf("the mark: %w", err)
	}
	return Mark(number(mark)), nil
}

// putCursor stores the position in a source.
func putCursor(tx *bolt.Tx, source, cursor string) error {
	return tx.Bucket(cursorsBucket).Put([]byte(source), seal([]byte(source), []byte(cursor)))
}

// readCursors returns the positions in all sources.
func readCursors(tx *bolt.Tx) (map[string]string, error) {
	cursors := map[string]string{}
	bare := version(tx) == bareCursors
	return cursors, tx.Bucket(cursorsBucket).ForEach(func(k, v []byte) (err error) {
		if !bare {
			if v, err = unseal(k, v); err != nil {
				return fmt.Errorf("the cursor of %q: %w", k, err)
			}
		}
		cursors[string(k)] = string(v)
		return nil
	})
}

// count reads the whole file once at the start: it counts the entries of each list, and
// verifies each value that normal reading would not reach.
func (s *file) count(tx *bolt.Tx) error {
	if err := complete(tx); err != nil {
		return err
	}
	keys := map[string]int{}
	for _, name := range buckets() {
		bucket := tx.Bucket(name)
		if bucket == nil {
			continue // of an older schema
		}
		cursor := bucket.Cursor()
		for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
			keys[string(name)]++
			if err := checkValue(tx, name, k, v); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if string(name) == string(inputsBucket) {
				s.stats.JournalBytes += int64(len(v))
				s.mark = Mark(number(k))
			}
		}
	}
	if err := checkSequences(tx); err != nil {
		return err
	}
	if _, err := readCursors(tx); err != nil {
		return err
	}
	mark, err := readMark(tx)
	if err != nil {
		return err
	}
	s.mark = max(s.mark, mark)
	if err := s.countOutgoing(tx); err != nil {
		return err
	}
	s.stats.Pending, s.stats.Parked, s.stats.Held = keys[string(outboxBucket)], keys[string(parkedBucket)], keys[string(heldBucket)]
	s.stats.FileBytes = tx.Size()
	return nil
}

// checkValue verifies values that normal reading does not reach one by one. A damaged
// key would otherwise hide its alert, or cause it to be delivered again.
func checkValue(tx *bolt.Tx, bucket, k, v []byte) (err error) {
	switch {
	case isOneOf(bucket, listBuckets()), bytes.Equal(bucket, outgoingBucket):
		_, err = unseal(k, v)
	case isOneOf(bucket, indexes()):
		_, err = unsealIndex(tx, k, v)
	}
	return err
}

// checkSequences verifies that the mark and each list's sequence match the stored keys.
// A mark too high would skip inputs. A sequence too low (sequences have no checksum)
// would overwrite an alert.
func checkSequences(tx *bolt.Tx) error {
	mark, err := readMark(tx)
	if err != nil {
		return err
	}
	if first, _ := tx.Bucket(inputsBucket).Cursor().First(); first != nil && Mark(number(first)) <= mark {
		return fmt.Errorf("%w: input %d is older than the checkpoint's mark %d", errDamaged, number(first), mark)
	}
	for _, name := range listBuckets() {
		last, _ := tx.Bucket(name).Cursor().Last()
		if next := tx.Bucket(name).Sequence(); last != nil && number(last) > next {
			return fmt.Errorf("%w: %s holds number %d and counts %d", errDamaged, name, number(last), next)
		}
	}
	return nil
}

// key returns a number as a key, big-endian so that keys sort as numbers.
func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number reads a key that key made; 0 is invalid.
func number(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// timeKey sorts as the time does.
func timeKey(t time.Time, id string) []byte {
	return append(key(uint64(t.UnixNano())^1<<63), id...)
}

const checksumSize = 4

// seal puts a checksum of the key and the bytes before the bytes. bbolt has no checksums
// on its pages. The key is included, because a value under another key is wrong too.
func seal(key, data []byte) []byte {
	sealed := make([]byte, 0, checksumSize+len(data))
	sealed = binary.BigEndian.AppendUint32(sealed, checksum(data, key))
	return append(sealed, data...)
}

// unseal also takes values of schema 1, whose checksums left the key out.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < checksumSize {
		return nil, fmt.Errorf("%w: %d bytes", errDamaged, len(sealed))
	}
	data := sealed[checksumSize:]
	if sum := binary.BigEndian.Uint32(sealed); sum != checksum(data, key) && sum != checksum(data) {
		return nil, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return data, nil
}

func checksum(parts ...[]byte) (sum uint32) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, part := range parts {
		sum = crc32.Update(sum, table, part)
	}
	return sum
}

// put stores the codec's output.
func put(bucket *bolt.Bucket, key []byte, fields func(codec)) error {
	data, err := encode(fields)
	if err != nil {
		return err
	}
	return bucket.Put(key, seal(key, data))
}

// get reads a value that put stored. It copies, so that nothing points into the file.
func get(key, value []byte, fields func(codec)) error {
	data, err := unseal(key, value)
	if err != nil {
		return err
	}
	return decode(data, fields)
}
