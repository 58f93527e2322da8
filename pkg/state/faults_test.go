package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/hint"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

func TestPermissions(t *testing.T) {
	p := filepath.Join(t.TempDir(), "new", "csmail.db")
	s := open(t, p, Options{})
	must(t, os.Chmod(p, 0o644))
	reopen(t, s, Options{})
	info, err := os.Stat(p)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want Perm 0o600", info.Mode(), err)
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "is no regular file") {
		t.Errorf("a folder: %v, want an error containing \"is no regular file\"", err)
	}
}

func TestSecondOwner(t *testing.T) {
	t.Parallel()
	p := path(t)
	held := exec.Command(os.Args[0])
	held.Env = append(os.Environ(), owner+"="+p)
	out, err := held.StdoutPipe()
	must(t, err)
	_, err = held.StdinPipe()
	must(t, err)
	must(t, held.Start())
	defer func() {
		must(t, held.Process.Kill())
		_ = held.Wait() // killed
	}()
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		_, err = Open(p, Options{ReadOnly: readOnly, Timeout: 100 * time.Millisecond})
		want := fmt.Sprintf("state %q: the state file is in use by process %d (state.test)", p, held.Process.Pid)
		if !errors.Is(err, ErrLocked) || err.Error() != want {
			t.Errorf("read only %t: %v, want %s", readOnly, err, want)
		}
		if want := "one csmail a state file: systemctl status csmail; or give this one another: state: PATH in csmail.yaml"; hint.Of(err) != want {
			t.Errorf("hint %q, want hint %q", hint.Of(err), want)
		}
	}
}

func TestLockHolder(t *testing.T) {
	const locks = "1: POSIX  ADVISORY  WRITE 7 08:01:42 0 EOF\n2: FLOCK  ADVISORY  WRITE 99 08:01:142 0 EOF\n" +
		"2: -> FLOCK  ADVISORY  WRITE 5 08:01:42 0 EOF\n3: FLOCK  ADVISORY  WRITE 1234 00:2f:42 0 EOF\n4: FLOCK ADVISORY\n"
	for inode, want := range map[uint64]string{42: "1234", 142: "99", 2: "", 1: ""} {
		if got := lockHolder(locks, inode); got != want {
			t.Errorf("inode %d: %q, want %q", inode, got, want)
		}
	}
}

func TestReadOnly(t *testing.T) {
	p := path(t)
	_, err := Open(p, Options{ReadOnly: true})
	if !errors.Is(err, os.ErrNotExist) || hint.Of(err) != "csmail run writes it; another path is given by state: PATH in csmail.yaml" {
		t.Errorf("missing: %v (%s), want %q, hint \"csmail run writes it; another path is given by state: PATH in csmail.yaml\"",
			err, hint.Of(err), os.ErrNotExist)
	}
	s := open(t, p, Options{})
	must(t, s.Commit(Batch{Alerts: entries(1, 1)}))
	must(t, s.Close())
	one, two := open(t, p, Options{ReadOnly: true}), open(t, p, Options{ReadOnly: true})
	wantLists(t, one, "1", "", "")
	wantLists(t, two, "1", "", "")
	if err := one.Commit(Batch{Alerts: entries(2, 2)}); !errors.Is(err, berrors.ErrDatabaseReadOnly) {
		t.Errorf("commit: %v, want %q", err, berrors.ErrDatabaseReadOnly)
	}
}

// alone is true in a process of the test's own, which it starts and reports for:
// the limit of fillDisk holds for every file, that in which the go command has a
// test write down what it reads among them.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(single) == t.Name() {
		return true
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), single+"="+t.Name())
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("got %v\n%s, want it to contain %q", err, out, "--- PASS: "+t.Name()+" ")
	}
	return false
}

// single names the test that a process of this binary is for.
const single = "CSMAIL_TEST_ALONE"

// fillDisk makes a full disk of a limit on the size of files: the system then
// refuses to let a file grow, as it does when no block is left.
func fillDisk(t *testing.T, size int64) (free func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	limit := before
	setLimit(&limit.Cur, size)
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	return func() {
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
		signal.Reset(syscall.SIGXFSZ)
	}
}

// setLimit sets a limit, which has a sign on FreeBSD only.
func setLimit[T int64 | uint64](limit *T, size int64) { *limit = T(size) }

// However far a new file got on a full disk, the next start goes on from there.
func TestOpenOnFullDisk(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	refused := 0
	for pages := range int64(12) {
		p := path(t)
		free := fillDisk(t, pages*4096)
		s, err := Open(p, Options{})
		free()
		if err == nil {
			must(t, s.Close())
		} else {
			refused++
			if !isFull(err) || errors.Is(err, ErrDamaged) || hint.Of(err) != "free space: df "+filepath.Dir(p)+"; nothing is lost meanwhile" {
				t.Errorf("room for %d pages: %v (%s)", pages, err, hint.Of(err))
			}
		}
		s, err = Open(p, Options{})
		if err != nil {
			t.Errorf("after room for %d pages: %v", pages, err)
			continue
		}
		must(t, s.Commit(Batch{Alerts: entries(1, 1)}))
		must(t, s.Close())
	}
	if refused == 0 {
		t.Error("the disk was never full")
	}
}

// A file that lacks nothing opens without a write.
func TestReopenOnFullDisk(t *testing.T) {
	if !alone(t) {
		return
	}
	p := path(t)
	s := open(t, p, Options{})
	must(t, s.Commit(Batch{Alerts: entries(1, 1)}))
	must(t, s.Close())
	free := fillDisk(t, 0)
	s, err := Open(p, Options{})
	free()
	must(t, err)
	wantLists(t, s, "1", "", "")
	must(t, s.Close())
}

func TestFullDisk(t *testing.T) {
	if !alone(t) {
		return
	}
	p := path(t)
	s := open(t, p, Options{})
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}, Cursors: map[string]string{"mail.log": "1"}, Alerts: entries(1, 1)}))

	free := fillDisk(t, s.Stats().FileBytes)
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	big := record(2)
	big.Record.Message = string(random)
	batch := Batch{Inputs: []Input{big}, Cursors: map[string]string{"mail.log": "2"}, Alerts: entries(2, 2)}
	var errs []error
	for range 3 {
		errs = append(errs, s.Commit(batch))
	}
	mark := s.Mark()
	free()
	for _, err := range errs {
		if !isFull(err) || hint.Of(err) != "free space: df "+filepath.Dir(p)+"; nothing is lost meanwhile" {
			t.Fatalf("%v (%s)", err, hint.Of(err))
		}
	}
	lines, cursors := recovered(t, s)
	if mark != 1 || len(lines) != 1 || cursors["mail.log"] != "1" {
		t.Errorf("half done: mark %d, %d lines, %v, want mark 1, 1 lines, cursors 1", mark, len(lines), cursors)
	}
	wantLists(t, s, "1", "", "")

	must(t, s.Commit(batch))
	s = reopen(t, s, Options{})
	if lines, cursors := recovered(t, s); len(lines) != 2 || cursors["mail.log"] != "2" {
		t.Errorf("after it: %d lines, %v, want 2 lines, cursors 2", len(lines), cursors)
	}
	wantLists(t, s, "1 2", "", "")
}

func TestNewerAndForeignFiles(t *testing.T) {
	newer, foreign, empty, unversioned, odd := path(t), path(t), path(t), path(t), path(t)
	for p, fill := range map[string]func(*bolt.Tx) error{
		newer: func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(metaBucket)
			return errors.Join(err, b.Put(schemaKey, key(schema+1)))
		},
		odd: func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(metaBucket)
			return errors.Join(err, b.Put(schemaKey, key(1<<40)))
		},
		foreign:     func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err },
		unversioned: func(tx *bolt.Tx) error { _, err := tx.CreateBucket(metaBucket); return err },
	} {
		db, err := bolt.Open(p, 0o600, nil)
		must(t, err)
		must(t, db.Update(fill))
		must(t, db.Close())
	}
	must(t, os.WriteFile(empty, nil, 0o600)) // as a process that was killed at its first start leaves it
	open(t, empty, Options{})
	_, err := Open(newer, Options{})
	want := fmt.Sprintf("state %q: the state file is of a newer csmail: its version is %d, this one knows %d", newer, schema+1, schema)
	if !errors.Is(err, ErrNewer) || err.Error() != want || hint.Of(err) == "" {
		t.Errorf("newer: %v, want %q, err %v, a hint", err, ErrNewer, want)
	}
	for _, p := range []string{foreign, unversioned, odd} {
		if _, err := Open(p, Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("got %v, want %q", err, ErrDamaged)
		}
	}
}

// Whatever happens to the bytes of the file: no panic, no fault; either an error
// with a hint or values that were written.
func TestDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	p := path(t)
	s := open(t, p, Options{})
	var inputs []Input
	for n := range 3000 {
		inputs = append(inputs, record(n))
	}
	must(t, s.Commit(Batch{Inputs: inputs, Alerts: entries(1, 60), Held: entries(61, 90), Cursors: map[string]string{"mail.log": "1"}}))
	must(t, s.Checkpoint(bytes.Repeat([]byte("state"), 9999), 0))
	must(t, s.Settle([]Settlement{{Seq: 1, Number: "1", At: now}}))
	must(t, s.Close())
	good, err := os.ReadFile(p)
	must(t, err)
	random := rand.New(rand.NewPCG(7, 7))
	seen := map[string]int{}
	for n := range 150 {
		bad := slices.Clone(good)
		switch n % 3 {
		case 0:
			bad = bad[:random.IntN(len(bad))]
		case 1:
			for range 1 + random.IntN(20) {
				bad[random.IntN(len(bad))] ^= byte(1 + random.IntN(255))
			}
		case 2:
			page := random.IntN(len(bad)/4096) * 4096
			for i := range 4096 {
				bad[page+i] = byte(random.Uint32())
			}
		}
		p := path(t)
		must(t, os.WriteFile(p, bad, 0o600))
		seen[use(t, p)]++
	}
	if seen["damaged"] < 25 || seen["ok"] == 0 {
		t.Errorf("outcomes %v", seen)
	}
}

// use does everything with a file that may be damaged.
func use(t *testing.T, p string) string {
	t.Helper()
	s, err := Open(p, Options{})
	if err == nil {
		defer s.Close()
		err = errors.Join(
			s.Commit(Batch{Inputs: []Input{record(1)}, Alerts: entries(100, 101)}),
			second(s.Recover(whole(func([]byte) error { return nil }), func(Input) error { return nil })),
			second(s.Pending(0, 100)), second(s.Held(0, 100)), second(s.Recent(10)), second(s.History("192.0.2.1", 10)),
			s.Checkpoint([]byte("x"), s.Mark()),
		)
	}
	if err == nil {
		return "ok"
	}
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) { // a byte of the version may have been hit
		t.Errorf("%v", err)
	}
	return "damaged"
}

func second[T any](_ T, err error) error { return err }

// A file that is cut while it is open faults in the mapped memory.
func TestCutWhileOpen(t *testing.T) {
	p := path(t)
	s := open(t, p, Options{})
	var list []Entry
	for n := 1; n <= 200; n++ {
		e := entry(n)
		e.Alert.Message = strings.Repeat("x", 5000)
		list = append(list, e)
	}
	must(t, s.Commit(Batch{Alerts: list}))
	must(t, os.Truncate(p, 4*4096))
	_, err := s.Pending(0, 1000)
	if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(hint.Of(err), "move it away: mv "+p+" ") {
		t.Errorf("got %v (%s), want %q, it to begin with %q", err, hint.Of(err), ErrDamaged, "move it away: mv "+p+" ")
	}
	if err := s.Commit(Batch{Alerts: entries(201, 201)}); !errors.Is(err, ErrDamaged) {
		t.Errorf("afterwards: %v, want %q", err, ErrDamaged)
	}
}

// Numbers must fit the keys that they count.
func TestNumbersThatDoNotAgree(t *testing.T) {
	for name, damage := range map[string]func(*bolt.Tx) error{
		"input 1 is older than the checkpoint's mark 7": func(tx *bolt.Tx) error { return putMark(tx, 7) },
		"outbox holds number 2 and counts 1":            func(tx *bolt.Tx) error { return tx.Bucket(outboxBucket).SetSequence(1) },
	} {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			s := open(t, p, Options{})
			must(t, s.Commit(Batch{Inputs: []Input{record(1)}, Alerts: entries(1, 2)}))
			must(t, s.Close())
			db, err := bolt.Open(p, 0o600, nil)
			must(t, err)
			must(t, db.Update(damage))
			must(t, db.Close())
			if _, err := Open(p, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want %q, it to contain %q", err, ErrDamaged, name)
			}
		})
	}
}

// Many that start at once for the first time agree on one owner, and its file stays:
// what it commits is there at the next start.
func TestManyFirstStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, prepare := range map[string]func(p string) error{
		"no file":               func(string) error { return nil },
		"an empty one":          func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"one of a killed start": func(p string) error { return os.WriteFile(p+".new", []byte("half"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				p := path(t)
				must(t, prepare(p))
				const starts = 24
				results := make(chan *Store, starts)
				begin := make(chan struct{})
				for range starts {
					go func() {
						<-begin
						s, err := Open(p, Options{Timeout: 300 * time.Millisecond})
						if err != nil && !errors.Is(err, ErrLocked) {
							t.Errorf("%v (%s)", err, hint.Of(err))
						}
						results <- s
					}()
				}
				close(begin)
				owners := 0
				for range starts {
					s := <-results
					if s == nil {
						continue
					}
					owners++
					must(t, s.Commit(Batch{Alerts: entries(owners, owners)}))
					defer s.Close()
				}
				if owners != 1 {
					t.Fatalf("%d own the file, want 1", owners)
				}
				left, err := filepath.Glob(p + "*")
				if must(t, err); len(left) != 1 {
					t.Errorf("left: %q, want 1 left", left)
				}
				if _, err := Open(p, Options{Timeout: time.Millisecond}); !errors.Is(err, ErrLocked) {
					t.Errorf("a second owner: %v, want %q", err, ErrLocked)
				}
			}
		})
	}
}

// A file gets its name where there is none, and takes nobody's place.
func TestName(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
	for _, text := range []string{"first", "second"} {
		must(t, os.WriteFile(from, []byte(text), 0o600))
		must(t, publish(from, to))
		if got, err := os.ReadFile(to); string(got) != "first" || err != nil {
			t.Errorf("%s: got %q, %v, want first", text, got, err)
		}
		if _, err := os.Stat(from); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want %q", text, err, os.ErrNotExist)
		}
	}
	if err := publish(from, to+"2"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "rename "+from) {
		t.Errorf("got %v, want %q, it to contain %q", err, os.ErrNotExist, "rename "+from)
	}
}

// A file that is not csmail's is refused before anything of it is changed, by whatever
// name the configuration leads to it.
func TestForeignFileKeepsItsMode(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "passwd")
	text := strings.Repeat("root:x:0:0:root:/root:/bin/sh\n", 1000)
	must(t, os.WriteFile(foreign, []byte(text), 0o644))
	must(t, os.Chmod(foreign, 0o644))
	link := filepath.Join(t.TempDir(), "csmail.db")
	must(t, os.Symlink(foreign, link))
	for _, path := range []string{foreign, link} {
		if s, err := Open(path, Options{}); err == nil {
			s.Close()
			t.Errorf("%s was opened, want an error", path)
		}
		info, err := os.Stat(foreign)
		must(t, err)
		if got, err := os.ReadFile(foreign); err != nil || string(got) != text || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: mode %v, %d bytes, %v, want %v, Perm 0o644", path, info.Mode().Perm(), len(got), err, text)
		}
	}
}

// One's own file that others may read is closed to them.
func TestOwnFileIsClosedToOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "csmail.db")
	s, err := Open(path, Options{})
	must(t, err)
	must(t, s.Close())
	must(t, os.Chmod(path, 0o644))
	s, err = Open(path, Options{})
	must(t, err)
	must(t, s.Close())
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want Perm 0o600", info.Mode().Perm(), err)
	}
}
