package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"csmail/pkg/hint"
)

// twinBytes is how much of two logs must be equal for them to be the same log.
const twinBytes = 4 << 10

// refuseTwins finds logs that hold the same lines: a copy, a compressed copy, the mail.info
// beside mail.log, and the mail.warn beside mail.log, which holds some of its lines.
func refuseTwins(files []*file) error {
	if len(files) < 2 {
		return nil
	}
	heads := make(map[string]string, len(files))
	first := firstLines{}
	for i, f := range files {
		head := f.head(twinBytes)
		if other, known := heads[head]; known && head != "" {
			return hint.Wrap(fmt.Errorf("%q and %q hold the same lines", other, f.path), "name one of them, or each line would count twice")
		}
		heads[head] = f.path
		first.add(head, i)
	}
	return refuseExtracts(files, first)
}

const (
	// extractBytes is how much of a log is searched for the first lines of another.
	extractBytes = 256 << 10
	// extractLines is how many of them must be there.
	extractLines = 3
)

// refuseExtracts finds a log whose first lines all stand in another one. Files of one name
// that a rotation made are passed by: two of them may share a few lines, because a line may
// be copied before the file is cut off (logrotate's copytruncate).
func refuseExtracts(files []*file, first firstLines) error {
	if len(first) == 0 {
		return nil
	}
	for n, other := range files {
		found := map[int]int{} // by file: a bit for each of its first lines
		for line := range strings.Lines(other.head(extractBytes)) {
			for _, at := range first[line] {
				if at.file == n || baseOf(files[at.file].path) == baseOf(other.path) {
					continue
				}
				found[at.file] |= 1 << at.number
				if found[at.file] == 1<<extractLines-1 {
					return hint.Wrap(fmt.Errorf("%q holds lines of %q", files[at.file].path, other.path), "leave it out, or these lines would count twice")
				}
			}
		}
	}
	return nil
}

// firstLines finds where a line stands among the first lines of files.
type firstLines map[string][]lineOfFile

type lineOfFile struct{ file, number int }

// add takes the first whole lines of a file, if they are long enough to be lines of one log
// only, each with its newline.
func (l firstLines) add(head string, file int) {
	const shortest = 40
	var lines []string
	for line := range strings.Lines(head) {
		if len(lines) == extractLines || !strings.HasSuffix(line, "\n") || len(line) < shortest {
			break
		}
		lines = append(lines, line)
	}
	if len(lines) < extractLines {
		return
	}
	for n, line := range lines {
		l[line] = append(l[line], lineOfFile{file, n})
	}
}

// baseOf returns the path of the log that a rotated one was: that of "mail.log.2.gz" and
// "mail.log-20260131" is "mail.log".
func baseOf(path string) string {
	folder, name := filepath.Split(path)
	for _, ending := range [...]string{".gz", ".xz", ".zst", ".bz2"} {
		name = strings.TrimSuffix(name, ending)
	}
	if short := strings.TrimRight(name, "0123456789"); short != name && strings.HasSuffix(short, ".") {
		name = strings.TrimSuffix(short, ".")
	}
	if short := strings.TrimRight(name, "0123456789"); short != name && strings.HasSuffix(short, "-") {
		name = strings.TrimSuffix(short, "-")
	}
	return folder + name
}

var errEnough = errors.New("enough")

// head returns up to so many of the first bytes of the log, without its compression. For a
// pipe, which can be read only once, it returns nothing. An error is left to the later read.
func (f *file) head(most int) string {
	if f.info.Mode().Type() != fs.FileMode(0) {
		return ""
	}
	var head strings.Builder
	_ = f.Read(context.Background(), func(b Block) error {
		head.WriteString(b.Text)
		if head.Len() >= most {
			return errEnough
		}
		return nil
	})
	return head.String()[:min(head.Len(), most)]
}
