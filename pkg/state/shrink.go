package state

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// leastFree is how many bytes of a file must be free for Shrink, and half of the file.
const leastFree = 32 << 20

// Shrink makes the file smaller if most of it is free, as after a flood: bbolt uses free
// pages again, but never gives them back. It copies what is in use to a new file, which
// then takes the place of the old one. If it reports true, the caller closes the Store,
// which still has the old file, and opens it again. After an error, as where there is no
// room for the copy, the file and the Store are as they were.
func (s *Store) Shrink() (isShrunk bool, err error) {
	var free int64
	err = s.run("measure", func() error {
		tx, err := s.db.Begin(true) // counts the free pages
		if err != nil {
			return err
		}
		err = tx.Rollback()
		free = int64(s.db.Stats().FreePageN) * int64(s.db.Info().PageSize)
		return err
	})
	if err != nil || free < leastFree || free < s.Stats().FileBytes/2 {
		return false, err
	}
	err = s.run("make smaller", s.replaceByCopy)
	return err == nil, err
}

// replaceByCopy puts a copy of the pages in use in the place of the file. The old file stays
// locked until the Store is closed, so nobody writes to it meanwhile.
func (s *Store) replaceByCopy() error {
	path, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return err
	}
	copied := path + ".smaller"
	if err := os.Remove(copied); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err = s.copyTo(copied)
	if err == nil {
		err = keepOwner(path, copied)
	}
	if err == nil {
		err = os.Rename(copied, path)
	}
	if err != nil {
		_ = os.Remove(copied) // it may not be there
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close()) // names outlive a loss of power
}

// copyTo writes the pages in use to a new file.
func (s *Store) copyTo(path string) error {
	const transaction = 8 << 20 // bytes
	options := *bolt.DefaultOptions
	options.FreelistType = bolt.FreelistMapType
	options.NoFreelistSync = false
	to, err := bolt.Open(path, ownerOnly, &options)
	if err != nil {
		return err
	}
	err = bolt.Compact(to, s.db, transaction)
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

// keepOwner gives a copy the owner of the file that it is to replace, since root may have
// made it.
func keepOwner(of, copied string) error {
	info, err := os.Stat(of)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() && int(owner.Gid) == os.Getegid() {
		return nil
	}
	return os.Chown(copied, int(owner.Uid), int(owner.Gid))
}
