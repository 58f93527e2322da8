package follow

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"csmail/pkg/acquisition"
	"csmail/pkg/hint"
	"csmail/pkg/logline"
)

// Spec is what a configured source reads: files or a journal.
type Spec struct {
	Name    string          // in messages
	Globs   []string        // of files
	Journal *JournalOptions // nil: none
}

const (
	// overlapTail is how much of the end of a file is compared.
	overlapTail = 256 << 10
	// overlapEntries is how many of the newest journal entries are compared.
	overlapEntries = 2000
	// overlapLines is how many lines two sources must share. A line is told by
	// its program, process ID and text, so that one in common is rare already.
	overlapLines = 3
	// overlapEntry is how long an entry may be, in bytes of JSON, to be compared.
	overlapEntry = 8 << 10
	// overlapTimeout bounds the look into the journal.
	overlapTimeout = 10 * time.Second
)

// CheckOverlap refuses sources that would count lines twice: a file that two of
// them name, by any path, and two that hold the same newest lines, like mail.log
// and mail.info, or the journal and the file that rsyslog writes from it. What
// cannot be read is no overlap.
func CheckOverlap(ctx context.Context, specs []Spec) error {
	var seen []sample
	for _, spec := range specs {
		own, err := spec.samples(ctx)
		if err != nil {
			return err
		}
		for i, s := range own {
			for _, other := range append(seen[:len(seen):len(seen)], own[:i]...) {
				if err := s.conflict(other); err != nil {
					return err
				}
			}
		}
		seen = append(seen, own...)
	}
	return nil
}

// sample is the newest of one log.
type sample struct {
	source string // the name of its Spec
	name   string
	info   os.FileInfo       // nil for the journal
	lines  map[string]string // program, process ID and text of each, and its host
}

func (spec Spec) samples(ctx context.Context) ([]sample, error) {
	var all []sample
	known := map[string]bool{}
	for _, glob := range spec.Globs {
		paths, err := filepath.Glob(glob)
		if err != nil {
			return nil, fmt.Errorf("file name %q: %w", glob, err)
		}
		for _, path := range liveOnly(paths) {
			if known[path] {
				continue // two globs of one source may match the same name
			}
			known[path] = true
			if s, ok := sampleFile(path); ok {
				s.source = spec.Name
				all = append(all, s)
			}
		}
	}
	if spec.Journal != nil {
		s := sampleJournal(ctx, *spec.Journal)
		s.source = spec.Name
		all = append(all, s)
	}
	return all, context.Cause(ctx)
}

func sampleFile(path string) (sample, bool) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return sample{}, false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return sample{}, false
	}
	from := max(0, info.Size()-overlapTail)
	text, err := io.ReadAll(io.NewSectionReader(file, from, overlapTail))
	if err != nil {
		return sample{}, false
	}
	lines := string(text)
	if from > 0 {
		_, lines, _ = strings.Cut(lines, "\n")
	}
	return sample{name: path, info: info, lines: lineKeys(lines)}, true
}

// sampleJournal reads the newest entries. A journal that cannot be read shows
// when it is followed.
func sampleJournal(ctx context.Context, o JournalOptions) sample {
	j := Journal(o).(*journal)
	s := sample{name: j.Name(), lines: map[string]string{}}
	ctx, cancel := context.WithTimeout(ctx, overlapTimeout)
	defer cancel()
	args := []string{"--no-pager", "-q", "--all", "-o", "json", "--output-fields=" + acquisition.JournalFields, "-n", strconv.Itoa(overlapEntries)}
	if j.Directory != "" {
		args = append(args, "--directory="+j.Directory)
	}
	child := command(ctx, j.Command, append(args, j.Filter...)...)
	out, err := child.StdoutPipe()
	if err != nil || child.Start() != nil {
		return s
	}
	defer child.Wait() // its end tells nothing more: what was read counts
	in := bufio.NewReader(out)
	for {
		line, err := readLine(in)
		if err != nil && !errors.Is(err, errLongEntry) {
			return s
		}
		if len(line) <= overlapEntry {
			maps.Copy(s.lines, lineKeys(string(line)))
		}
	}
}

// lineKeys tells lines apart by what every transport leaves as it is, and gives the
// host, of which one may keep the domain and another not.
func lineKeys(text string) map[string]string {
	keys := map[string]string{}
	for line := range strings.Lines(text) {
		header, message, ok := logline.Split(logline.Line{Text: strings.TrimSuffix(line, "\n"), Zone: time.UTC})
		message = strings.TrimSpace(message)
		host, _, _ := strings.Cut(strings.ToLower(header.Host), ".")
		switch {
		case !ok || len(message) < 10:
		case strings.Contains(message, "session=<"): // Dovecot logs no process ID to syslog
			keys[header.Program+": "+message] = host
		case header.PID != 0:
			keys[fmt.Sprintf("%s[%d]: %s", header.Program, header.PID, message)] = host
		}
	}
	return keys
}

// conflict tells why two logs are one.
func (s sample) conflict(other sample) error {
	if s.info != nil && other.info != nil && os.SameFile(s.info, other.info) {
		err := fmt.Errorf("sources %q and %q read the same file, %q", other.source, s.source, s.name)
		if s.name != other.name {
			err = fmt.Errorf("%q and %q are the same file", other.name, s.name)
		}
		return hint.Wrap(err, "name it once, or each line would count twice")
	}
	common := 0
	for line, host := range s.lines {
		// Two hosts may have the same process ID say the same of a client that
		// visits both.
		if there, known := other.lines[line]; known && (host == there || host == "" || there == "") {
			common++
		}
	}
	if common < overlapLines {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%q and %q hold the same lines", other.name, s.name), "leave one of them out, or each line would count twice")
}
