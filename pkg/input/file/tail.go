package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"csmail/pkg/input"
	"csmail/pkg/input/archive"
)

// tail reads one open file, plain or compressed. It holds the file open, so
// that renaming and deleting it change nothing.
type tail struct {
	position
	file   *os.File
	stream io.ReadCloser // of a compressed file, at Offset; nil for a plain one
	ended  bool          // the compressed stream is at its end
	rest   []byte        // unpacked, behind Offset
	head   []byte        // the content's start, while shorter than headSize or Offset
	mark   ending        // the content before Offset

	size  int64     // at the last look
	mtime time.Time // at the last look
	grown time.Time // when the last look found something new
	idle  bool      // nothing to read until size or mtime change
	gone  bool      // the file was truncated; the unread rest may be in a copy
	// expect is the start of a file from which nothing was read yet.
	expect []byte
	empty  bool // it was seen empty: later content may have moved to a copy
	place  int  // among the members, while planning
	watch  int  // descriptor of its inotify watch, or -1
}

var (
	// errRewritten: the file no longer holds the text that was read. It was truncated,
	// and possibly filled again.
	errRewritten = errors.New("the file was truncated")
	errOther     = errors.New("another log")
)

// startTail reads m from its start.
func startTail(m *member) (*tail, error) {
	t := &tail{file: m.file, watch: -1, size: m.info.Size(), mtime: m.info.ModTime()}
	t.Device, t.Inode = identity(m.info)
	t.Seen = t.mtime
	if !m.packed {
		t.expect, _ = readAt(m.file, 0, int(min(headSize, t.size)))
		t.empty = t.size == 0
		return t, nil
	}
	var err error
	t.stream, err = archive.Unpack(io.NewSectionReader(m.file, 0, m.info.Size()))
	return t, err
}

// resumeTail goes on in m behind p, or fails with errOther if m is not the log
// that p is about.
func resumeTail(m *member, p position) (*tail, error) {
	// It may have been opened for another position, when it was a copy that had
	// only begun.
	if err := m.measure(); err != nil {
		return nil, err
	}
	t, err := startTail(m)
	if err != nil {
		return nil, err
	}
	seen := t.Seen
	device, inode := t.Device, t.Inode
	if m.packed {
		err = t.skipTo(p)
	} else {
		err = t.verify(m, p)
	}
	if err != nil {
		t.release()
		return nil, err
	}
	offset := t.Offset
	t.position = p
	t.Device, t.Inode, t.Seen, t.Offset, t.Done = device, inode, seen, offset, false
	return t, nil
}

// verify compares a plain file with p. A copy that was made before p was read
// ends before it, and has nothing new.
func (t *tail) verify(m *member, p position) error {
	head, ok := readAt(m.file, 0, p.Head.Len)
	if !ok || fingerprintOf(head) != p.Head {
		return errOther
	}
	t.Offset = min(p.Offset, m.info.Size())
	mark, ok := readAt(m.file, t.Offset-int64(p.Mark.Len), p.Mark.Len)
	if !ok || (t.Offset == p.Offset && p.Mark.Len > 0 && fingerprintOf(mark) != p.Mark) {
		return errOther
	}
	t.head = head
	t.mark.bytes = mark
	return nil
}

// isShort reports whether the plain file ends before p, so that it has nothing new: it is a
// copy that was made before p was read, or one that is being made (copytruncate). The rest
// of that one is in the live file.
func (t *tail) isShort(p position) bool { return t.stream == nil && t.Offset < p.Offset }

// skipTo unpacks up to p.
func (t *tail) skipTo(p position) error {
	head := make([]byte, p.Head.Len)
	if _, err := io.ReadFull(t.stream, head); err != nil {
		return notLog(err)
	}
	if fingerprintOf(head) != p.Head {
		return errOther
	}
	t.head = head
	if p.Done {
		t.ended = true
		return nil
	}
	t.mark.Write(head)
	n, err := io.CopyN(&t.mark, t.stream, p.Offset-int64(len(head)))
	t.Offset = int64(len(head)) + n
	switch {
	case errors.Is(err, io.EOF):
		t.ended = true
		return nil
	case err != nil:
		return err
	}
	kept := t.mark.bytes
	if fingerprintOf(kept[max(0, len(kept)-p.Mark.Len):]) != p.Mark {
		return errOther
	}
	return nil
}

// notLog takes a stream that is too short for another log.
func notLog(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errOther
	}
	return err
}

// toEnd moves a plain file's tail behind its last whole line.
func (t *tail) toEnd(size int64) {
	at := max(0, size-input.MaxLine)
	last, ok := readAt(t.file, at, int(size-at))
	if !ok {
		return
	}
	t.Offset = at + int64(bytes.LastIndexByte(last, '\n')) + 1
	t.head, _ = readAt(t.file, 0, int(min(headSize, t.Offset)))
	t.Head = fingerprintOf(t.head)
	from := max(0, t.Offset-markSize)
	t.mark.bytes, _ = readAt(t.file, from, int(t.Offset-from))
	t.Mark = fingerprintOf(t.mark.bytes)
}

// measure looks how long the file is now.
func (t *tail) measure(now time.Time) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != t.size || !info.ModTime().Equal(t.mtime) || t.grown.IsZero() {
		t.idle = false
		t.grown = now
	}
	// Without Offset there are no bytes that read could compare.
	t.gone = t.gone || info.Size() < t.size || (t.empty && info.Size() > 0)
	t.empty = info.Size() == 0
	t.size, t.mtime = info.Size(), info.ModTime()
	return nil
}

// lag is how many bytes are unread, of a compressed file as it is stored.
func (t *tail) lag() int64 {
	switch {
	case t.ended:
		return int64(len(t.rest))
	case t.stream != nil:
		return t.size
	}
	return max(0, t.size-t.Offset)
}

// read fills buffer with the bytes behind Offset, at most up to the measured size, and
// reports whether that is the end for now.
func (t *tail) read(buffer []byte) (fresh []byte, atEnd bool, err error) {
	if t.stream != nil {
		return t.unpack(buffer)
	}
	kept := t.mark.bytes
	want := min(int64(len(buffer)), max(0, t.size-t.Offset)+int64(len(kept)))
	n, err := t.file.ReadAt(buffer[:want], t.Offset-int64(len(kept)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	info, err := t.file.Stat()
	if err != nil {
		return nil, false, err
	}
	// One call reads known and new bytes together: a file that was truncated and has
	// grown past Offset again differs in the known part.
	rewritten := t.Offset == 0 && !bytes.HasPrefix(buffer[:n], t.expect)
	if rewritten || info.Size() < t.Offset || n < len(kept) || !bytes.Equal(buffer[:len(kept)], kept) || info.Size() < t.size {
		return nil, false, errRewritten
	}
	if !t.isStill(buffer[:n]) {
		return nil, false, errRewritten
	}
	fresh = buffer[len(kept):n]
	return fresh, t.Offset+int64(len(fresh)) >= t.size, nil
}

// isStill compares the start of the bytes just read once more. A read of many pages is
// not atomic: the known part may come from before a truncation, and the new part from
// after it. Bytes from before a truncation are in the copy.
func (t *tail) isStill(read []byte) bool {
	start := read[:min(len(read), markSize)]
	again, ok := readAt(t.file, t.Offset-int64(len(t.mark.bytes)), len(start))
	return ok && bytes.Equal(again, start)
}

// unpack fills buffer from the compressed stream. At damage it returns the bytes before
// it, with the error.
func (t *tail) unpack(buffer []byte) (fresh []byte, atEnd bool, err error) {
	n := copy(buffer, t.rest)
	for n < len(buffer) && err == nil && !t.ended {
		var m int
		m, err = t.stream.Read(buffer[n:])
		n += m
	}
	t.ended = t.ended || err != nil
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return buffer[:n], t.ended, err
}

// advance moves Offset over the first used bytes of a read.
func (t *tail) advance(fresh []byte, n int) {
	used := fresh[:n]
	if t.stream != nil {
		t.rest = append(t.rest[:0], fresh[n:]...)
	}
	if n == 0 {
		t.expect = append(t.expect[:0], fresh[:min(len(fresh), headSize)]...)
		return
	}
	if room := headSize - len(t.head); room > 0 && int64(len(t.head)) == t.Offset {
		t.head = append(t.head, used[:min(room, len(used))]...)
		t.Head = fingerprintOf(t.head)
	}
	t.Offset += int64(len(used))
	t.mark.Write(used)
	t.Mark = fingerprintOf(t.mark.bytes)
	t.Seen = t.mtime
}

// release ends the unpacking, not the file.
func (t *tail) release() {
	if t.stream != nil {
		t.stream.Close()
	}
}

func (t *tail) close() {
	t.release()
	t.file.Close()
}
