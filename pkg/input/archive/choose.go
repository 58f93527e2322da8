package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"csmail/pkg/hint"
)

// Chooser finds the log if none is named.
type Chooser struct {
	Journal JournalOptions
	Files   []string // tried in this order when the journal has no mail
}

// Default returns the journal if it holds a mail line, else the first mail log
// of Debian or RHEL that is there.
func Default(ctx context.Context, o JournalOptions) (Input, error) {
	return Chooser{o, []string{"/var/log/mail.log", "/var/log/maillog"}}.Choose(ctx)
}

// errFound ends the probe at the first line.
var errFound = errors.New("found")

// Choose looks into the journal, then for the files.
func (c Chooser) Choose(ctx context.Context) (Input, error) {
	j := Journal(c.Journal).(*journal)
	_, err := j.run(ctx, []string{"--no-pager", "-q", "-o", "json", "-n", "1", "SYSLOG_FACILITY=2"}, func(Block) error { return errFound })
	if errors.Is(err, errFound) {
		return j, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for _, path := range c.Files {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return newFile(path)
		}
	}
	return nil, hint.Wrap(fmt.Errorf("no mail log found: %w, and %s are missing or empty", c.reason(ctx, j, err), listed(c.Files)),
		"name the log file: csmail scan FILE; or run it with sudo if the journal is there but not yours to read")
}

// listed quotes paths for a sentence: "a", "b" and "c".
func listed(paths []string) string {
	text := ""
	for i, path := range paths {
		switch {
		case i > 0 && i == len(paths)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += strconv.Quote(path)
	}
	return text
}

// reason returns why the journal cannot be used.
func (c Chooser) reason(ctx context.Context, j *journal, probe error) error {
	if probe != nil {
		return probe
	}
	return j.empty(ctx)
}

// IsJournal reports whether a source is the host's journal.
func IsJournal(s Input) bool {
	_, ok := s.(*journal)
	return ok
}
