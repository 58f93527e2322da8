package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/lapi"
	"csmail/pkg/state"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stored is one alert in the fake LAPI.
type stored struct {
	alert event.Alert
	id    string
	sent  time.Time
	bans  []lapi.Ban

	created time.Time // by the LAPI's clock
}

// fakeLAPI does what the LAPI and its client do together, in memory: it knows
// what it was told before, and breaks down as it is set to.
type fakeLAPI struct {
	mu     sync.Mutex
	alerts []stored
	pushes int
	looks  int
	closed int
	first  int // number of the first alert; another one after the database was replaced

	banFor    time.Duration // by the profiles
	skew      time.Duration // of its clock
	fails     error         // of everything
	hangs     bool          // until the client's timeout
	storeHalf bool          // stores the first half of a push, then fails
	lost      int           // so many pushes are stored, and their answer is lost
	poison    map[string]bool
	full      bool            // takes none
	sick      map[string]bool // alerts on these sources cannot be read
	blurred   map[string]bool // of the decisions on these it does not say when they end
	second    bool            // each alert gets a second decision, of the same kind
	allowlist map[string]bool
}

const clientTimeout = 30 * time.Second

var errDown = fmt.Errorf("%w: dial: connection refused", lapi.ErrUnreachable)

func (f *fakeLAPI) Close() { f.mu.Lock(); defer f.mu.Unlock(); f.closed++ }

func (f *fakeLAPI) trouble(ctx context.Context) error {
	f.mu.Lock()
	hangs, fails := f.hangs, f.fails
	f.mu.Unlock()
	if hangs {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(clientTimeout):
			return fmt.Errorf("%w: no answer", lapi.ErrUnreachable)
		}
	}
	return fails
}

func (f *fakeLAPI) Push(ctx context.Context, alerts []event.Alert, o lapi.PushOptions) ([]lapi.Outcome, error) {
	f.set(func() { f.pushes++ })
	if err := f.trouble(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var outcomes []lapi.Outcome
	for i, a := range alerts {
		if f.storeHalf && i >= len(alerts)/2 {
			return nil, errDown
		}
		outcomes = append(outcomes, f.take(a, o))
	}
	if f.lost > 0 {
		f.lost--
		return nil, fmt.Errorf("%w: connection cut", lapi.ErrUnreachable)
	}
	return f.judge(outcomes)
}

// judge says of several poisoned alerts alone what the client says of them.
func (f *fakeLAPI) judge(outcomes []lapi.Outcome) ([]lapi.Outcome, error) {
	rejected := slices.IndexFunc(outcomes, func(o lapi.Outcome) bool { return o.Status != lapi.Rejected }) < 0
	if rejected && len(outcomes) > 1 {
		return nil, fmt.Errorf("%w: %w", lapi.ErrUnreachable, lapi.ErrTakesNone)
	}
	return outcomes, nil
}

func (f *fakeLAPI) take(a event.Alert, o lapi.PushOptions) lapi.Outcome {
	id := a.ID()
	if o.Renewal > 0 {
		id = fmt.Sprintf("%s-%d", id, o.Renewal)
	}
	for i, s := range f.alerts {
		if s.id == id {
			return lapi.Outcome{Alert: a, Status: lapi.HeldBack, Reason: "told before", ID: fmt.Sprint(f.first + i)}
		}
	}
	if f.allowlist[a.Value()] {
		return lapi.Outcome{Alert: a, Status: lapi.HeldBack, Reason: "allowlisted in the LAPI: office"}
	}
	if f.full || f.poison[a.Value()] {
		return lapi.Outcome{Alert: a, Status: lapi.Rejected, Reason: "the LAPI rejects it: validation"}
	}
	if !o.Until.IsZero() && !o.Until.After(f.now()) {
		return lapi.Outcome{Alert: a, Status: lapi.HeldBack, Reason: "over"}
	}
	s := stored{alert: a, id: id, sent: time.Now(), created: f.now()}
	length := f.banFor
	if o.Duration > 0 {
		length = o.Duration
	}
	if !o.Until.IsZero() {
		length = o.Until.Sub(f.now())
	}
	if length > 0 {
		s.bans = []lapi.Ban{{ID: int64(1000 + len(f.alerts)), Type: "ban", Until: time.Now().Add(f.skew + length)}}
	}
	if f.blurred[a.Value()] {
		s.bans[0].Until = time.Time{}
	}
	if f.second {
		s.bans = append(s.bans, lapi.Ban{ID: int64(2000 + len(f.alerts))})
	}
	f.alerts = append(f.alerts, s)
	return lapi.Outcome{Alert: a, Status: lapi.Pushed, ID: fmt.Sprint(f.first + len(f.alerts) - 1)}
}

func (f *fakeLAPI) now() time.Time { return time.Now().Add(f.skew) }

func (f *fakeLAPI) Bans(ctx context.Context, number, id string) (lapi.Look, error) {
	f.set(func() { f.looks++ })
	if err := f.trouble(ctx); err != nil {
		return lapi.Look{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, s := range f.alerts {
		if fmt.Sprint(f.first+i) == number && s.id == id && f.sick[s.alert.Value()] {
			return lapi.Look{}, fmt.Errorf("%w: http status 500", lapi.ErrUnreachable)
		}
		if fmt.Sprint(f.first+i) == number && s.id == id {
			return lapi.Look{At: f.now(), Known: true, Created: s.created, Bans: slices.Clone(s.bans)}, nil
		}
	}
	return lapi.Look{At: f.now()}, nil
}

// set changes the fake while it is used.
func (f *fakeLAPI) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeLAPI) looked() int { f.mu.Lock(); defer f.mu.Unlock(); return f.looks }
func (f *fakeLAPI) pushed() int { f.mu.Lock(); defer f.mu.Unlock(); return f.pushes }
func (f *fakeLAPI) size() int   { f.mu.Lock(); defer f.mu.Unlock(); return len(f.alerts) }

// deleteBan is what cscli decisions delete does.
func (f *fakeLAPI) deleteBan(value string) {
	f.set(func() {
		for i := range f.alerts {
			if f.alerts[i].alert.Value() != value {
				continue
			}
			for b := range f.alerts[i].bans {
				if !f.alerts[i].bans[b].Until.IsZero() {
					f.alerts[i].bans[b].Until = time.Now().Add(f.skew)
				}
			}
		}
	})
}

// values are the sources of the stored alerts, in order.
func (f *fakeLAPI) values() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, s := range f.alerts {
		words = append(words, strings.TrimPrefix(s.alert.Value(), "192.0.2."))
	}
	return strings.Join(words, " ")
}

// brokenStore is a state file on a disk that fails.
type brokenStore struct {
	*state.Store
	settleFails int
	reviveFails atomic.Int32
}

func (b *brokenStore) Revive(now time.Time) (int, error) {
	if b.reviveFails.Load() > 0 {
		b.reviveFails.Add(-1)
		return 0, errFull
	}
	return b.Store.Revive(now)
}

var errFull = errors.New("no space left on device")

func (b *brokenStore) Settle(list []state.Settlement) error {
	if b.settleFails > 0 {
		b.settleFails--
		return errFull
	}
	return b.Store.Settle(list)
}

// lab is a sender with a state file of its own and a fake LAPI.
type lab struct {
	t        *testing.T
	store    *state.Store
	lapi     *fakeLAPI
	sender   *Sender
	options  Options
	connects int
	unbanned []string
	log      bytes.Buffer
	stop     func()
	ahead    atomic.Int64 // nanoseconds: what the clock of this host shows too much; the LAPI's is apart
}

// inLab runs a test in a bubble of its own time. The sender runs after start.
func inLab(t *testing.T, test func(t *testing.T, l *lab)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open(filepath.Join(dir, "csmail.db"), state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := &lab{t: t, store: store, lapi: &fakeLAPI{first: 1, banFor: 4 * time.Hour}, stop: func() {}}
		l.options = Options{
			Connect: func(context.Context) (LAPI, error) { l.connects++; return l.lapi, nil },
			Unbanned: func(_ context.Context, u Unbanned) error {
				l.unbanned = append(l.unbanned, u.Alert.Value())
				return nil
			},
			Now:   func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())).Round(0) },
			Renew: true,
			Log:   slog.New(slog.NewTextHandler(&l.log, nil)),
		}
		test(t, l)
		l.stop()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (l *lab) start() { l.startOn(l.store) }

func (l *lab) startOn(store Store) {
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan struct{})
	l.sender = New(store, l.options)
	go func() {
		l.sender.Run(ctx)
		close(done)
	}()
	l.stop = func() { cancel(); <-done }
}

func alertOn(n int) event.Alert {
	at := time.Now().Add(time.Duration(n) * time.Nanosecond)
	return event.Alert{
		Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Count: 6, First: at, Last: at,
	}
}

func (l *lab) queue(e ...state.Entry) {
	l.t.Helper()
	for i := range e {
		e[i].Queued = time.Now()
	}
	if err := l.store.Commit(state.Batch{Alerts: e}); err != nil {
		l.t.Fatal(err)
	}
	if l.sender != nil {
		l.sender.Wake()
	}
}

// add queues alerts on 192.0.2.from to 192.0.2.to.
func (l *lab) add(from, to int) {
	l.t.Helper()
	var list []state.Entry
	for n := from; n <= to; n++ {
		list = append(list, state.Entry{Alert: alertOn(n)})
	}
	l.queue(list...)
}

func (l *lab) wait(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

func (l *lab) wantStored(want string) {
	l.t.Helper()
	if got := l.lapi.values(); got != want {
		l.t.Errorf("the LAPI has %q, want %q", got, want)
	}
}

func (l *lab) wantLists(pending, parked int) {
	l.t.Helper()
	if s := l.store.Stats(); s.Pending != pending || s.Parked != parked {
		l.t.Errorf("%d pending, %d parked, want %d and %d", s.Pending, s.Parked, pending, parked)
	}
}

// history says what became of the alerts on a source, newest first.
func (l *lab) history(n int) string {
	l.t.Helper()
	told, err := l.store.History(fmt.Sprint("192.0.2.", n), 10)
	if err != nil {
		l.t.Fatal(err)
	}
	var words []string
	for _, t := range told {
		words = append(words, strings.TrimSpace(fmt.Sprint(t.Status, " ", t.Number, t.Reason)))
	}
	return strings.Join(words, ", ")
}
