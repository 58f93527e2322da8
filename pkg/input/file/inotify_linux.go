package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inotify is the waker of Linux, inotify(7).
type inotify struct {
	fd      *os.File
	number  int
	signal  chan struct{}
	moved   atomic.Bool
	blind   bool
	folders map[string]bool
}

const (
	folderEvents = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ATTRIB |
		unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	fileEvents = unix.IN_MODIFY
)

// newWaker falls back on polling where the kernel gives no more watches
// (fs.inotify.max_user_instances).
func newWaker() waker {
	w := &inotify{signal: make(chan struct{}, 1), folders: map[string]bool{}}
	w.moved.Store(true)
	number, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		w.blind = true
		return w
	}
	w.number = number
	w.fd = os.NewFile(uintptr(number), "inotify")
	go w.listen()
	return w
}

// listen ends when fd is closed.
func (w *inotify) listen() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.fd.Read(buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		if mentionsFolder(buffer[:n]) {
			w.moved.Store(true)
		}
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

// mentionsFolder looks for an event other than a write: struct inotify_event is
// wd, mask, cookie, len, name.
func mentionsFolder(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&events[0]))
		if event.Mask&^unix.IN_MODIFY != 0 {
			return true
		}
		events = events[min(len(events), unix.SizeofInotifyEvent+int(event.Len)):]
	}
	return false
}

func (w *inotify) wake() <-chan struct{} { return w.signal }
func (w *inotify) foldersChanged() bool  { return w.moved.Swap(false) }
func (w *inotify) sees() bool            { return !w.blind }

func (w *inotify) folder(path string) {
	if w.fd == nil {
		return
	}
	if err := w.watchFolder(path); err != nil && !errors.Is(err, unix.ENOENT) {
		w.blind = true
	}
	if !w.folders[path] {
		w.folders[path] = true
		w.blind = w.blind || isRemote(path)
	}
}

// watchFolder watches a folder, or, while it is missing, the nearest one above it in which
// it may be made again. For example, a log folder that is moved away and made anew twice
// within a second is seen both times. The folder may come while the one above is not yet
// watched, so it is tried once more.
func (w *inotify) watchFolder(path string) error {
	for range 2 {
		_, err := unix.InotifyAddWatch(w.number, path, folderEvents)
		above := filepath.Dir(path)
		if !errors.Is(err, unix.ENOENT) || above == path {
			return err
		}
		if err := w.watchFolder(above); err != nil {
			return err
		}
	}
	return unix.ENOENT
}

func (w *inotify) file(f *os.File) int {
	if w.fd == nil {
		return -1
	}
	id, err := unix.InotifyAddWatch(w.number, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), fileEvents)
	if err != nil {
		id, err = unix.InotifyAddWatch(w.number, f.Name(), fileEvents)
	}
	if err != nil {
		w.blind = true
		return -1
	}
	return id
}

func (w *inotify) forget(id int) {
	if id >= 0 {
		_, _ = unix.InotifyRmWatch(w.number, uint32(id)) // it may be gone with its file
	}
}

func (w *inotify) close() {
	if w.fd != nil {
		w.fd.Close()
	}
}

// isRemote reports whether another host may write to the path's file system (statfs(2)).
func isRemote(path string) bool {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return false
	}
	switch int64(s.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
		unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC, unix.AFS_SUPER_MAGIC:
		return true
	}
	return false
}
