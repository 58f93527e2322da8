package state

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// flooded returns a store whose file is mostly free: it has held a large checkpoint.
func flooded(t *testing.T, p string) *Store {
	t.Helper()
	s := open(t, p, Options{})
	noise := make([]byte, leastFree+leastFree/4)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(noise) // never fails
	must(t, s.Checkpoint(noise, s.Mark()))
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}, Cursors: map[string]string{"mail.log": "1"}, Alerts: entries(1, 2)}))
	must(t, s.Checkpoint([]byte("small"), s.Mark()))
	must(t, s.Commit(Batch{Inputs: []Input{record(2)}, Cursors: map[string]string{"mail.log": "2"}}))
	return s
}

// After a flood the file is made small again, and everything is as before.
func TestShrink(t *testing.T) {
	t.Parallel()
	p := path(t)
	link := filepath.Join(t.TempDir(), "link.db")
	must(t, os.Symlink(p, link))
	flooded(t, p).Close()
	s := open(t, link, Options{})
	ids := []string{"1", "2"}
	want, err := observe(s, ids)
	must(t, err)
	before := s.Stats().FileBytes
	if isShrunk, err := s.Shrink(); !isShrunk || err != nil {
		t.Fatalf("got %t (%v), want the file of %d bytes shrunk", isShrunk, err, before)
	}
	s = reopen(t, s, Options{})
	got, err := observe(s, ids)
	if must(t, err); got != want {
		t.Errorf("got after shrinking\n%s\nwant\n%s", got, want)
	}
	info, err := os.Lstat(p)
	must(t, err)
	if info.Size() > before/8 || info.Mode() != ownerOnly {
		t.Errorf("got a file of %d bytes, %s, want less than an eighth of %d bytes, %s", info.Size(), info.Mode(), before, os.FileMode(ownerOnly))
	}
	if l, err := os.Lstat(link); err != nil || l.Mode()&os.ModeSymlink == 0 {
		t.Errorf("got %v (%v) in the place of the link, want the link", l, err)
	}
	if isShrunk, err := s.Shrink(); isShrunk || err != nil {
		t.Errorf("got %t (%v) the second time, want nothing to do", isShrunk, err)
	}
}

// Where the copy cannot be made, the file stays and can be used on.
func TestShrinkFails(t *testing.T) {
	t.Parallel()
	p := path(t)
	s := flooded(t, p)
	must(t, os.MkdirAll(filepath.Join(p+".smaller", "in the way"), 0o700))
	isShrunk, err := s.Shrink()
	if isShrunk || err == nil || !strings.Contains(err.Error(), "make smaller") {
		t.Errorf("got %t (%v), want an error that says what failed", isShrunk, err)
	}
	must(t, s.Commit(Batch{Inputs: []Input{record(3)}}))
	if lines, _ := recovered(t, s); len(lines) != 3 || !bytes.HasPrefix([]byte(lines[0]), []byte("state small")) {
		t.Errorf("got %q, want the small checkpoint and two inputs", lines)
	}
}
