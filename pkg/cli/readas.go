package cli

import (
	"path/filepath"
	"strings"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/ingest"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
)

// readAs is how the lines of a configured source are read, by csmail run and by the
// commands that read its logs.
type readAs struct {
	source  config.Source
	zone    *time.Location   // nil: the command's
	reading *logline.Reading // nil: the command's
}

// asConfigured returns how the lines of a log are read that the configuration names, such
// as one of containers (envelope). A flag says it for all logs.
func (in reading) asConfigured() (func(name string) (*time.Location, *logline.Reading), error) {
	var all []readAs
	for _, s := range in.readAs {
		r := readAs{source: s}
		var err error
		if in.envelope == "" && len(in.trusted) == 0 {
			if r.reading, err = ingest.ReadingOf(s); err != nil {
				return nil, configError{err}
			}
		}
		if in.timezone == "" && s.Timezone != "" {
			if r.zone, err = parseZone(s.Timezone); err != nil {
				return nil, configError{err}
			}
		}
		if r.reading != nil || r.zone != nil {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return func(name string) (*time.Location, *logline.Reading) {
		for i := range all {
			if all[i].names(name) {
				return all[i].zone, all[i].reading
			}
		}
		return nil, nil
	}, nil
}

// names reports whether a log is one of the source: a file that one of its patterns
// matches, or a rotated copy of one (mail.log.1, mail.log-20261130.gz), or the journal.
func (r *readAs) names(log string) bool {
	if r.source.Source == "journalctl" {
		return log == archive.TheJournal
	}
	path, err := filepath.Abs(log)
	if err != nil {
		return false
	}
	for _, pattern := range r.source.Files() {
		if pattern, err = filepath.Abs(pattern); err != nil {
			continue
		}
		rotated, isCopy := strings.CutPrefix(path, pattern)
		isCopy = isCopy && rotated != "" && (rotated[0] == '.' || rotated[0] == '-')
		if matches, err := filepath.Match(pattern, path); err == nil && matches || isCopy {
			return true
		}
	}
	return false
}
