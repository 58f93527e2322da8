package state

import (
	"bytes"
	"errors"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestKeep(t *testing.T) {
	p := path(t)
	s := open(t, p, Options{})
	want := func(text string) {
		t.Helper()
		if got, err := s.Kept("usage"); string(got) != text || err != nil {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	want("")
	must(t, s.Keep("usage", []byte("first")))
	must(t, s.Keep("usage", []byte("second")))
	must(t, s.Keep("other", []byte("x")))
	s = reopen(t, s, Options{})
	want("second")
	must(t, s.Keep("usage", nil))
	want("")
	must(t, s.Close())
	edit(t, p, func(tx *bolt.Tx) error { return tx.Bucket(keptBucket).Put(partKey("other", 0), []byte("12345")) })
	s = open(t, p, Options{})
	if _, err := s.Kept("other"); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v, want %q", err, ErrDamaged)
	}
}

// The journal's size has an early checkpoint written, so it must be what the file holds.
func TestJournalBytes(t *testing.T) {
	s := open(t, path(t), Options{})
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}}))
	one := s.Stats().JournalBytes
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}}))
	if two := s.Stats().JournalBytes; one <= 0 || two != 2*one {
		t.Errorf("%d bytes, then %d, want one more than 0, two %d", one, two, 2*one)
	}
	s = reopen(t, s, Options{})
	if got := s.Stats().JournalBytes; got != 2*one {
		t.Errorf("reopened: %d bytes, want %d", got, 2*one)
	}
	must(t, s.Checkpoint(nil, s.Mark()))
	if got := s.Stats().JournalBytes; got != 0 {
		t.Errorf("after the checkpoint: %d bytes, want 0", got)
	}
}

func TestKeepLarge(t *testing.T) {
	p := path(t)
	s := open(t, p, Options{})
	for _, size := range []int{3 << 20, 100, 16 << 10, 0, 40_000} {
		data := bytes.Repeat([]byte{7}, size)
		must(t, s.Keep("decisions", data))
		s = reopen(t, s, Options{})
		if got, err := s.Kept("decisions"); !bytes.Equal(got, data) || err != nil {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	must(t, s.Close())
	edit(t, p, func(tx *bolt.Tx) error { return tx.Bucket(keptBucket).Put(partKey("decisions", 1), []byte("12345")) })
	s = open(t, p, Options{})
	if _, err := s.Kept("decisions"); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v, want %q", err, ErrDamaged)
	}
}

// keptInMetaOf makes a file one of schema 5, which holds a short value, a long one, and a
// draft that was never stored, all in the bucket meta.
func keptInMetaOf(short, long []byte) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		mark, err := readMark(tx)
		meta := tx.Bucket(metaBucket)
		put := func(k, v []byte) { err = errors.Join(err, meta.Put(k, seal(k, v))) }
		put([]byte(keptPrefix+"usage"), short)
		for n := 0; len(long) > 0; n++ {
			part := long[:min(len(long), partOfValue)]
			put([]byte(keptPrefix+string(partKey("decisions", n))), part)
			long = long[len(part):]
		}
		aside, err2 := meta.CreateBucket(checkpointBucket)
		return errors.Join(err, err2, aside.Put(key(0), []byte("part")), tx.DeleteBucket(keptBucket), tx.DeleteBucket(draftBucket),
			meta.Put(markKey, seal(sealedMark(keptInMeta), key(uint64(mark)))), meta.Put(schemaKey, key(keptInMeta)))
	}
}

// A file of schema 5 is read as it is, and brought up to the newest.
func TestKeptOfOlderFiles(t *testing.T) {
	p := path(t)
	s := open(t, p, Options{})
	must(t, s.Commit(Batch{Inputs: []Input{record(1), record(2)}}))
	must(t, s.Checkpoint([]byte("state"), 1))
	must(t, s.Close())
	short, long := []byte("short"), bytes.Repeat([]byte("long"), 10_000)
	edit(t, p, keptInMetaOf(short, long))
	for _, o := range []Options{{ReadOnly: true}, {}, {ReadOnly: true}} {
		s := open(t, p, o)
		for name, want := range map[string][]byte{"usage": short, "decisions": long, "other": nil} {
			if got, err := s.Kept(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("read-only %t, %s: got %d bytes and error %v, want %d", o.ReadOnly, name, len(got), err, len(want))
			}
		}
		if got := s.Mark(); got != 2 {
			t.Errorf("read-only %t: got mark %d, want 2", o.ReadOnly, got)
		}
		must(t, s.Close())
	}
	edit(t, p, func(tx *bolt.Tx) error {
		return tx.Bucket(metaBucket).ForEach(func(k, _ []byte) error {
			if bytes.HasPrefix(k, []byte(keptPrefix)) || bytes.Equal(k, checkpointBucket) {
				t.Errorf("the bucket meta still holds %q", k)
			}
			return nil
		})
	})
}

// A value that is damaged in an older file stops the start, as anywhere.
func TestDamagedKeptOfOlderFile(t *testing.T) {
	p := path(t)
	must(t, open(t, p, Options{}).Close())
	edit(t, p, keptInMetaOf([]byte("short"), nil))
	edit(t, p, func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte(keptPrefix+"usage"), []byte("12345")) })
	if _, err := Open(p, Options{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got error %v, want %v", err, ErrDamaged)
	}
}

// A large value is stored with a checkpoint, in parts that go to the file before it. It
// replaces a value of Keep, and the other way round.
func TestLargeValues(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	s := open(t, path(t), Options{})
	want := func(what string, want []byte) {
		t.Helper()
		for range 2 {
			if got, err := s.Kept("report"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: got %d bytes and error %v, want %d", what, len(got), err, len(want))
			}
			s = reopen(t, s, Options{})
		}
	}
	store := func(state, large []byte) {
		t.Helper()
		d := s.Draft()
		d.Add(state)
		must(t, d.Store(s.Mark(), Beside{Large: map[string][]byte{"report": large}}))
		if n := aside(t, s); n != 0 {
			t.Errorf("%d parts are left in the draft, want none", n)
		}
	}
	long := noise(6 << 20)
	must(t, s.Keep("report", []byte("short")))
	store(nil, long)
	want("long", long)
	store(long, []byte("short again"))
	want("shorter", []byte("short again"))
	store(long, long[:5<<20])
	want("longer", long[:5<<20])
	must(t, s.Keep("report", []byte("kept")))
	want("kept", []byte("kept"))
	store([]byte("state"), long)
	store([]byte("state"), nil)
	want("forgotten", nil)
	if got := checkpointOf(t, s); got != "state" {
		t.Errorf("got the state %q, want \"state\"", got)
	}
}

// checkpointOf returns the state of the checkpoint.
func checkpointOf(t *testing.T, s *Store) (state string) {
	t.Helper()
	_, err := s.Recover(func(open func() (func() ([]byte, error), error)) error {
		next, err := open()
		for err == nil {
			var part []byte
			if part, err = next(); part == nil {
				return err
			}
			state += string(part)
		}
		return err
	}, func(Input) error { return nil })
	must(t, err)
	return state
}
