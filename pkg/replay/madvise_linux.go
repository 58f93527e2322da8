package replay

import "golang.org/x/sys/unix"

// wishHugePages asks for huge pages under a piece of memory, madvise(2). Not every
// kernel supports them.
func wishHugePages(piece []byte) { _ = unix.Madvise(piece, unix.MADV_HUGEPAGE) }
