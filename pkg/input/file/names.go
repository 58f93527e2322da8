package file

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"

	"csmail/pkg/input"
)

// names finds the other names under which a log's files are or were read: through a glob
// that was written differently before, through a link, or in the moment of a rotation
// between two names. Files are identified by device, inode and content, so that no line
// is handed out twice because its log got another name. The zero names finds no other
// name.
type names struct {
	logs   func() []*log // of the same source
	before []position    // of the cursor, and of sources that were followed before
}

// isOpenElsewhere reports whether another log of the source reads the file.
func (n names) isOpenElsewhere(l *log, info os.FileInfo) bool {
	if n.logs == nil {
		return false
	}
	return slices.ContainsFunc(n.logs(), func(other *log) bool {
		return other != l && slices.ContainsFunc(other.tails, func(t *tail) bool { return t.sameFile(info) })
	})
}

// leaveToOthers takes out of the plan the files that another log reads. It also takes out
// files that hold only the start of a log that another one read: copies that are not
// complete yet.
func (l *log) leaveToOthers(members []*member) {
	for _, m := range members {
		m.taken = l.names.isOpenElsewhere(l, m.info) || l.names.isShortCopy(l, m)
	}
}

// isShortCopy reports whether the file begins like one that another log of the source
// reads. The file is too short to be identified by a position.
func (n names) isShortCopy(l *log, m *member) bool {
	if n.logs == nil || m.info.Size() >= headSize || m.open() != nil {
		return false
	}
	if l.holds(m.info) {
		return false
	}
	head := contentHead(m)
	return len(head) > 0 && slices.ContainsFunc(n.logs(), func(other *log) bool {
		return other != l && slices.ContainsFunc(other.tails, func(t *tail) bool { return len(t.head) > len(head) && bytes.HasPrefix(t.head, head) })
	})
}

// candidate is a position that may be one of a log's files.
type candidate struct {
	position
	own bool // the cursor has it under the log's own name
}

// candidates are the positions that files of the log may have been read to: of two
// that are about one file, the further comes first.
func (l *log) candidates() []candidate {
	var all []candidate
	add := func(positions []position, own bool) {
		for _, p := range positions {
			if p.Head.Len > 0 { // else nothing was read: it is as good as new
				all = append(all, candidate{p, own})
			}
		}
	}
	add(l.positions, true)
	if !l.planned { // its plan will identify the files
		add(l.names.before, false)
	}
	if l.names.logs != nil {
		for _, other := range l.names.logs() {
			if other != l {
				add(other.known(), false)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.Offset, a.Offset) })
	return all
}

// isReadOn reports whether a member of the plan is the file of p: it was read further
// under another name, or to its end.
func isReadOn(members []*member, p position) bool {
	return slices.ContainsFunc(members, func(m *member) bool {
		if !m.lent && !m.taken || m.open() != nil {
			return false
		}
		head := contentHead(m)
		return len(head) >= p.Head.Len && fingerprintOf(head[:p.Head.Len]) == p.Head
	})
}

// isRotatedFrom reports whether path names a rotated file of live.
func isRotatedFrom(live, path string) bool {
	m, ok := parseMember(filepath.Base(live), filepath.Base(path))
	return ok && !m.live && filepath.Dir(live) == filepath.Dir(path)
}

// absorb ends the logs that turn out to be rotated files of l. They were found at a
// moment when their live file was missing. l takes over their positions.
func (f *files) absorb(l *log) {
	f.logs = slices.DeleteFunc(f.logs, func(other *log) bool {
		if !isRotatedFrom(l.path, other.path) {
			return false
		}
		l.positions = append(l.positions, other.known()...)
		l.since, l.firstStart = other.since, other.firstStart
		other.close()
		return true
	})
}

// isSameLog reports whether path leads to the live file of a followed log.
func (f *files) isSameLog(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(f.logs, func(l *log) bool {
		other, err := os.Stat(l.path)
		return err == nil && os.SameFile(info, other)
	})
}

// paths are those of all logs that are or were followed.
func (f *files) paths() []string {
	var all []string
	for _, l := range f.logs {
		all = append(all, l.path)
	}
	for path := range f.known.Logs {
		all = append(all, path)
	}
	return all
}

// readBefore returns all positions of a cursor, of any log.
func (c filesCursor) readBefore() []position {
	all := slices.Clone(c.Elsewhere)
	for _, positions := range c.Logs {
		all = append(all, positions...)
	}
	return all
}

// maxElsewhere bounds the positions that are taken over from other sources.
const maxElsewhere = 256

// ReadElsewhere returns the cursor of a file source, extended by the cursors of others:
// a log that one of them was reading, and that the globs match, is continued and not
// read again. Cursors of other kinds of sources are ignored. Every other log starts as
// with the cursor "".
func ReadElsewhere(from input.Cursor, others []input.Cursor) input.Cursor {
	own, err := decodeFilesCursor(from)
	if err != nil {
		return from // Follow says so
	}
	own.Elsewhere = nil
	for _, other := range others {
		if !isFilesCursor(other) {
			continue
		}
		c, err := decodeFilesCursor(other)
		if err != nil {
			continue
		}
		for _, positions := range c.Logs {
			own.Elsewhere = append(own.Elsewhere, positions...)
		}
	}
	if len(own.Elsewhere) == 0 {
		return from
	}
	slices.SortStableFunc(own.Elsewhere, func(a, b position) int { return b.Seen.Compare(a.Seen) })
	own.Elsewhere = own.Elsewhere[:min(len(own.Elsewhere), maxElsewhere)]
	return own.encode()
}
