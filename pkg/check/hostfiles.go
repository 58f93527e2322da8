package check

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// HostFiles are the files of this host.
type HostFiles struct{}

var _ Files = HostFiles{}

// Stat implements [Files]. An owner without a name is shown by number.
func (HostFiles) Stat(path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return File{}, fmt.Errorf("the owner of %q is not known", path)
	}
	f := File{Mode: info.Mode(), Owner: strconv.FormatUint(uint64(stat.Uid), 10), Group: strconv.FormatUint(uint64(stat.Gid), 10)}
	if u, err := user.LookupId(f.Owner); err == nil {
		f.Owner = u.Username
	}
	if g, err := user.LookupGroupId(f.Group); err == nil {
		f.Group = g.Name
	}
	return f, nil
}

// Free implements [Files] by statfs(2).
func (HostFiles) Free(path string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("statfs %q: %w", path, err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}
