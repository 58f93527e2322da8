package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/input/archive"
)

// plan lists the files of a log to be read next, oldest first.
type plan struct {
	tails  []*tail
	done   *position
	losses []loss
	expect map[*tail][]byte // the start of the content of tails from which nothing was read
}

// loss is a part of a log that is gone, with its reason.
type loss struct{ reason, path string }

// clockStep is how far a file's mtime may lag behind the clock.
const clockStep = time.Second

// planTries bounds how often a listing that changed while it was read is repeated.
const planTries = 20

// replan lists the files of the log and takes up those that are new. It changes
// nothing unless the listing was the same before and after.
func (l *log) replan() error {
	path := l.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	for range planTries {
		members, err := family(path)
		if err != nil {
			return listError(path, err)
		}
		l.leaveToOthers(members)
		if len(members) == 0 && len(l.positions) > 0 {
			return nil // the file system may not be mounted: keep the positions
		}
		next, err := l.match(members)
		if err == nil {
			var again []*member
			if again, err = family(path); err == nil && !unchanged(members, again) {
				err = errMoving
			}
		}
		if err == nil {
			l.adopt(next, members)
			return nil
		}
		l.abandon(next, members)
		if !errors.Is(err, errMoving) {
			return openError(l.path, err)
		}
	}
	return fmt.Errorf("opening %q: %w", l.path, errMoving)
}

// match finds the open files and the known positions among the members, and starts
// the newer ones.
func (l *log) match(members []*member) (plan, error) {
	next := plan{done: l.done}
	newest := -1
	for _, t := range l.tails {
		i, keep := l.matchTail(members, t)
		if keep != nil {
			keep.place = i
			next.tails = append(next.tails, keep)
		}
		if t.Head.Len > 0 {
			newest = max(newest, i)
		}
	}
	newest = max(newest, l.matchPositions(&next, members), l.indexOfDone(members))
	err := l.startNewer(&next, members, newest)
	slices.SortStableFunc(next.tails, func(a, b *tail) int { return a.place - b.place })
	return next, err
}

// matchPositions finds the files that were read before, by this log or under another
// name, and returns the place of the newest, or -1.
func (l *log) matchPositions(next *plan, members []*member) int {
	newest := -1
	var missing []position
	for _, c := range l.candidates() {
		i, t := find(members, c.position, true)
		newest = max(newest, i)
		switch {
		case t != nil && c.Done && t.lag() == 0 && !members[i].live:
			t.release()
			members[i].lent, members[i].taken = false, true
		case t != nil && t.isShort(c.position) && !members[i].live:
			t.release()
			members[i].lent, members[i].taken = false, true
		case t != nil:
			t.place = i
			next.tails = append(next.tails, t)
		case c.own && !c.Done:
			missing = append(missing, c.position)
		}
		if i >= 0 && c.Done && c.own {
			next.done = new(c.position)
		}
	}
	for _, p := range missing {
		if !isReadOn(members, p) {
			next.losses = append(next.losses, loss{input.DropGone, l.path})
		}
	}
	return newest
}

// indexOfDone finds the file that was finished last, unless the positions say.
func (l *log) indexOfDone(members []*member) int {
	if l.done == nil || l.done.Head.Len == 0 {
		return -1
	}
	i, t := find(members, *l.done, true)
	if t != nil {
		t.release()
		members[i].lent = false
	}
	return i
}

// matchTail finds an open tail. A truncated one continues in its copy, if there is one;
// if nothing was read from it, it starts again.
func (l *log) matchTail(members []*member, t *tail) (int, *tail) {
	switch {
	case t.gone && t.Head.Len > 0:
		return find(members, t.position, false)
	case t.gone:
		return -1, nil
	}
	i := slices.IndexFunc(members, func(m *member) bool { return t.sameFile(m.info) })
	if i < 0 {
		i = indexOfCopy(members, t)
	}
	if i >= 0 {
		members[i].taken = true
	}
	return i, t
}

// indexOfCopy finds where the content of an open file is now, if it lost its
// name: compressed, most likely.
func indexOfCopy(members []*member, t *tail) int {
	info, err := t.file.Stat()
	if err != nil || info.Size() == 0 || t.stream != nil {
		return -1
	}
	head, _ := readAt(t.file, 0, int(min(headSize, info.Size())))
	if head = wholeHead(head); len(head) == 0 {
		return -1
	}
	i, copied := find(members, position{Head: fingerprintOf(head), Done: true}, false)
	if copied != nil {
		copied.release()
		members[i].lent = false
	}
	return i
}

// find looks for the file that p is about: the same inode first, then the same
// content, in the newest file first.
func find(members []*member, p position, byInode bool) (int, *tail) {
	order := make([]int, 0, len(members))
	for i := range slices.Backward(members) {
		order = append(order, i)
	}
	if byInode {
		slices.SortStableFunc(order, func(a, b int) int {
			switch x, y := p.sameFile(members[a].info), p.sameFile(members[b].info); {
			case x == y:
				return 0
			case x:
				return -1
			}
			return 1
		})
	}
	for _, i := range order {
		m := members[i]
		if m.lent || m.taken || m.open() != nil {
			continue
		}
		if t, err := resumeTail(m, p); err == nil {
			m.lent = true
			return i, t
		}
	}
	return -1, nil
}

// startNewer adds the members behind the newest that is known.
func (l *log) startNewer(next *plan, members []*member, newest int) error {
	wanted := l.wanted(newest)
	first := newest + 1
	var copies []int
	for i, m := range members[first:] {
		if m.lent || m.taken || isHeld(next.tails, m) {
			continue
		}
		if !wanted(m) && !m.live {
			l.passMember(next, m)
			continue
		}
		if err := m.open(); err != nil {
			if m.live || errors.Is(err, errMoving) {
				return err
			}
			next.losses = append(next.losses, loss{input.DropUnreadable, m.path})
			continue
		}
		if isCopy(m, members[first+i+1:]) {
			copies = append(copies, first+i)
			continue
		}
		t, err := startTail(m)
		if err != nil {
			next.losses = append(next.losses, loss{input.DropUnreadable, m.path})
			continue
		}
		if !wanted(m) {
			t.toEnd(m.info.Size())
		}
		m.lent = true
		t.place = first + i
		next.tails = append(next.tails, t)
	}
	return next.stillCopied(members, copies)
}

// stillCopied fails with errMoving unless the skipped copies are still copies after the
// start of the file that will be read instead was noted. A file that is truncated later
// differs from that start. But one that was truncated in between would be read as if
// nothing had happened, and its copy would never be read.
func (next *plan) stillCopied(members []*member, copies []int) error {
	if len(copies) == 0 {
		return nil
	}
	next.expect = map[*tail][]byte{}
	for _, t := range next.tails {
		if t.stream == nil && t.Offset == 0 {
			head, _ := io.ReadAll(io.NewSectionReader(t.file, 0, headSize))
			next.expect[t] = head
		}
	}
	for _, i := range copies {
		if !isCopy(members[i], members[i+1:]) {
			return errMoving
		}
	}
	return nil
}

// wanted returns a function that reports whether a member is to be read; newest is the
// last known one.
func (l *log) wanted(newest int) func(*member) bool {
	if newest >= 0 {
		return func(*member) bool { return true }
	}
	if l.firstStart {
		return func(m *member) bool { return l.back > 0 && !m.info.ModTime().Before(l.since) }
	}
	last := l.since
	for _, p := range l.known() {
		if p.Head.Len > 0 {
			last = later(last, p.Seen)
		}
	}
	return func(m *member) bool { return m.live || !m.info.ModTime().Before(last) }
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// passMember remembers a file that is too old to be read, so that later files are known to be
// newer.
func (l *log) passMember(next *plan, m *member) {
	if m.open() != nil {
		return
	}
	head := contentHead(m)
	if len(head) == 0 {
		return
	}
	p := position{Offset: m.info.Size(), Head: fingerprintOf(head), Seen: m.info.ModTime(), Done: true}
	p.Device, p.Inode = identity(m.info)
	next.done = &p
}

// contentHead returns the start of the content, unpacked, or nothing.
func contentHead(m *member) []byte {
	if m.measure() != nil {
		return nil
	}
	var r io.Reader = io.NewSectionReader(m.file, 0, m.info.Size())
	if m.packed {
		stream, err := archive.Unpack(r)
		if err != nil {
			return nil
		}
		defer stream.Close()
		r = stream
	}
	head, _ := io.ReadAll(io.LimitReader(r, headSize))
	return wholeHead(head)
}

// wholeHead leaves out a line that is still being written: its start may be that
// of many others.
func wholeHead(head []byte) []byte {
	if len(head) == headSize {
		return head
	}
	return head[:bytes.LastIndexByte(head, '\n')+1]
}

// isCopy reports whether a newer file begins like m: copytruncate has not truncated m
// yet.
func isCopy(m *member, newer []*member) bool {
	head := contentHead(m)
	return len(head) > 0 && slices.ContainsFunc(newer, func(n *member) bool {
		return n.open() == nil && bytes.HasPrefix(contentHead(n), head)
	})
}

// isHeld reports whether a file is open already.
func isHeld(tails []*tail, m *member) bool {
	return slices.ContainsFunc(tails, func(t *tail) bool { return t.sameFile(m.info) })
}

// adopt puts the plan into effect.
func (l *log) adopt(next plan, members []*member) {
	for _, t := range l.tails {
		if !slices.Contains(next.tails, t) {
			if t.gone && t.Head.Len > 0 {
				l.meter.Log.Info("log was truncated", "file", l.path, "offset", t.Offset)
			}
			l.closeTail(t)
		}
	}
	for _, t := range next.tails {
		if slices.Contains(l.tails, t) {
			t.empty = false // the listing shows that nothing moved to a copy
		}
		if t.watch < 0 {
			t.watch = l.waker.file(t.file)
		}
	}
	for t, head := range next.expect {
		t.expect = head
	}
	for _, lost := range next.losses {
		l.meter.Drop(lost.reason, 1)
		l.meter.Log.Warn("lines may be lost", "reason", lost.reason, "file", lost.path)
	}
	closeUnused(members)
	l.tails, l.done, l.positions = next.tails, next.done, nil
	if l.firstStart {
		l.since = l.clock.Now().Add(-clockStep)
	}
	l.firstStart, l.planned, l.changed = false, true, true
}

// abandon closes the files that the plan has opened.
func (l *log) abandon(next plan, members []*member) {
	for _, t := range next.tails {
		if !slices.Contains(l.tails, t) {
			t.release()
		}
	}
	for _, m := range members {
		m.lent = false
	}
	closeUnused(members)
}

// closeUnused closes the files that the plan does not need.
func closeUnused(members []*member) {
	for _, m := range members {
		if m.file != nil && !m.lent {
			m.file.Close()
		}
	}
}

func listError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hint.Wrap(fmt.Errorf("the directory of %q is not there", path), "is its file system mounted? csmail goes on as soon as it is there")
	}
	return openError(filepath.Dir(path), err)
}

func openError(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	wrapped := fmt.Errorf("opening %q: %w", path, err)
	if errors.Is(err, os.ErrPermission) {
		return hint.Wrap(wrapped, "let csmail's user join the group that may read the log (adm on Debian), or mend the mode that logrotate's create sets")
	}
	return wrapped
}
