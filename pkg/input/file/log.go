package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// log is one log: a live file and its rotated files. Data goes from the oldest open tail
// to the newest.
type log struct {
	path  string
	back  time.Duration
	quiet time.Duration
	clock input.Clock
	meter *input.Meter
	waker waker
	names names // other names under which the same files may be read

	firstStart bool       // nothing is known: history goes back to since, if back is set
	since      time.Time  // older files are ignored while there is no position
	positions  []position // of the cursor, until the files are found
	done       *position  // the file that was finished last
	tails      []*tail    // oldest first
	planned    bool
	changed    bool // the positions changed without a batch
	err        error
	present    bool // the live file is there
}

// known returns where the log was read to, for the cursor.
func (l *log) known() []position {
	var all []position
	if l.done != nil {
		all = append(all, *l.done)
	}
	all = append(all, l.positions...)
	for _, t := range l.tails {
		all = append(all, t.position)
	}
	return all
}

// refresh checks whether the live file is still the newest tail.
func (l *log) refresh() {
	info, err := os.Stat(l.path)
	l.present = err == nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if l.planned {
			l.err = folderError(l.path)
			return
		}
	case err != nil:
		l.err = openError(l.path, err)
		return
	case !info.Mode().IsRegular():
		l.err = hint.Wrap(fmt.Errorf("%q is no regular file", l.path), "name a log file; a pipe or a directory cannot be followed")
		return
	case l.planned && l.holds(info), l.names.isOpenElsewhere(l, info):
		l.err = nil
		return
	}
	l.err = l.replan()
}

// folderError returns the folder's error if that is why a file is missing.
func folderError(path string) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return listError(path, err)
	}
	return nil
}

// holds reports whether one of the tails is this file, as far as this is visible without
// reading it.
func (l *log) holds(info os.FileInfo) bool {
	for _, t := range l.tails {
		if t.sameFile(info) {
			return !t.gone
		}
	}
	return false
}

// measure measures the newest file first. Bytes that it holds by then were written
// before the older files are measured, so they come after all lines of these.
func (l *log) measure() {
	now := l.clock.Now()
	for i := len(l.tails) - 1; i >= 0; i-- {
		if err := l.tails[i].measure(now); err != nil {
			l.err = openError(l.path, err)
		}
	}
}

func (l *log) lag() int64 {
	sum := int64(0)
	for _, t := range l.tails {
		sum += t.lag()
	}
	return sum
}

// next reads the next whole lines, or returns "" if there are none now.
func (l *log) next(buffer []byte) (text string, received time.Time) {
	l.measure()
	for _, t := range l.tails {
		for !t.idle && !t.gone {
			if text, more := l.readFrom(t, buffer); text != "" || !more {
				if text != "" {
					return text, t.mtime
				}
				break
			}
		}
		if t.gone {
			l.err = l.replan()
			return "", time.Time{}
		}
	}
	l.retire()
	return "", time.Time{}
}

// readFrom reads one buffer from t, and reports whether there may be more.
func (l *log) readFrom(t *tail, buffer []byte) (text string, more bool) {
	fresh, atEnd, err := t.read(buffer)
	switch {
	case errors.Is(err, errRewritten):
		t.gone = true
		return "", false
	case err != nil && t.stream != nil:
		l.meter.Drop(input.DropUnreadable, 1)
		l.meter.Log.Warn("rotated log is damaged", "file", t.file.Name(), "error", err)
	case err != nil:
		l.err = openError(l.path, err)
		return "", false
	}
	w := splitLines(fresh, t.Inside)
	t.advance(fresh, w.used)
	t.Inside = w.skip
	if w.cut > 0 {
		l.meter.Drop(input.DropCut, int64(w.cut))
	}
	t.idle = atEnd
	return w.text, w.used > 0 && !atEnd
}

// retire closes files that are no longer written: rotated, read to the end, and quiet
// for a while since the newer one has lines.
func (l *log) retire() {
	now := l.clock.Now()
	for len(l.tails) > 0 {
		t := l.tails[0]
		finished := t.stream != nil && t.ended
		if !finished && (!t.idle || now.Sub(t.grown) < l.quiet || !l.hasNewer()) {
			return
		}
		if t.lag() > 0 && !t.Inside {
			l.meter.Drop(input.DropUnfinished, 1)
			t.Offset += t.lag()
			t.Mark = fingerprint{}
		}
		t.Done = true
		l.done = new(t.position)
		l.closeTail(t)
		l.tails = l.tails[1:]
		l.changed = true
	}
}

// hasNewer reports whether a newer file than the oldest has lines.
func (l *log) hasNewer() bool {
	for _, t := range l.tails[1:] {
		if t.size > 0 || t.Offset > 0 {
			return true
		}
	}
	return false
}

func (l *log) closeTail(t *tail) {
	l.waker.forget(t.watch)
	t.close()
}

func (l *log) close() {
	for _, t := range l.tails {
		l.closeTail(t)
	}
	l.tails = nil
}
