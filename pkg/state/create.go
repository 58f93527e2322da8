package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// isToCreate reports whether the file is missing or empty, by the result of stat.
func isToCreate(info fs.FileInfo, err error) bool {
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// create writes the file under a temporary name, so that a full disk or a crash cannot
// leave a half-written one. The folder is locked, so that one process at a time does
// this. The file gets its final name only if there is no file of that name, so it never
// replaces a file that another process uses.
func (s *file) create() error {
	folder, err := s.lockFolder()
	if err != nil {
		return err
	}
	defer folder.Close() // gives the lock up, too
	info, err := os.Stat(s.path)
	if !isToCreate(info, err) {
		return err // another process has created it
	}
	fresh := &file{path: s.path + ".new", options: s.options}
	if err := fresh.fill(); err != nil {
		return err
	}
	if info != nil {
		if err := os.Remove(s.path); err != nil {
			return err
		}
	}
	if err := publish(fresh.path, s.path); err != nil {
		return err
	}
	return folder.Sync() // names outlive a loss of power, as the bytes do
}

// lockFolder locks the folder of the file. A file system that locks no folders, as
// NFS, is no error.
func (s *file) lockFolder() (*os.File, error) {
	folder, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return nil, err
	}
	if err := lock(folder, syscall.LOCK_EX, s.options.Timeout); errors.Is(err, berrors.ErrTimeout) {
		folder.Close()
		return nil, err
	}
	return folder, nil
}

// fill makes the file an empty store. It discards the remains of an earlier start that
// was interrupted.
func (s *file) fill() error {
	fill := func() error {
		if err := s.open(); err != nil {
			return err
		}
		return errors.Join(s.db.Update(upgrade), s.db.Close())
	}
	err := guarded(fill)
	if !isDamage(err) {
		return err
	}
	if err := os.Remove(s.path); err != nil {
		return err
	}
	return guarded(fill)
}

// publish gives a file its final name. If there is a file of that name already, another
// process created it; then the new file is removed, without an error.
func publish(from, to string) error {
	err := renameNew(from, to)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = linkNew(from, to)
	}
	if errors.Is(err, fs.ErrExist) {
		return os.Remove(from)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// linkNew does the same as renameNew with link(2), for file systems and kernels without
// that call.
func linkNew(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
