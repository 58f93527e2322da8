package state

import "golang.org/x/sys/unix"

// renameNew renames a file unless the new name is taken: rename(2), RENAME_NOREPLACE.
// Not every file system can: it fails with EINVAL on NFS, with ENOSYS on old kernels.
func renameNew(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}
