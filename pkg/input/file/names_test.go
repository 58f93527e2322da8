package file

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// stamped are lines as a log has them: no two are alike.
func stamped(from, to int) string {
	var text strings.Builder
	for n := from; n <= to; n++ {
		text.WriteString("Jun  3 04:11:09 mx1 postfix/smtpd[1]: line " + strings.Repeat("0", n%7) + time.Duration(n).String() + "\n")
	}
	return text.String()
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// A glob that also matches what is rotated away, or kept under a name that is no
// rotation's, hands each line out once. Each case goes on from 20 lines of mail.log
// that were read, and ends with lines 21 to 40 read.
func TestEachLineOnceWhateverTheName(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, during := range map[string]func(t *testing.T, r *running, path string){
		"renamed and created": func(t *testing.T, r *running, path string) {
			move(t, path, path+".1")
			put(t, path, stamped(21, 40))
		},
		"renamed, and created later": func(t *testing.T, r *running, path string) {
			move(t, path, path+".1")
			put(t, path+".1", stamped(21, 25))
			r.wait(t, 25)
			time.Sleep(50 * time.Millisecond)
			put(t, path, stamped(26, 40))
		},
		"renamed to a name of its own": func(t *testing.T, r *running, path string) {
			move(t, path, path+".old")
			put(t, path+".old", stamped(21, 25))
			r.wait(t, 25)
			put(t, path, stamped(26, 40))
		},
		"copied to a name of its own": func(t *testing.T, r *running, path string) {
			put(t, path+".bak", stamped(1, 20))
			put(t, path, stamped(21, 40))
		},
		"copied while it grows": func(t *testing.T, r *running, path string) {
			put(t, path+".bak", stamped(1, 10))
			put(t, path, stamped(21, 40))
		},
		"linked": func(t *testing.T, r *running, path string) {
			link(t, path, path+".link")
			put(t, path, stamped(21, 40))
		},
		"linked hard": func(t *testing.T, r *running, path string) {
			if err := os.Link(path, path+".same"); err != nil {
				t.Fatal(err)
			}
			put(t, path, stamped(21, 40))
		},
		"another log comes": func(t *testing.T, r *running, path string) {
			put(t, path+"-other", stamped(21, 40))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mail.log")
			put(t, path, stamped(1, 20))
			r := start(t, Options{Globs: []string{path + "*"}, Back: time.Hour, Quiet: 100 * time.Millisecond}, "")
			r.wait(t, 20)
			during(t, r, path)
			r.wait(t, 40)
			time.Sleep(300 * time.Millisecond) // for what would come twice
			r.stop()
			if got := r.text(); got != stamped(1, 40) {
				t.Errorf("got %s", got)
			}
			if drops := r.source.Status().Drops; len(drops) > 0 {
				t.Errorf("drops %v, want no drops", drops)
			}
			next := start(t, Options{Globs: []string{path + "*"}, Quiet: 100 * time.Millisecond}, r.cursor)
			put(t, path, stamped(41, 45))
			next.wait(t, 5)
			time.Sleep(100 * time.Millisecond)
			if got := next.text(); got != stamped(41, 45) {
				t.Errorf("after a restart %s, want %s", got, stamped(41, 45))
			}
		})
	}
}

// A log that the configuration names otherwise goes on where it was read to. Each
// case says what happens to a log of 20 lines, read as mail.log, and under which
// globs it is followed then.
func TestLogUnderAnotherName(t *testing.T) {
	type names struct{ dir, log string }
	for name, tt := range map[string]struct {
		change func(t *testing.T, n names)
		globs  []string
		want   string
	}{
		"another glob": {func(t *testing.T, n names) { put(t, n.log, stamped(21, 30)) }, []string{"mail*.log"}, stamped(21, 30)},
		"two names":    {func(t *testing.T, n names) { put(t, n.log, stamped(21, 30)) }, []string{"mail.log", "mail.err"}, stamped(21, 30)},
		"a link to it": {func(t *testing.T, n names) { link(t, n.log, n.dir+"/link"); put(t, n.log, stamped(21, 30)) }, []string{"link"}, stamped(21, 30)},
		"a link to its folder": {func(t *testing.T, n names) {
			link(t, n.dir, n.dir+"/here")
			put(t, n.log, stamped(21, 30))
		}, []string{"here/mail.log"}, stamped(21, 30)},
		"moved": {func(t *testing.T, n names) {
			move(t, n.log, n.dir+"/post.log")
			put(t, n.dir+"/post.log", stamped(21, 30))
		}, []string{"post.log"}, stamped(21, 30)},
		"copied to another file system": {func(t *testing.T, n names) {
			put(t, n.dir+"/post.log", stamped(1, 30))
		}, []string{"post.log"}, stamped(21, 30)},
		"rotated meanwhile": {func(t *testing.T, n names) {
			put(t, n.log, stamped(21, 25))
			move(t, n.log, n.log+".1")
			put(t, n.log, stamped(26, 30))
		}, []string{"mail.log*"}, stamped(21, 30)},
		"rotated and compressed meanwhile": {func(t *testing.T, n names) {
			put(t, n.log, stamped(21, 25))
			move(t, n.log, n.log+".1")
			(&writer{t: t}).compress(n.log + ".1")
			put(t, n.log, stamped(26, 30))
		}, []string{"mail.*"}, stamped(21, 30)},
		"another log": {func(t *testing.T, n names) { put(t, n.dir+"/post.log", stamped(101, 130)) }, []string{"post.log"}, stamped(101, 130)},
		"another log that begins alike": {func(t *testing.T, n names) {
			put(t, n.dir+"/post.log", stamped(1, 1)+stamped(101, 140))
		}, []string{"post.log"}, stamped(1, 1) + stamped(101, 140)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			n := names{dir, filepath.Join(dir, "mail.log")}
			put(t, n.log, stamped(1, 20))
			r := start(t, Options{Globs: []string{n.log}, Back: time.Hour}, "")
			r.wait(t, 20)
			r.stop()
			tt.change(t, n)
			o := Options{Back: time.Hour}
			for _, glob := range tt.globs {
				o.Globs = append(o.Globs, filepath.Join(dir, glob))
			}
			next := start(t, o, ReadElsewhere("", []input.Cursor{r.cursor, `{"entry":"x","micros":1}`, "rubbish"}))
			next.wait(t, strings.Count(tt.want, "\n"))
			time.Sleep(100 * time.Millisecond)
			next.stop()
			if got := next.text(); got != tt.want {
				t.Errorf("got %s", got)
			}

			// And back: the position under the first name is old by now.
			if tt.globs[0] != "mail*.log" {
				return
			}
			put(t, n.log, stamped(31, 35))
			back := start(t, Options{Globs: []string{n.log}, Back: time.Hour}, ReadElsewhere(r.cursor, []input.Cursor{next.cursor}))
			back.wait(t, 5)
			time.Sleep(100 * time.Millisecond)
			back.stop()
			if got := back.text(); got != stamped(31, 35) {
				t.Errorf("back under the first name %s, want %s", got, stamped(31, 35))
			}
			if drops := back.source.Status().Drops; len(drops) > 0 {
				t.Errorf("drops %v, want no drops", drops)
			}
		})
	}
}

func TestReadElsewhereKeepsTheFirstStart(t *testing.T) {
	for _, others := range [][]input.Cursor{nil, {""}, {"rubbish"}, {`{"v":1,"globs":["a"],"logs":{}}`}, {`{"v":9,"globs":["a"],"logs":{"a":[{"off":1}]}}`}} {
		if got := ReadElsewhere("", others); got != "" {
			t.Errorf("%q gives %q, want \"\"", others, got)
		}
	}
}

// blind is a waker as systems without inotify(7) have it.
type blind struct{ waker }

func (blind) wake() <-chan struct{} { return nil }
func (blind) foldersChanged() bool  { return true }
func (blind) folder(string)         {}
func (blind) file(*os.File) int     { return -1 }
func (blind) forget(int)            {}
func (blind) sees() bool            { return false }

func TestFollowsByPolling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	put(t, path, stamped(1, 10))
	r := start(t, Options{Globs: []string{path}, Back: time.Hour, Quiet: 100 * time.Millisecond, waker: blind{}}, "")
	put(t, path, stamped(11, 20))
	r.wait(t, 20)
	move(t, path, path+".1")
	put(t, path, stamped(21, 30))
	r.wait(t, 30)
	r.stop()
	if got := r.text(); got != stamped(1, 30) {
		t.Errorf("got %s", got)
	}
}

// A cursor comes back as it was, also the JSON of an older csmail. Bytes that no csmail
// writes are refused.
func TestCursorComesBack(t *testing.T) {
	at := time.Date(2026, 6, 3, 4, 11, 9, 5, time.UTC)
	p := position{Device: 1 << 40, Inode: 7, Offset: 99, Head: fingerprintOf([]byte("head")), Mark: fingerprintOf([]byte("mark")), Inside: true, Seen: at, Done: true}
	want := filesCursor{
		Time: at, Globs: []string{"/var/log/mail.log*"}, Logs: map[string][]position{"/var/log/mail.log": {p, {Seen: at}}}, Elsewhere: []position{p},
	}
	got, err := decodeFilesCursor(want.encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and error %v, want %+v", got, err, want)
	}
	older := want
	older.Version = filesVersion
	text, err := json.Marshal(older)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeFilesCursor(input.Cursor(text)); err != nil || !reflect.DeepEqual(got, older) {
		t.Errorf("older: got %+v and error %v, want %+v", got, err, older)
	}
	want.Elsewhere[0].Offset = -1
	for _, bad := range []input.Cursor{filesPrefix, filesPrefix + "AAAA", filesPrefix + "!", want.encode(), want.encode() + "AAAA"} {
		if _, err := decodeFilesCursor(bad); err == nil || hint.Of(err) == "" {
			t.Errorf("%.40q: got error %v, want one with a hint", bad, err)
		}
	}
}
