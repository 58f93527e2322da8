package file

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// member is one file of a log: the live one, or one that was rotated away.
type member struct {
	path   string
	info   os.FileInfo
	live   bool
	packed bool
	number int      // number of mail.log.3; -1 if it has none
	date   string   // the digits of mail.log-20260131, or ""
	file   *os.File // once opened
	lent   bool     // a tail owns file
	taken  bool     // an open tail reads it, or its uncompressed original
}

// errMoving is a log that is being rotated at this moment.
var errMoving = errors.New("files are being rotated")

// packedEndings are the suffixes of logrotate, newsyslog and savelog.
var packedEndings = []string{".gz", ".xz", ".zst", ".bz2"}

// parseMember finds out how a file in the live file's folder belongs to it: logrotate(8)
// makes mail.log.1, with dateext mail.log-20260131, with extension also
// mail-20260131.log and mail.1.log; savelog(8) begins with mail.log.0.
func parseMember(live, name string) (member, bool) {
	m := member{number: -1}
	if name == live {
		m.live = true
		return m, true
	}
	for _, ending := range packedEndings {
		if bare, ok := strings.CutSuffix(name, ending); ok {
			m.packed, name = true, bare
			break
		}
	}
	suffix, ok := strings.CutPrefix(name, live)
	if ext := filepath.Ext(live); !ok && ext != "" {
		if suffix, ok = strings.CutPrefix(name, strings.TrimSuffix(live, ext)); ok {
			suffix, ok = strings.CutSuffix(suffix, ext)
		}
	}
	if !ok || len(suffix) < 2 || (suffix[0] != '.' && suffix[0] != '-' && suffix[0] != '_') {
		return m, false
	}
	suffix = suffix[1:]
	if strings.Trim(suffix, "0123456789-.T_:") != "" || suffix[0] < '0' || suffix[0] > '9' {
		return m, false
	}
	if n, err := strconv.Atoi(suffix); err == nil && len(suffix) <= 4 {
		m.number = n
		return m, true
	}
	m.date = suffix
	return m, true
}

// compareAge sorts the older file first.
func compareAge(a, b *member) int {
	switch {
	case a.live != b.live:
		if b.live {
			return -1
		}
		return 1
	case a.number >= 0 && b.number >= 0:
		return cmp.Compare(b.number, a.number)
	case a.date != "" && b.date != "":
		return cmp.Compare(a.date, b.date)
	}
	return a.info.ModTime().Compare(b.info.ModTime())
}

// family lists the files of the log with the live file path, oldest first. If a file
// exists plain and compressed, compression is under way, and only the plain one is
// complete.
func family(path string) ([]*member, error) {
	folder, live := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(folder))
	if err != nil {
		return nil, err
	}
	var members []*member
	for _, entry := range entries {
		m, ok := parseMember(live, entry.Name())
		if !ok {
			continue
		}
		m.path = folder + entry.Name()
		m.info, err = os.Stat(m.path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if m.info.Mode().IsRegular() {
			members = append(members, &m)
		}
	}
	all := slices.Clone(members)
	members = slices.DeleteFunc(members, func(m *member) bool {
		return m.packed && slices.ContainsFunc(all, func(o *member) bool {
			return !o.packed && !o.live && o.number == m.number && o.date == m.date
		})
	})
	slices.SortStableFunc(members, compareAge)
	return withoutLinks(members), nil
}

// withoutLinks keeps of several names of one file the newest.
func withoutLinks(members []*member) []*member {
	var kept []*member
	for i, m := range members {
		if !slices.ContainsFunc(members[i+1:], func(o *member) bool { return os.SameFile(o.info, m.info) }) {
			kept = append(kept, m)
		}
	}
	return kept
}

// unchanged reports whether two listings have the same files under the same names.
func unchanged(a, b []*member) bool {
	return slices.EqualFunc(a, b, func(x, y *member) bool { return x.path == y.path && os.SameFile(x.info, y.info) })
}

// open opens the file, which must still be the one that was listed.
func (m *member) open() error {
	if m.file != nil {
		return nil
	}
	file, err := os.OpenFile(m.path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not block
	if errors.Is(err, os.ErrNotExist) {
		return errMoving
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(info, m.info) {
		err = errMoving
	}
	if err != nil {
		file.Close()
		return err
	}
	m.file, m.info = file, info
	return nil
}

// measure reads the length of the open file again.
func (m *member) measure() error {
	info, err := m.file.Stat()
	if err == nil {
		m.info = info
	}
	return err
}
