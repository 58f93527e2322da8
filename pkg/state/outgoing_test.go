package state

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"csmail/pkg/hint"
)

func batchFor(first, next uint64) Outgoing {
	return Outgoing{First: first, Next: next, Data: fmt.Appendf(nil, "%d to %d", first, next)}
}

// A host goes on with its file under another name, or on another machine, but not with the
// file of another edge.
func TestSenderOfAFile(t *testing.T) {
	first := Sender{"mx1", "a"}
	for name, tt := range map[string]struct {
		next Sender
		want string
	}{
		"the same":                      {first, ""},
		"renamed":                       {Sender{"mx9", "a"}, ""},
		"a container made anew":         {Sender{"mx1", "b"}, ""},
		"another name, no machine's ID": {Sender{"mx2", ""}, ""},
		"a copy on another host":        {Sender{"mx2", "b"}, `the state file is a copy of that of the edge "mx1", and this is "mx2"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(filepath.Join(t.TempDir(), "s.db"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.StartOutgoing(7, first); err != nil {
				t.Fatal(err)
			}
			epoch, err := s.StartOutgoing(9, tt.next)
			if tt.want == "" && (epoch != 7 || err != nil) {
				t.Errorf("got epoch %d, %v, want 7", epoch, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), "csmail cluster judge adopt")) {
				t.Errorf("got %v, hint %q, want %q", err, hint.Of(err), tt.want)
			}
		})
	}
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
	if epoch, err := s.StartOutgoing(7, Sender{"mx1", "a"}); epoch != 7 || err != nil {
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
	if epoch, err := s.StartOutgoing(9, Sender{"mx1", "a"}); epoch != 7 || err != nil {
		t.Errorf("got epoch %d, %v at the second start, want 7", epoch, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
