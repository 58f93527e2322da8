package ingest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input/file"
	"csmail/pkg/input/journal"
	"csmail/pkg/logline"
)

// spec is the logs that a configured source reads: files or a journal.
type spec struct {
	Name    string           // in messages
	Globs   []string         // of files
	Journal *journal.Options // nil: the source reads no journal
}

const (
	// overlapTail is how much of the end of a file is compared.
	overlapTail = 256 << 10
	// overlapEntries is how many of the newest journal entries are compared.
	overlapEntries = 2000
	// overlapLines is how many lines two sources must share. A line is identified by
	// its program, process ID and text, so even one common line is rare.
	overlapLines = 3
	// overlapEntry is how long an entry may be, in bytes of JSON, to be compared.
	overlapEntry = 8 << 10
	// overlapTimeout bounds the look into the journal.
	overlapTimeout = 10 * time.Second
)

// checkOverlap refuses sources that would count lines twice: a file that two of
// them name, by any path, and two that hold the same newest lines, like mail.log
// and mail.info, or the journal and the file that rsyslog writes from it. A log that
// cannot be read counts as no overlap.
func checkOverlap(ctx context.Context, specs []spec) error {
	var seen []sample
	for _, p := range specs {
		own, err := p.samples(ctx)
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
	source string // the name of its spec
	name   string
	info   os.FileInfo       // nil for the journal
	lines  map[string]string // program, process ID and text of each, and its host
}

func (p spec) samples(ctx context.Context) ([]sample, error) {
	var all []sample
	known := map[string]bool{}
	for _, glob := range p.Globs {
		paths, err := filepath.Glob(glob)
		if err != nil {
			return nil, fmt.Errorf("file name %q: %w", glob, err)
		}
		for _, path := range file.LiveOnly(paths) {
			if known[path] {
				continue // two globs of one source may match the same name
			}
			known[path] = true
			if s, ok := sampleFile(path); ok {
				s.source = p.Name
				all = append(all, s)
			}
		}
	}
	if p.Journal != nil {
		s := sampleJournal(ctx, *p.Journal)
		s.source = p.Name
		all = append(all, s)
	}
	return all, context.Cause(ctx)
}

func sampleFile(path string) (sample, bool) {
	opened, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return sample{}, false
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return sample{}, false
	}
	from := max(0, info.Size()-overlapTail)
	text, err := io.ReadAll(io.NewSectionReader(opened, from, overlapTail))
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
func sampleJournal(ctx context.Context, o journal.Options) sample {
	s := sample{name: journal.New(o).Name(), lines: map[string]string{}}
	ctx, cancel := context.WithTimeout(ctx, overlapTimeout)
	defer cancel()
	journal.Newest(ctx, o, overlapEntries, func(entry string) {
		if len(entry) <= overlapEntry {
			maps.Copy(s.lines, lineKeys(entry))
		}
	})
	return s
}

// lineKeys identifies a line by the parts that every transport keeps, for each host in
// it. The host is separate, because one transport may keep its domain and another not.
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

// conflict returns an error that explains why two logs are the same.
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
