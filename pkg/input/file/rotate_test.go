package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.uber.org/goleak"

	"csmail/pkg/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writer is a daemon that logs numbered lines, and the logrotate beside it.
type writer struct {
	t     *testing.T
	path  string
	rng   *rand.Rand
	file  *os.File
	count int
	days  int
}

func newWriter(t *testing.T, seed uint64) *writer {
	t.Helper()
	w := &writer{t: t, path: filepath.Join(t.TempDir(), "mail.log"), rng: rand.New(rand.NewPCG(seed, 1))}
	w.open()
	t.Cleanup(func() { w.file.Close() })
	return w
}

func (w *writer) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

func (w *writer) open() {
	file, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	w.must(err)
	w.file = file
}

func line(n int) string {
	return fmt.Sprintf("Nov 24 03:00:00 mx test[1]: line %d %s\n", n, strings.Repeat("x", n%97))
}

// write logs up to n lines, some of them in two pieces.
func (w *writer) write(n int) {
	for range w.rng.IntN(n + 1) {
		w.count++
		text := line(w.count)
		cut := len(text)
		if w.rng.IntN(4) == 0 {
			cut = w.rng.IntN(len(text))
		}
		for _, piece := range []string{text[:cut], text[cut:]} {
			_, err := io.WriteString(w.file, piece)
			w.must(err)
		}
	}
}

func (w *writer) reopen() {
	w.file.Close()
	w.open()
}

// shift makes room for mail.log.1.
func (w *writer) shift() {
	for n := 8; n >= 1; n-- {
		for _, ending := range []string{"", ".gz"} {
			from := fmt.Sprintf("%s.%d%s", w.path, n, ending)
			if _, err := os.Stat(from); err == nil {
				w.must(os.Rename(from, fmt.Sprintf("%s.%d%s", w.path, n+1, ending)))
			}
		}
	}
}

func (w *writer) compress(path string) {
	text, err := os.ReadFile(path)
	w.must(err)
	info, err := os.Stat(path)
	w.must(err)
	out, err := os.Create(path + ".gz")
	w.must(err)
	z := gzip.NewWriter(out)
	half := len(text) / 2
	for _, piece := range [][]byte{text[:half], text[half:]} {
		_, err = z.Write(piece)
		w.must(errors.Join(err, z.Flush()))
	}
	w.must(errors.Join(z.Close(), out.Close(), os.Chtimes(out.Name(), info.ModTime(), info.ModTime()), os.Remove(path)))
}

// renameCreate is logrotate's create: the daemon reopens later.
func (w *writer) renameCreate(old string) {
	w.must(os.Rename(w.path, old))
	w.write(5)
	file, err := os.OpenFile(w.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	w.must(err)
	file.Close()
	w.write(5)
	w.reopen()
}

func (w *writer) copyTruncate(old string) {
	text, err := os.ReadFile(w.path)
	w.must(err)
	half := len(text) / 2
	copied, err := os.Create(old)
	w.must(err)
	_, err = copied.Write(text[:half])
	w.must(err)
	_, err = copied.Write(text[half:])
	w.must(errors.Join(err, copied.Close(), os.Truncate(w.path, 0)))
}

func (w *writer) dated() string {
	w.days++
	return fmt.Sprintf("%s-202611%02d", w.path, w.days)
}

// rotations are what logrotate does with nothing lost.
var rotations = map[string]func(*writer){
	"create": func(w *writer) { w.shift(); w.renameCreate(w.path + ".1") },
	"create, compress": func(w *writer) {
		w.shift()
		w.renameCreate(w.path + ".1")
		w.compress(w.path + ".1")
	},
	"create, delaycompress": func(w *writer) {
		if _, err := os.Stat(w.path + ".1"); err == nil {
			w.compress(w.path + ".1")
		}
		w.shift()
		w.renameCreate(w.path + ".1")
	},
	"create, dateext":           func(w *writer) { w.renameCreate(w.dated()) },
	"create, dateext, compress": func(w *writer) { old := w.dated(); w.renameCreate(old); w.compress(old) },
	"copytruncate":              func(w *writer) { w.shift(); w.copyTruncate(w.path + ".1") },
	"copytruncate, compress": func(w *writer) {
		w.shift()
		w.copyTruncate(w.path + ".1")
		w.compress(w.path + ".1")
	},
	"copytruncate, dateext": func(w *writer) { w.copyTruncate(w.dated()) },
}

// reader collects what a follower hands out, and stores the last cursor with it.
type reader struct {
	mu      sync.Mutex
	lines   []string
	cursor  input.Cursor
	batches int
	grown   chan struct{}
}

func newReader() *reader { return &reader{grown: make(chan struct{}, 1)} }

func (r *reader) take(b input.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.Text != "" {
		r.lines = append(r.lines, strings.SplitAfter(strings.TrimSuffix(b.Text, "\n"), "\n")...)
		r.lines[len(r.lines)-1] += "\n"
	}
	r.cursor = b.Cursor
	r.batches++
	select {
	case r.grown <- struct{}{}:
	default:
	}
}

func (r *reader) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines)
}

// wait returns when n lines have come.
func (r *reader) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for r.len() < n {
		select {
		case <-r.grown:
		case <-deadline:
			t.Errorf("after 20 s %d of %d lines have come", r.len(), n)
			return
		}
	}
}

func (r *reader) check(t *testing.T, n int) {
	t.Helper()
	want := make([]string, n)
	for i := range want {
		want[i] = line(i + 1)
	}
	for i := range min(len(want), len(r.lines)) {
		if want[i] != r.lines[i] {
			t.Fatalf("line %d of %d is %q, want %q", i+1, len(r.lines), r.lines[i], want[i])
		}
	}
	if len(r.lines) != n {
		t.Fatalf("%d lines, want %d", len(r.lines), n)
	}
}

var errKilled = errors.New("killed")

// follow runs a follower from the stored cursor until ctx ends or, with kill
// set, at its batch number kill.
func (r *reader) follow(ctx context.Context, t *testing.T, o Options, kill int) input.Input {
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	source, err := New(o)
	if err != nil {
		t.Error(err)
		return nil
	}
	err = source.Follow(ctx, r.cursor, func(b input.Batch) error {
		r.take(b)
		if kill--; kill == 0 {
			return errKilled
		}
		return nil
	})
	if !errors.Is(err, errKilled) && !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: %v", err)
	}
	return source
}

// Every rotation, at random moments of writing and reading, with the follower
// killed and started again at random moments: each line once, in order.
func TestRotationLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, name := range slices.Sorted(mapKeys(rotations)) {
		for seed := range uint64(12) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) { testRotation(t, rotations[name], seed) })
		}
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func testRotation(t *testing.T, rotate func(*writer), seed uint64) {
	w, r := newWriter(t, seed), newReader()
	o := Options{Globs: []string{w.path}, Back: time.Hour, Quiet: time.Millisecond}
	stopped := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(stopped)
		rng := rand.New(rand.NewPCG(seed, 2))
		for ctx.Err() == nil {
			r.follow(ctx, t, o, 1+rng.IntN(6))
		}
	}()
	for range 6 {
		w.write(200)
		if w.rng.IntN(2) == 0 {
			r.wait(t, w.count)
		}
		rotate(w)
	}
	w.write(100)
	r.wait(t, w.count)
	stop()
	<-stopped
	r.check(t, w.count)
}

// The follower is down while the log rotates, several times.
func TestRotationWhileDown(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, name := range slices.Sorted(mapKeys(rotations)) {
		for seed := range uint64(8) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				w, r := newWriter(t, seed), newReader()
				o := Options{Globs: []string{w.path}, Back: time.Hour, Quiet: time.Millisecond}
				for range 4 {
					ctx, stop := context.WithCancel(t.Context())
					done := make(chan struct{})
					go func() { defer close(done); r.follow(ctx, t, o, 0) }()
					w.write(300)
					r.wait(t, w.count-w.rng.IntN(20))
					stop()
					<-done
					for range w.rng.IntN(3) {
						w.write(40)
						rotations[name](w)
					}
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); r.follow(ctx, t, o, 0) }()
				r.wait(t, w.count)
				stop()
				<-done
				r.check(t, w.count)
			})
		}
	}
}

// The follower starts while copytruncate makes its copy, which ends in the middle of a line
// then: nothing of it is new.
func TestStartWhileCopied(t *testing.T) {
	for _, part := range []int{1, 2, 3} {
		w, r := newWriter(t, 1), newReader()
		o := Options{Globs: []string{w.path}, Back: time.Hour, Quiet: time.Millisecond}
		run := func(during func()) {
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); r.follow(ctx, t, o, 0) }()
			during()
			stop()
			<-done
		}
		run(func() {
			for w.count < 100 {
				w.write(50)
			}
			r.wait(t, w.count)
		})
		text, err := os.ReadFile(w.path)
		w.must(err)
		copied, err := os.Create(w.dated())
		w.must(err)
		half := len(text)*part/4 + 5
		_, err = copied.Write(text[:half])
		w.must(err)
		run(func() {
			for before := w.count; w.count == before; {
				w.write(5)
			}
			r.wait(t, w.count)
			live, err := os.ReadFile(w.path)
			w.must(err)
			_, err = copied.Write(live[half:])
			w.must(errors.Join(err, copied.Close(), os.Truncate(w.path, 0)))
			for before := w.count; w.count == before; {
				w.write(50)
			}
			r.wait(t, w.count)
		})
		r.check(t, w.count)
	}
}

// copytruncate's copy is looked at twice: for one position while it has only
// begun, and for another once the live file is truncated. Then it is complete.
func TestResumeInACopyThatHasGrown(t *testing.T) {
	text := ""
	for n := range 200 {
		text += line(n)
	}
	p := position{Offset: int64(len(text)), Head: fingerprintOf([]byte(text[:headSize])), Mark: fingerprintOf([]byte(text[len(text)-markSize:]))}
	for _, begun := range []int{0, 100, len(text) / 2, len(text)} {
		t.Run(fmt.Sprint(begun), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mail.log")
			copied, err := os.Create(path + ".1")
			if err != nil {
				t.Fatal(err)
			}
			defer copied.Close()
			write := func(part string) {
				if _, err := io.WriteString(copied, part); err != nil {
					t.Fatal(err)
				}
			}
			write(text[:begun])
			members, err := family(path)
			if err != nil || len(members) != 1 {
				t.Fatalf("%d files, %v, want 1 members", len(members), err)
			}
			defer closeUnused(members)
			if i, _ := find(members, position{Head: fingerprintOf([]byte("another"))}, true); i >= 0 {
				t.Fatal("another log was found")
			}
			write(text[begun:])
			i, found := find(members, p, true)
			if i != 0 || found.Offset != p.Offset || found.lag() != 0 || found.empty {
				t.Fatalf("number %d, %+v, want 0, Offset %v, lag 0, empty false", i, found, p.Offset)
			}
			members[0].lent = false
		})
	}
}

// copytruncate truncates at any moment of the look at its files: either the copy is
// read, or the live file is known by the start that it had then.
func TestTruncatedWhileLookedAt(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	old, fresh := strings.Repeat(line(1), 20), strings.Repeat(line(2), 40)
	path := filepath.Join(t.TempDir(), "mail.log")
	for n := range 400 {
		for _, name := range []string{path, path + ".1"} {
			if err := os.WriteFile(name, []byte(old), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := &log{path: path, back: time.Hour, clock: input.WallClock{}, meter: input.NewMeter("", nil), firstStart: true, waker: newWaker()}
		members, err := family(path)
		if err != nil {
			t.Fatal(err)
		}
		truncated := make(chan error)
		go func() {
			for range n * 20 { // a little later each time
				runtime.Gosched()
			}
			truncated <- os.WriteFile(path, []byte(fresh), 0o600)
		}()
		next, err := l.match(members)
		if err := <-truncated; err != nil {
			t.Fatal(err)
		}
		if err == nil {
			l.adopt(next, members)
			live := l.tails[len(l.tails)-1]
			if len(l.tails) == 1 && (len(live.expect) == 0 || !strings.HasPrefix(old, string(live.expect))) {
				t.Errorf("try %d: the copy is passed over, and the live file begins with %.60q", n, live.expect)
			}
		} else {
			l.abandon(next, members)
		}
		l.close()
		l.waker.close()
	}
}

// A cursor that was stored in the middle of a rotation knows one file twice, as the log
// that was truncated and as its copy. If the copy was read to its end, nothing is lost.
func TestFinishedCopyIsNoLoss(t *testing.T) {
	text := ""
	for n := range 200 {
		text += line(n)
	}
	at := func(offset int, isDone bool) position {
		return position{
			Inode: 1, Offset: int64(offset), Done: isDone,
			Head: fingerprintOf([]byte(text[:headSize])), Mark: fingerprintOf([]byte(text[offset-markSize : offset])),
		}
	}
	half := strings.Index(text[len(text)/2:], "\n") + len(text)/2 + 1
	for name, tt := range map[string]struct {
		positions []position
		kept      bool
		losses    int
	}{
		"read to its end":         {[]position{at(len(text), true), at(half, false)}, true, 0},
		"read on":                 {[]position{at(len(text), false), at(half, false)}, true, 0},
		"gone, and read half":     {[]position{at(half, false)}, false, 1},
		"gone, and read twice":    {[]position{at(len(text), false), at(half, false)}, false, 2},
		"gone, and of it the end": {[]position{at(len(text), true)}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mail.log")
			put(t, path, strings.Repeat(line(999), 30))
			if tt.kept {
				put(t, path+".1", text)
			}
			l := &log{path: path, positions: tt.positions, clock: input.WallClock{}, meter: input.NewMeter("", nil), waker: newWaker()}
			defer l.waker.close()
			members, err := family(path)
			if err != nil {
				t.Fatal(err)
			}
			next, err := l.match(members)
			if err != nil || len(next.losses) != tt.losses {
				t.Errorf("got losses %v, %v, want %d", next.losses, err, tt.losses)
			}
			l.abandon(next, members)
		})
	}
}
