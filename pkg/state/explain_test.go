package state

import (
	"io/fs"
	"syscall"
	"testing"

	"csmail/pkg/hint"
)

// A file system that fails is mounted read-only by the system; what is said of it is
// not that the user is the wrong one.
func TestReadOnlyFileSystem(t *testing.T) {
	s := newStore("/var/lib/csmail/csmail.db", Options{})
	err := s.explain("commit", &fs.PathError{Op: "write", Path: s.path, Err: syscall.EROFS})
	const want = `state "/var/lib/csmail/csmail.db": commit: write /var/lib/csmail/csmail.db: read-only file system`
	if err.Error() != want || hint.Of(err) != "a file system that fails is mounted read-only: sudo dmesg; nothing is lost meanwhile" {
		t.Errorf("%q, hint %q, want err %v, hint \"a file system that fails is mounted read-only: sudo dmesg; nothing is lost meanwhile\"",
			err, hint.Of(err), want)
	}
}
