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
	long := make([]string, len(files))
	for i, f := range files {
		long[i] = f.head(extractBytes)
		head := long[i][:min(len(long[i]), twinBytes)]
		if other, known := heads[head]; known && head != "" {
			return hint.Wrap(fmt.Errorf("%q and %q hold the same lines", other, f.path), "name one of them, or each line would count twice")
		}
		heads[head] = f.path
	}
	return refuseExtracts(files, long)
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
func refuseExtracts(files []*file, heads []string) error {
	for i, f := range files {
		first := firstLines(heads[i])
		if len(first) < extractLines {
			continue
		}
		for n, other := range files {
			if n != i && baseOf(other.path) != baseOf(f.path) && holdsAll(heads[n], first) {
				return hint.Wrap(fmt.Errorf("%q holds lines of %q", f.path, other.path), "leave it out, or these lines would count twice")
			}
		}
	}
	return nil
}

// firstLines returns the first whole lines that are long enough to be one line of a log
// only, each with the newline.
func firstLines(text string) []string {
	const shortest = 40
	var first []string
	for line := range strings.Lines(text) {
		if len(first) == extractLines || !strings.HasSuffix(line, "\n") {
			break
		}
		if len(line) < shortest {
			return nil
		}
		first = append(first, line)
	}
	return first
}

// holdsAll reports whether all lines stand in a text, each as a whole line.
func holdsAll(text string, lines []string) bool {
	for _, line := range lines {
		if !strings.HasPrefix(text, line) && !strings.Contains(text, "\n"+line) {
			return false
		}
	}
	return true
}

// baseOf returns the path of the log that a rotated one was: that of "mail.log.2.gz" and
// "mail.log-20260131" is "mail.log".
func baseOf(path string) string {
	folder, name := filepath.Split(path)
	parts := strings.SplitN(name, ".", 3)
	if len(parts) > 2 {
		name = parts[0] + "." + parts[1]
	}
	name, _, _ = strings.Cut(name, "-")
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
