package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/ingest"
	"csmail/pkg/input"
	"csmail/pkg/replay"
)

// errStopped means that a person stopped the command. It is no failure, but has an exit
// status of its own.
var errStopped = errors.New("stopped")

// runFollow runs csmail events --follow until it is interrupted.
func runFollow(ctx context.Context, o eventsOptions, configPath string, files []string, std Streams) error {
	now := time.Now()
	in, err := o.check(files, now)
	if err != nil {
		return err
	}
	if err := o.canFollow(); err != nil {
		return err
	}
	sources, err := o.followed(configPath, files)
	if err != nil {
		return err
	}
	warnOfAbsent(sources, len(files) > 0, std.Err)
	options := ingest.Options{Stdin: std.In, Logger: slog.New(slog.NewTextHandler(std.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if !in.scope.Since.IsZero() {
		options.Back = now.Sub(in.scope.Since)
	}
	feeds, err := ingest.Open(ctx, sources, options)
	if err != nil {
		return err
	}
	f := &follower{printer: newEventPrinter(o, in, std), engine: engine.New(engine.Options{})}
	err = f.run(ctx, feeds)
	for _, feed := range feeds {
		f.tally.Remarks = append(f.tally.Remarks, feed.Remarks()...)
	}
	f.printer.summary(f.tally)
	return err
}

// canFollow returns an error for flags that have no meaning for logs that go on.
func (o eventsOptions) canFollow() error {
	switch {
	case o.until != "":
		return usageError{hint.Wrap(errors.New("--follow has no end, so there is no --until"), "leave one of them out")}
	case o.journalFile != "":
		return usageError{hint.Wrap(errors.New("journalctl cannot follow a single journal file"), "use --journal for the host's journal")}
	}
	return nil
}

// followed returns the sources named by the command line, or else by the configuration.
func (o eventsOptions) followed(configPath string, files []string) ([]config.Source, error) {
	switch {
	case o.journal:
		return []config.Source{{Source: "journalctl", Trusted: o.trusted, Envelope: o.envelope}}, nil
	case slices.Equal(files, []string{"-"}):
		return []config.Source{{Source: "stdin", Timezone: o.timezone, Trusted: o.trusted, Envelope: o.envelope}}, nil
	case slices.Contains(files, "-"):
		return nil, usageError{hint.Wrap(errors.New("stdin is followed alone"), "name either - or files")}
	case len(files) == 0:
		c, err := config.Load(configPath)
		if err != nil {
			return nil, configError{err}
		}
		return c.Sources, nil
	}
	for _, name := range files {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			return nil, hint.Wrap(fmt.Errorf("%q is a directory", name), "name the log in it")
		}
	}
	return []config.Source{{Source: "file", Filenames: files, Timezone: o.timezone, Trusted: o.trusted, Envelope: o.envelope}}, nil
}

// warnOfAbsent warns of files that do not exist yet: of each named one, but of those of a
// configured source only if none of its files exists, because a source names the logs of
// several systems.
func warnOfAbsent(sources []config.Source, named bool, warnings io.Writer) {
	for _, s := range sources {
		absent := slices.DeleteFunc(slices.Clone(s.Files()), isThere)
		if !named && len(absent) < len(s.Files()) {
			continue
		}
		for _, pattern := range absent {
			if strings.ContainsAny(pattern, `*?[`) {
				fmt.Fprintf(warnings, "csmail: warning: no file matches %q; csmail waits for one\n", pattern)
				continue
			}
			fmt.Fprintf(warnings, "csmail: warning: %q is not there; csmail waits for it\n", pattern)
		}
	}
}

// isThere reports whether a file matches the pattern, also if it cannot be inspected.
func isThere(pattern string) bool {
	matches, err := filepath.Glob(pattern)
	if err != nil || len(matches) > 0 {
		return true // a bad pattern is reported elsewhere
	}
	_, err = os.Stat(pattern)
	return !errors.Is(err, fs.ErrNotExist)
}

// follower prints the events of several feeds, one batch at a time.
type follower struct {
	mu      sync.Mutex // held while a feed prints a batch
	engine  *engine.Engine
	printer *eventPrinter
	tally   replay.Tally
}

// run follows the feeds until the context ends.
func (f *follower) run(ctx context.Context, feeds []*ingest.Feed) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, feed := range feeds {
		running.Go(func() {
			err := feed.Input.Follow(inner, "", func(b input.Batch) error { return f.take(feed, b) })
			if err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	err := context.Cause(inner)
	switch {
	case ctx.Err() != nil:
		return errStopped
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return nil // the reader of the pipe has gone
	}
	return err
}

// take prints the events of one batch.
func (f *follower) take(feed *ingest.Feed, b input.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	feed.Parse(b, func(r *event.Record) {
		f.tally.Lines++
		f.tally.Outcomes[r.Outcome]++
		if r.Outcome >= event.Witness {
			result := f.engine.Step(r)
			f.printer.print(b.Log, &result)
		}
	})
	return f.printer.flush()
}
