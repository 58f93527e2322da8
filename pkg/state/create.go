package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// isToFound takes what stat said of the file: it is not there, or empty.
func isToFound(info fs.FileInfo, err error) bool {
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// found makes the file under another name first: a disk that is full, or a crash,
// would leave one that looks damaged. One process at a time does it, with the folder
// locked; it gets its name only while there is no file of that name, so that none
// takes the place of one that has an owner.
func (s *Store) found() error {
	folder, err := s.lockFolder()
	if err != nil {
		return err
	}
	defer folder.Close() // gives the lock up, too
	info, err := os.Stat(s.path)
	if !isToFound(info, err) {
		return err // somebody else has made it meanwhile
	}
	fresh := &Store{path: s.path + ".new", options: s.options}
	if err := fresh.fill(); err != nil {
		return err
	}
	if info != nil {
		if err := os.Remove(s.path); err != nil {
			return err
		}
	}
	if err := name(fresh.path, s.path); err != nil {
		return err
	}
	return folder.Sync() // names outlive a loss of power, as the bytes do
}

// lockFolder locks the folder of the file. A file system that locks no folders, as
// NFS, is no error.
func (s *Store) lockFolder() (*os.File, error) {
	folder, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return nil, err
	}
	if err := lock(folder, syscall.LOCK_EX, s.options.Timeout); errors.Is(err, bolt.ErrTimeout) {
		folder.Close()
		return nil, err
	}
	return folder, nil
}

// fill makes an empty store of the file, whatever is left of a start that did not come
// to its end.
func (s *Store) fill() error {
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

// name gives a file its name unless there is one of that name, which is no error: it
// is somebody else's, made meanwhile.
func name(from, to string) error {
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

// linkNew does with link(2) what renameNew does, where the file system or the kernel
// cannot.
func linkNew(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
