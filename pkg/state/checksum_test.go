package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

// edit changes a closed file behind the store's back.
func edit(t *testing.T, p string, f func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(p, 0o600, nil)
	must(t, err)
	must(t, db.Update(f))
	must(t, db.Close())
}

// used makes a file with something of everything, and closes it.
func used(t *testing.T) string {
	t.Helper()
	p := path(t)
	s, err := Open(p, Options{})
	must(t, err)
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}, Cursors: map[string]string{"mail.log": `{"offset":1234}`, "journal": ""}}))
	must(t, s.Checkpoint([]byte("state"), s.Mark()))
	must(t, s.Commit(Batch{Inputs: []Input{record(2)}, Alerts: entries(1, 2), Held: entries(3, 3)}))
	must(t, s.Settle([]Settlement{{Seq: 1, Number: "1", At: now}}))
	must(t, s.Close())
	return p
}

// A flipped bit of a cursor, or of the key of a value, is damage: not another place in
// the log, nor another alert.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	sealed := [][]byte{cursorsBucket, inputsBucket, checkpointBucket, outboxBucket, heldBucket, historyBucket, knownBucket, valuesBucket, runningBucket}
	for _, bucket := range sealed {
		for name, flip := range map[string]func(k, v []byte) ([]byte, []byte){
			"key":   func(k, v []byte) ([]byte, []byte) { k[len(k)-1] ^= 1; return k, v },
			"value": func(k, v []byte) ([]byte, []byte) { v[len(v)-1] ^= 1; return k, v },
		} {
			t.Run(fmt.Sprintf("%s of %s", name, bucket), func(t *testing.T) {
				p := used(t)
				edit(t, p, func(tx *bolt.Tx) error {
					b := tx.Bucket(bucket)
					k, v := b.Cursor().Last()
					k, v = slices.Clone(k), slices.Clone(v)
					must(t, b.Delete(k))
					k, v = flip(k, v)
					return b.Put(k, v)
				})
				s, err := Open(p, Options{})
				if err == nil {
					defer s.Close()
					err = errors.Join(
						second(s.Recover(whole(func([]byte) error { return nil }), func(Input) error { return nil })),
						second(s.Pending(0, 10)), second(s.Held(0, 10)), second(s.Recent(10)),
					)
				}
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("got %v, want %q", err, ErrDamaged)
				}
			})
		}
	}
}

// asBefore makes a file as csmail wrote it before cursors and keys had checksums.
func asBefore(tx *bolt.Tx) error {
	for _, name := range [][]byte{inputsBucket, checkpointBucket, outboxBucket, heldBucket, historyBucket, cursorsBucket} {
		b := tx.Bucket(name)
		old := map[string][]byte{}
		err := b.ForEach(func(k, v []byte) error {
			data := slices.Clone(v[checksumSize:])
			if !bytes.Equal(name, cursorsBucket) {
				data = append(binary.BigEndian.AppendUint32(nil, checksum(data)), data...)
			}
			old[string(k)] = data
			return nil
		})
		for k, v := range old {
			err = errors.Join(err, b.Put([]byte(k), v))
		}
		if err != nil {
			return err
		}
	}
	err := tx.DeleteBucket(parkedBucket) // as one that was made before there was a bucket
	return errors.Join(err, bareIndexesOf(tx), tx.Bucket(metaBucket).Put(schemaKey, key(bareCursors)))
}

// bareIndexesOf takes the checksums that came with schema 3 out of a file.
func bareIndexesOf(tx *bolt.Tx) error {
	mark, err := readMark(tx)
	for _, name := range indexes() {
		bare := map[string][]byte{}
		err = errors.Join(err, tx.Bucket(name).ForEach(func(k, v []byte) error {
			bare[string(k)] = slices.Clone(v[checksumSize:])
			return nil
		}))
		for k, v := range bare {
			err = errors.Join(err, tx.Bucket(name).Put([]byte(k), v))
		}
	}
	meta := tx.Bucket(metaBucket)
	return errors.Join(err, meta.Put(markKey, key(uint64(mark))), meta.Put(schemaKey, key(bareIndexes)))
}

// What the indexes of a file without their checksums say is what they say after it.
func TestIndexesOfBefore(t *testing.T) {
	p := used(t)
	edit(t, p, bareIndexesOf)
	for _, o := range []Options{{ReadOnly: true}, {}, {}} {
		s, err := Open(p, o)
		must(t, err)
		if lines, _ := recovered(t, s); len(lines) != 2 {
			t.Errorf("%+v: recovered %q, want 2 lines", o, lines)
		}
		told, err := s.History("192.0.2.1", 10)
		running, runningErr := s.Running(nil, 10)
		if err != nil || runningErr != nil || len(told) != 1 || len(running) != 1 {
			t.Errorf("%+v: history %v, %v; running %v, %v", o, told, err, running, runningErr)
		}
		if !o.ReadOnly {
			must(t, s.Commit(Batch{Alerts: entries(1, 3)}))
			if stats := s.Stats(); stats.Repeated != 3 {
				t.Errorf("%+v: %d known, want Repeated 3", o, stats.Repeated)
			}
		}
		must(t, s.Close())
	}
}

// A bucket that has lost its name is no new file's.
func TestLostBuckets(t *testing.T) {
	t.Parallel()
	for _, name := range buckets() {
		t.Run(string(name), func(t *testing.T) {
			p := used(t)
			edit(t, p, func(tx *bolt.Tx) error { return tx.DeleteBucket(name) })
			if _, err := Open(p, Options{}); !errors.Is(err, ErrDamaged) {
				t.Errorf("missing: %v, want %q", err, ErrDamaged)
			}
		})
	}
	p := used(t)
	edit(t, p, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("outboy")); return err })
	if _, err := Open(p, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), `it holds an unknown "outboy"`) {
		t.Errorf("unknown: %v, want %q, it to contain %q", err, ErrDamaged, `it holds an unknown "outboy"`)
	}
	p = used(t) // one that has seen damage keeps its lock
	edit(t, p, func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(schemaKey, key(bareCursors)) })
	if _, err := Open(p, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "a mark of 12 bytes in version 1") {
		t.Errorf("another version: %v, want %q, it to contain \"a mark of 12 bytes in version 1\"", err, ErrDamaged)
	}
}

func TestFileOfBefore(t *testing.T) {
	p := used(t)
	edit(t, p, asBefore)
	for _, o := range []Options{{}, {}, {ReadOnly: true}} {
		s, err := Open(p, o)
		must(t, err)
		lines, cursors := recovered(t, s)
		if d := cmp.Diff(map[string]string{"mail.log": `{"offset":1234}`, "journal": ""}, cursors); d != "" {
			t.Errorf("%+v: cursors (-want +got):\n%s", o, d)
		}
		if d := cmp.Diff([]string{"state state", "mail.log line 2"}, lines); d != "" {
			t.Errorf("%+v: recovered (-want +got):\n%s", o, d)
		}
		wantLists(t, s, "2", "", "3")
		if recent, err := s.Recent(10); len(recent) != 1 || err != nil {
			t.Errorf("%+v: %+v, %v, want 1 recent", o, recent, err)
		}
		must(t, s.Close())
	}
	edit(t, p, func(tx *bolt.Tx) error {
		if got := number(tx.Bucket(metaBucket).Get(schemaKey)); got != schema {
			t.Errorf("schema %d, want %d", got, schema)
		}
		return nil
	})
}

// A file of before is looked at as it is.
func TestFileOfBeforeReadOnly(t *testing.T) {
	p := used(t)
	edit(t, p, asBefore)
	edit(t, p, func(tx *bolt.Tx) error { _, err := tx.CreateBucket(parkedBucket); return err })
	s := open(t, p, Options{ReadOnly: true})
	if _, cursors := recovered(t, s); cursors["mail.log"] != `{"offset":1234}` {
		t.Errorf("cursors %q, want cursors %q", cursors, `{"offset":1234}`)
	}
	wantLists(t, s, "2", "", "3")
}
