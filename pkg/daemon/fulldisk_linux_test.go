package daemon

import "golang.org/x/sys/unix"

// fillDisk takes the disk from the daemon that is a process of its own: it can write
// nothing behind the first page of a file.
func (r *rig) fillDisk() (free func()) {
	r.t.Helper()
	set := func(limit unix.Rlimit) (before unix.Rlimit) {
		if err := unix.Prlimit(r.child.Pid, unix.RLIMIT_FSIZE, &limit, &before); err != nil {
			r.t.Fatal(err)
		}
		return before
	}
	var before unix.Rlimit
	if err := unix.Prlimit(r.child.Pid, unix.RLIMIT_FSIZE, nil, &before); err != nil {
		r.t.Fatal(err)
	}
	set(unix.Rlimit{Cur: 4096, Max: before.Max})
	return func() { set(before) }
}
