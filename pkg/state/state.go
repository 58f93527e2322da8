// Package state keeps the daemon's durable data in one bbolt file: the journal of the
// engine's inputs, checkpoints of the engine, how far each source was read, the alerts
// that are to be delivered (outbox), those that could not be (parked) or are kept back
// (held), and the history of delivered alerts.
//
// Data that belongs together is written in one transaction. After a crash at any moment
// the newest checkpoint, the inputs after it, the cursors and the lists agree with one
// another. For example, an alert enters the outbox in the same transaction as the input
// that caused it.
//
// The structure of the file is checked before it is opened, its values when they are
// read. The file has one owner. The package reads no log, knows no LAPI, runs no
// goroutine, and never repairs a damaged file: it reports the damage and leaves the file
// alone.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"csmail/pkg/hint"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// schema is the version of the file's layout. One that is older is brought up to it;
// from version 2 on cursors and keys have checksums, from 3 on the indexes and the
// mark, too; version 4 has the bucket of days, 5 that of batches to send, 6 those of what is
// kept and of a draft; from 7 on days and large values have a bucket each.
const schema = 7

// The limits of the lists. When one is full, its oldest entry goes into the
// history as dropped, and is counted.
const (
	DefaultMaxPending = 20_000
	DefaultMaxHeld    = 5_000
)

// Keep is how long the history is kept if the options do not say.
const Keep = 30 * 24 * time.Hour

var (
	// ErrLocked means that another process has the file open.
	ErrLocked = errors.New("the state file is in use")

	// ErrDamaged means that the file is not in csmail's format, or no longer. After it the store
	// refuses every call.
	ErrDamaged = errors.New("the state file is damaged")

	// ErrNewer says that a newer csmail wrote the file.
	ErrNewer = errors.New("the state file is of a newer csmail")

	// ErrUnknown means that no entry has the given ID.
	ErrUnknown = errors.New("no such alert")
)

// Options of [Open]. The zero value suits the daemon.
type Options struct {
	ReadOnly bool          // look only, while no daemon runs; the file must be there
	Timeout  time.Duration // to wait for another owner to end; default 2 s

	MaxPending int           // entries in outbox and in parked, each; default DefaultMaxPending
	MaxHeld    int           // default DefaultMaxHeld
	History    time.Duration // how long the history is kept; default Keep
}

// Store is an open state file. It is safe for concurrent use. Its parts share the file
// and its transactions.
type Store struct {
	*file
	journal
	lists
	history
	days
	sending
}

func newStore(path string, o Options) *Store {
	f := &file{path: path, options: o.withDefaults()}
	s := &Store{file: f, lists: lists{f}, days: days{f}, sending: sending{f}}
	s.journal = journal{file: f, lists: &s.lists}
	s.history = history{file: f, lists: &s.lists}
	return s
}

// file is the file below a Store: it creates, opens and verifies it, runs transactions,
// and keeps the figures. From the first damage on every call fails.
type file struct {
	path    string
	options Options
	db      *bolt.DB

	writing sync.Mutex // from a transaction's begin until it is counted

	mu     sync.Mutex // guards the fields below
	mark   Mark       // after the newest input
	out    outgoing
	stats  Stats
	broken error // ErrDamaged, once seen
}

// Open opens the file, and creates it, and its folder, unless it is opened for
// reading only. Errors are ErrLocked, ErrDamaged, ErrNewer or the system's, and
// carry a hint. The caller calls Close.
func Open(path string, o Options) (*Store, error) {
	s := newStore(path, o)
	if err := s.prepare(); err != nil {
		return nil, s.explain("open", err)
	}
	if err := guarded(s.open); err != nil {
		return nil, s.explain("open", err)
	}
	if err := guarded(s.load); err != nil {
		err = s.explain("open", err)
		if !errors.Is(err, ErrDamaged) {
			s.db.Close()
		}
		return nil, err
	}
	if err := s.closeToOthers(); err != nil {
		return nil, errors.Join(s.explain("open", err), s.db.Close())
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.MaxPending <= 0 {
		o.MaxPending = DefaultMaxPending
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = DefaultMaxHeld
	}
	if o.History <= 0 {
		o.History = Keep
	}
	return o
}

const ownerOnly = 0o600

// prepare sees to folder and permissions: the file holds log lines.
func (s *file) prepare() error {
	if s.options.ReadOnly {
		_, err := os.Stat(s.path)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if isToCreate(info, err) {
		return s.create()
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%q is no regular file", s.path)
	}
	return nil
}

// closeToOthers sets the mode of a file after it was recognised as csmail's. A file of
// another program keeps its mode.
func (s *file) closeToOthers() error {
	if s.options.ReadOnly {
		return nil
	}
	info, err := os.Stat(s.path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(s.path, ownerOnly)
}

// open checks the file's structure and only then opens it with bbolt, because bbolt may
// panic on a damaged page.
func (s *file) open() error {
	info, err := os.Stat(s.path)
	if err == nil && info.Size() > 0 {
		if err := checkStructure(s.path, s.options.Timeout); err != nil {
			return err
		}
	}
	options := *bolt.DefaultOptions
	options.ReadOnly = s.options.ReadOnly
	options.Timeout = s.options.Timeout
	options.FreelistType = bolt.FreelistMapType
	// The list of free pages stays in the file. Without it bbolt reads the whole file in
	// a goroutine of its own, and a panic in that goroutine, on a damaged page, could
	// not be recovered.
	options.NoFreelistSync = false
	db, err := bolt.Open(s.path, ownerOnly, &options)
	s.db = db
	if err == nil || errors.Is(err, berrors.ErrTimeout) || isSystem(err) {
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// isSystem reports whether an error is the operating system's.
func isSystem(err error) bool {
	_, onPath := errors.AsType[*fs.PathError](err)
	_, bare := errors.AsType[syscall.Errno](err)
	return onPath || bare || isFull(err)
}

// Close releases the file. After damage was seen it does nothing, because bbolt could
// block without end; the file is then released when the process ends.
func (s *file) Close() error {
	if s.damage() != nil {
		return nil
	}
	return s.explain("close", s.db.Close())
}

// guarded turns a panic of bbolt's on a damaged file, or a fault in the mapped
// memory of a file that was cut, into an error.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return f()
}

// damage returns the damage that was seen, or nil. From then on every call fails with
// it.
func (s *file) damage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// update runs one transaction, all of it or nothing, and counts its effect once it is on
// the disk.
func (s *file) update(what string, f func(*bolt.Tx, *change) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var counted change
	err := s.run(what, func() error {
		return s.db.Update(func(tx *bolt.Tx) error { return f(tx, &counted) })
	})
	if err == nil {
		s.apply(counted)
	}
	return err
}

// view runs a read-only transaction.
func (s *file) view(what string, f func(*bolt.Tx) error) error {
	return s.run(what, func() error { return s.db.View(f) })
}

// run calls f unless the file is damaged. It turns a panic of bbolt into an error,
// explains errors, and remembers damage.
func (s *file) run(what string, f func() error) error {
	if err := s.damage(); err != nil {
		return err
	}
	err := s.explain(what, guarded(f))
	if errors.Is(err, ErrDamaged) {
		s.mu.Lock()
		s.broken = err
		s.mu.Unlock()
	}
	return err
}

// explain gives an error its noun and its hint.
func (s *file) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, ErrUnknown):
		return hint.Wrap(err, "csmail outbox list and csmail held list show the IDs")
	case errors.Is(err, berrors.ErrTimeout):
		owner := ownerOf(s.path)
		return hint.Wrap(fmt.Errorf("state %q: %w by %s", s.path, ErrLocked, owner),
			"one csmail a state file: systemctl status csmail; or give this one another: state: PATH in csmail.yaml")
	case errors.Is(err, ErrNewer):
		return hint.Wrap(fmt.Errorf("state %q: %w", s.path, err), "run the newer csmail, or move the file away and lose what it holds")
	case isDamage(err):
		return hint.Wrap(fmt.Errorf("state %q: %s: %w: %w", s.path, what, ErrDamaged, err),
			"move it away: mv %s %[1]s.damaged; csmail then starts anew and reads the last day's logs again", s.path)
	case isFull(err):
		return hint.Wrap(fmt.Errorf("state %q: %s: %w", s.path, what, err), "free space: df %s; nothing is lost meanwhile", filepath.Dir(s.path))
	case errors.Is(err, syscall.EROFS):
		return hint.Wrap(fmt.Errorf("state %q: %s: %w", s.path, what, err),
			"a file system that fails is mounted read-only: sudo dmesg; nothing is lost meanwhile")
	case errors.Is(err, fs.ErrPermission):
		return hint.Wrap(fmt.Errorf("state: %s: %w", what, err), "run as the user csmail, or: sudo chown csmail %s", s.path)
	case errors.Is(err, fs.ErrNotExist):
		return hint.Wrap(fmt.Errorf("state: %s: %w", what, err), "csmail run writes it; another path is given by state: PATH in csmail.yaml")
	}
	return fmt.Errorf("state %q: %s: %w", s.path, what, err)
}

// isDamage reports whether the error means that the file is not in the format of csmail
// and bbolt. A full disk, for example, is no damage.
func isDamage(err error) bool {
	for _, kind := range []error{errDamaged, berrors.ErrInvalid, berrors.ErrVersionMismatch, berrors.ErrChecksum, berrors.ErrInvalidMapping} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// isFull goes by the text too: where bbolt grows the file it does not wrap the
// system's error (db.grow, v1.5.0).
func isFull(err error) bool {
	for _, kind := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, kind) || strings.Contains(err.Error(), kind.Error()) {
			return true
		}
	}
	return false
}
