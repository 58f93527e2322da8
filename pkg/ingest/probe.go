package ingest

import (
	"context"
	"fmt"

	"csmail/pkg/config"
	"csmail/pkg/input/file"
	"csmail/pkg/input/journal"
)

// Probe tries to read each log that the sources name, or that is followed by default,
// and returns the errors. A listening address is not tried, because a running csmail may
// be using it.
func Probe(ctx context.Context, sources []config.Source, o Options) []error {
	if len(sources) == 0 {
		found, err := byDefault(ctx, o.Journal)
		if err != nil {
			return []error{err}
		}
		sources = []config.Source{found}
	}
	var problems []error
	for _, s := range sources {
		switch s.Source {
		case "file":
			problems = append(problems, file.Probe(s.Files())...)
		case "journalctl":
			if err := journal.Probe(ctx, journal.Options{Filter: s.JournalctlFilter, Command: o.Journal}); err != nil {
				problems = append(problems, fmt.Errorf("source journal: %w", err))
			}
		}
	}
	return problems
}
