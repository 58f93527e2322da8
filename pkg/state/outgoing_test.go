package state

import (
	"fmt"
	"path/filepath"
	"testing"
)

func batchFor(first, next uint64) Outgoing {
	return Outgoing{First: first, Next: next, Data: fmt.Appendf(nil, "%d to %d", first, next)}
}

// Batches to send come back by any of their numbers, also after the file was opened
// again, until they are dropped.
func TestOutgoing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	open := func() *Store {
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	if epoch, err := s.StartOutgoing(7); epoch != 7 || err != nil {
		t.Fatalf("got epoch %d, %v, want 7", epoch, err)
	}
	if err := s.Commit(Batch{Outgoing: []Outgoing{batchFor(0, 10), batchFor(10, 11)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(Batch{Outgoing: []Outgoing{batchFor(11, 40)}}); err != nil {
		t.Fatal(err)
	}
	check := func(fact uint64, want string) {
		t.Helper()
		b, found, err := s.OutgoingBatch(fact)
		if err != nil || found != (want != "") || string(b.Data) != want {
			t.Errorf("fact %d: got %q, %t, %v, want %q", fact, b.Data, found, err, want)
		}
	}
	for fact, want := range map[uint64]string{0: "0 to 10", 9: "0 to 10", 10: "10 to 11", 11: "11 to 40", 39: "11 to 40", 40: "", 99: ""} {
		check(fact, want)
	}
	if err := s.DropOutgoing(20); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	check(0, "11 to 40")
	check(20, "11 to 40")
	if err := s.DropOutgoing(40); err != nil {
		t.Fatal(err)
	}
	check(20, "")
	if oldest, next, bytes := s.OutgoingBounds(); oldest != 40 || next != 40 || bytes != 0 {
		t.Errorf("got %d, %d, %d bytes, want 40, 40, none", oldest, next, bytes)
	}
	if err := s.Commit(Batch{Outgoing: []Outgoing{batchFor(41, 42)}}); err == nil {
		t.Error("a gap between the numbers was stored, want an error")
	}
	if err := s.Commit(Batch{Outgoing: []Outgoing{batchFor(40, 41)}}); err != nil {
		t.Error(err)
	}
	if epoch, err := s.StartOutgoing(9); epoch != 7 || err != nil {
		t.Errorf("got epoch %d, %v at the second start, want 7", epoch, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
