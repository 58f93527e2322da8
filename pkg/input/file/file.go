// Package file follows log files through every kind of rotation: by renaming, by copying
// and truncating, compressed or not (logrotate(8), newsyslog(8), savelog(8)). It
// identifies a log by its device, inode and content, not by its name. For example,
// mail.log renamed to mail.log.1 is read on where it was left, and mail.log.2.gz is
// recognised as the same lines. The package also reads standard input. It interprets no
// line, dates none, and writes nothing.
package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// Options select the logs to follow.
type Options struct {
	// Globs name the live files (path/filepath.Match). The rotated files of a live file
	// are read with it and are no logs of their own.
	Globs []string
	// Back is how far the first start reads back: all of each live or rotated
	// file that was written since. 0 begins at the end of the live files.
	Back time.Duration
	// Quiet is how long a rotated file must have been silent before it is left,
	// 10 seconds if 0.
	Quiet  time.Duration
	Logger *slog.Logger     // nil logs nothing
	Now    func() time.Time // the present time; time.Now if nil

	clock input.Clock
	waker waker
}

const (
	defaultQuiet = 10 * time.Second
	// safetyPoll is for changes without an inotify(7) event: lost events, a directory
	// that is created again.
	safetyPoll = 2 * time.Second
	// plainPoll is for file systems of other hosts, where inotify is silent.
	plainPoll = 200 * time.Millisecond
	// settle lets more lines come before the next small batch.
	settle = 2 * time.Millisecond
	// smallBatch is a batch that shows that we keep up.
	smallBatch = 32 << 10
)

// files follows the logs that its globs match.
type files struct {
	Options
	*input.Meter
	name   string
	logs   []*log
	known  filesCursor
	start  time.Time
	before []position // all positions of the cursor
	first  bool       // no cursor
	buffer []byte

	started bool // the logs that are there at the start are known
}

var _ input.Input = (*files)(nil)

// New returns the logs that the globs match, now and later, as one input.
func New(o Options) (input.Input, error) {
	if len(o.Globs) == 0 {
		return nil, hint.Wrap(errors.New("a file source without a file name"), "filenames: [/var/log/mail.log]")
	}
	for _, glob := range o.Globs {
		if _, err := filepath.Match(glob, ""); err != nil {
			return nil, hint.Wrap(fmt.Errorf("file name %q: %w", glob, err), `a [ in a name is written \[`)
		}
	}
	if o.Quiet == 0 {
		o.Quiet = defaultQuiet
	}
	if o.clock == nil {
		o.clock = input.WallClock{Time: o.Now}
	}
	name := strings.Join(o.Globs, ",")
	return &files{Options: o, name: name, Meter: input.NewMeter(name, o.Logger)}, nil
}

func (f *files) Name() string { return f.name }

func (f *files) Follow(ctx context.Context, from input.Cursor, emit func(input.Batch) error) error {
	var err error
	if f.known, err = decodeFilesCursor(from); err != nil {
		f.Set(input.Failing, err)
		return err
	}
	f.before = f.known.readBefore()
	f.first = len(f.known.Globs) == 0
	f.start = f.clock.Now()
	f.buffer = make([]byte, input.MaxBatch)
	wake := f.waker
	if wake == nil {
		wake = newWaker()
		defer wake.close()
	}
	defer f.closeLogs()
	looked := time.Time{}
	for context.Cause(ctx) == nil {
		if wake.foldersChanged() || f.clock.Now().Sub(looked) >= safetyPoll {
			looked = f.clock.Now()
			f.discover(wake)
		}
		size, err := f.round(emit)
		if err != nil {
			return err
		}
		if err := f.rest(ctx, wake, size); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// rest waits for more, shortly if the round had a batch of size bytes.
func (f *files) rest(ctx context.Context, wake waker, size int) error {
	switch {
	case size >= smallBatch:
		return context.Cause(ctx)
	case size > 0:
		return input.Pause(ctx, f.clock, settle, nil)
	case wake.sees():
		return input.Pause(ctx, f.clock, safetyPoll, wake.wake())
	}
	return input.Pause(ctx, f.clock, plainPoll, wake.wake())
}

// round reads at most one batch from each log, and returns how many bytes that
// were.
func (f *files) round(emit func(input.Batch) error) (int, error) {
	size := 0
	for _, l := range f.logs {
		l.refresh()
		text, received := l.next(f.buffer)
		if text == "" && !l.changed {
			continue
		}
		l.changed = false
		size += len(text)
		b := input.Batch{Log: l.path, Text: text, Received: received, Read: f.clock.Now(), Lag: l.lag(), Cursor: f.cursor()}
		f.Count(&b)
		if err := emit(b); err != nil {
			return size, err
		}
	}
	f.judge()
	return size, nil
}

// judge sums up how the logs are.
func (f *files) judge() {
	state, lag := input.Waiting, int64(0)
	var err error
	for _, l := range f.logs {
		lag += l.lag()
		if l.present && state == input.Waiting {
			state = input.Following
		}
		if l.err != nil && !errors.Is(l.err, errMoving) && err == nil {
			state, err = input.Failing, l.err
		}
	}
	if len(f.logs) == 0 {
		if err = f.globError(); err != nil {
			state = input.Failing
		}
	}
	f.SetLag(lag)
	f.Set(state, err)
}

// globError returns an error if a glob matches nothing because its folder cannot be
// read.
func (f *files) globError() error {
	for _, glob := range f.Globs {
		if _, err := family(glob); err != nil && !hasPattern(filepath.Dir(glob)) {
			return listError(glob, err)
		}
	}
	return nil
}

// cursor returns the positions of all logs.
func (f *files) cursor() input.Cursor {
	c := filesCursor{Time: f.clock.Now(), Globs: f.Globs, Logs: map[string][]position{}}
	for path, positions := range f.known.Logs {
		c.Logs[path] = positions // not found again yet
	}
	for _, l := range f.logs {
		c.Logs[l.path] = l.known()
	}
	return c.encode()
}

// discover looks for logs that the globs match by now.
func (f *files) discover(wake waker) {
	folders := map[string]bool{}
	for _, glob := range f.Globs {
		paths := []string{glob}
		if hasPattern(glob) {
			paths, _ = filepath.Glob(glob) // its one error is a bad pattern, refused before
		} else {
			folders[filepath.Dir(glob)] = true
		}
		for _, path := range paths {
			folders[filepath.Dir(path)] = true
		}
		if !hasPattern(filepath.Dir(glob)) {
			folders[filepath.Dir(glob)] = true
		}
		for _, path := range LiveOnly(paths, f.paths()...) {
			f.add(glob, path, wake)
		}
	}
	f.started = true
	for _, l := range f.logs {
		if target, err := filepath.EvalSymlinks(l.path); err == nil {
			folders[filepath.Dir(target)] = true
		}
	}
	for folder := range folders {
		wake.folder(folder)
	}
}

// add starts a log unless it is there already.
func (f *files) add(glob, path string, wake waker) {
	path = filepath.Clean(path)
	if slices.ContainsFunc(f.logs, func(l *log) bool { return l.path == path }) {
		return
	}
	if f.isSameLog(path) {
		return
	}
	l := &log{path: path, back: f.Back, quiet: f.Quiet, clock: f.clock, meter: f.Meter, waker: wake}
	l.names = names{func() []*log { return f.logs }, f.before}
	newGlob := f.first || !slices.Contains(f.known.Globs, glob)
	positions, known := f.known.Logs[path]
	switch {
	case known:
		l.positions = positions
		l.since = firstSeen(positions, f.known.Time.Add(-clockStep))
		delete(f.known.Logs, path)
	case newGlob && !f.started:
		l.firstStart = true
		l.since = f.start.Add(-f.Back)
	case newGlob:
		l.since = f.start.Add(-clockStep)
	default:
		l.since = f.known.Time.Add(-clockStep)
	}
	f.absorb(l)
	f.logs = append(f.logs, l)
}

// firstSeen is when the oldest of the files changed last; it is used for files of which
// none was read yet.
func firstSeen(positions []position, otherwise time.Time) time.Time {
	for i, p := range positions {
		if i == 0 || p.Seen.Before(otherwise) {
			otherwise = p.Seen
		}
	}
	return otherwise
}

func (f *files) closeLogs() {
	for _, l := range f.logs {
		l.close()
	}
	f.logs = nil
}

// LiveOnly leaves out compressed files, and rotated files of another of the paths or of
// the known logs.
func LiveOnly(paths []string, known ...string) []string {
	all := append(slices.Clone(paths), known...)
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		return slices.ContainsFunc(packedEndings, func(e string) bool { return strings.HasSuffix(path, e) }) ||
			slices.ContainsFunc(all, func(live string) bool { return isRotatedFrom(live, path) })
	})
}

func hasPattern(path string) bool { return strings.ContainsAny(path, `*?[\`) }
