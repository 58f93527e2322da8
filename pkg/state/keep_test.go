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
	edit(t, p, func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte(keptPrefix+"other"), []byte("12345")) })
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
		must(t, s.KeepLarge("decisions", data))
		s = reopen(t, s, Options{})
		if got, err := s.KeptLarge("decisions"); !bytes.Equal(got, data) || err != nil {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	must(t, s.Close())
	edit(t, p, func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(chunkKey("decisions", 1), []byte("12345")) })
	s = open(t, p, Options{})
	if _, err := s.KeptLarge("decisions"); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v, want %q", err, ErrDamaged)
	}
}
