//go:build !linux

package daemon

// fillDisk needs prlimit(2), which is Linux's.
func (r *rig) fillDisk() (free func()) {
	r.t.Helper()
	r.t.Skip("only Linux can take the disk from another process")
	return func() {}
}
