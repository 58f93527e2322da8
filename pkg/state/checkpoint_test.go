package state

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// whole makes a function that takes the whole checkpoint one for Recover. It reads the
// checkpoint twice.
func whole(f func(state []byte) error) func(open func() (func() ([]byte, error), error)) error {
	return func(open func() (func() ([]byte, error), error)) error {
		var states [2][]byte
		for i := range states {
			next, err := open()
			if err != nil {
				return err
			}
			for {
				part, err := next()
				if err != nil {
					return err
				}
				if part == nil {
					break
				}
				states[i] = append(states[i], part...)
			}
		}
		if !bytes.Equal(states[0], states[1]) {
			return errors.New("the checkpoint is another one the second time")
		}
		return f(states[1])
	}
}

// draft adds a state to a draft of which each part goes to the file at once.
func draft(s *Store, state string) *Draft {
	d := s.Draft()
	d.most = 1
	d.Add([]byte(state))
	return d
}

// aside returns how many parts of a draft are in the file.
func aside(t *testing.T, s *Store) (n int) {
	t.Helper()
	must(t, s.view("", func(tx *bolt.Tx) error {
		if b := tx.Bucket(draftBucket).Bucket(checkpointBucket); b != nil {
			n = b.Stats().KeyN
		}
		return nil
	}))
	return n
}

// A large state goes to the file part by part, and counts only when it is stored: what
// is left of a draft that never was, as after a crash, changes nothing.
func TestDraftCountsOnceStored(t *testing.T) {
	t.Parallel()
	s := open(t, path(t), Options{})
	must(t, s.Checkpoint([]byte("the first"), s.Mark()))
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}}))
	check := func(when, want string, wantAside int) {
		t.Helper()
		s = reopen(t, s, Options{})
		got, _ := recovered(t, s)
		if text := strings.Join(got, "; "); text != want || aside(t, s) != wantAside {
			t.Errorf("%s: got %.80q and %d parts aside, want %.80q and %d", when, text, aside(t, s), want, wantAside)
		}
	}
	long := strings.Repeat("long", partSize)
	draft(s, long)
	check("a draft that is not stored", "state the first; mail.log line 1", 4)
	d := draft(s, "x"+long)
	if n := aside(t, s); n != 4 {
		t.Errorf("got %d parts in the file before the draft is stored, want 4", n)
	}
	must(t, d.Store(s.Mark(), Beside{Kept: map[string][]byte{"name": []byte("value")}}))
	check("a large draft that is stored", "state x"+long, 0)
	if got, err := s.Kept("name"); string(got) != "value" || err != nil {
		t.Errorf("got %q (%v) beside the checkpoint, want %q", got, err, "value")
	}
	draft(s, long)
	must(t, s.Checkpoint([]byte("the last"), s.Mark()))
	check("a small one after a large one that was not stored", "state the last", 0)
}

// A draft that the file has no room for is an error, and the checkpoint of before stays.
func TestDraftFails(t *testing.T) {
	s := open(t, path(t), Options{})
	must(t, s.Checkpoint([]byte("the first"), s.Mark()))
	d := draft(s, "")
	failed := errors.New("no room")
	d.err = failed
	d.Add(bytes.Repeat([]byte("long"), partSize))
	if err := d.Store(s.Mark(), Beside{}); !errors.Is(err, failed) {
		t.Errorf("got error %v, want %v", err, failed)
	}
	if got, _ := recovered(t, s); len(got) != 1 || got[0] != "state the first" {
		t.Errorf("got %.80q, want the checkpoint of before", got)
	}
}
