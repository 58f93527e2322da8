package follow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"csmail/pkg/hint"
)

// ProbeFiles tries to open each log that the globs match, and returns what cannot be
// read: a glob that matches nothing, too.
func ProbeFiles(globs []string) (problems []error) {
	for _, glob := range globs {
		paths := []string{glob}
		if hasPattern(glob) {
			paths, _ = filepath.Glob(glob) // its one error is a bad pattern, refused before
		}
		if len(paths) == 0 {
			problems = append(problems, hint.Wrap(fmt.Errorf("%q matches no file", glob), "is it the log that mail is written to? csmail run waits for it to come"))
		}
		for _, path := range liveOnly(paths) {
			if err := probeFile(path); err != nil {
				problems = append(problems, err)
			}
		}
	}
	return problems
}

func probeFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return hint.Wrap(fmt.Errorf("the log %q is not there", path), "is it the log that mail is written to? csmail run waits for it to come")
	}
	if err != nil {
		return openError(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return hint.Wrap(fmt.Errorf("%q is no regular file", path), "name a log file; a pipe or a directory cannot be followed")
	}
	return err
}

// ProbeJournal asks journalctl for the newest entry of what would be followed, with the
// arguments of following, but for --follow.
func ProbeJournal(ctx context.Context, o JournalOptions) error {
	j := Journal(o).(*journal)
	args := []string{"--no-pager", "-q", "--merge", "-o", "json", "-n", "1"}
	if j.Directory != "" {
		args = append(args, "--directory="+j.Directory)
	}
	child := command(ctx, j.Command, append(args, j.matches()...)...)
	complaint := &complaints{}
	child.Stderr = complaint
	out, err := child.Output()
	said := complaint.String()
	switch {
	case err != nil && said == "":
		return hint.Wrap(fmt.Errorf("journalctl: %w", err), "%s", journalHint(said))
	case err != nil || said != "" && len(out) == 0:
		return hint.Wrap(fmt.Errorf("journalctl: %w, it says %q", exitError(err), said), "%s", journalHint(said))
	case len(strings.TrimSpace(string(out))) == 0:
		return hint.Wrap(fmt.Errorf("the journal holds no entry with %s", strings.Join(j.Filter, " ")),
			"is mail logged to the journal? else follow the log file: sources: [{source: file, filenames: [/var/log/mail.log]}]")
	}
	return nil
}
