package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var now = time.Date(2026, 6, 3, 4, 11, 11, 0, time.UTC)

// owner makes this test binary a process that holds a state file.
const owner = "CSMAIL_TEST_OWNER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writer); path != "" {
		write(path)
	}
	if path := os.Getenv(owner); path != "" {
		s, err := Open(path, Options{})
		fmt.Println("open", err)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		runtime.KeepAlive(s)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatalf("%v (%s)", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func reopen(t *testing.T, s *Store, o Options) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s.path, o)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (%s)", err, hint.Of(err))
	}
}

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "csmail.db") }

func alert(n int) event.Alert {
	return event.Alert{
		Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Count: 6,
		First: now.Add(time.Duration(n) * time.Second), Last: now.Add(time.Duration(n)*time.Second + time.Minute),
		Evidence: []event.Event{{Kind: event.AuthFailed, Message: "m\xff"}},
	}
}

func entry(n int) Entry {
	return Entry{Alert: alert(n), Queued: now.Add(time.Duration(n) * time.Second)}
}

func entries(from, to int) []Entry {
	var list []Entry
	for n := from; n <= to; n++ {
		list = append(list, entry(n))
	}
	return list
}

func record(n int) Input {
	return Input{Source: "mail.log", Record: &event.Record{
		Outcome: event.Noted, Line: int64(n), Event: event.Event{Time: now, Kind: event.AuthFailed, Message: fmt.Sprint("line ", n)},
	}}
}

// recovered is what Recover gives back, in one text a line.
func recovered(t *testing.T, s *Store) (lines []string, cursors map[string]string) {
	t.Helper()
	cursors, err := s.Recover(whole(func(state []byte) error {
		lines = append(lines, "state "+string(state))
		return nil
	}), func(in Input) error {
		if in.Record == nil {
			lines = append(lines, "tick "+in.Tick.Format(time.TimeOnly))
			return nil
		}
		lines = append(lines, in.Source+" "+in.Record.Message)
		return nil
	})
	must(t, err)
	return lines, cursors
}

func TestRecover(t *testing.T) {
	s := open(t, path(t), Options{})
	lines, cursors := recovered(t, s)
	if len(lines) != 0 || len(cursors) != 0 {
		t.Errorf("a new file holds %v, %v, want no lines, no cursors", lines, cursors)
	}
	must(t, s.Commit(Batch{Inputs: []Input{record(1), {Tick: now}}, Cursors: map[string]string{"mail.log": "1", "journal": "a"}}))
	mark := s.Mark()
	must(t, s.Commit(Batch{Inputs: []Input{record(2)}, Cursors: map[string]string{"mail.log": "2"}}))
	must(t, s.Checkpoint([]byte("of mark 2"), mark))
	must(t, s.Commit(Batch{Inputs: []Input{record(3)}, Cursors: map[string]string{"mail.log": "3"}}))
	s = reopen(t, s, Options{})
	lines, cursors = recovered(t, s)
	if d := cmp.Diff([]string{"state of mark 2", "mail.log line 2", "mail.log line 3"}, lines); d != "" {
		t.Errorf("recovered (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"mail.log": "3", "journal": "a"}, cursors); d != "" {
		t.Errorf("cursors (-want +got):\n%s", d)
	}
	if s.Mark() != mark+2 {
		t.Errorf("mark %d, want %d", s.Mark(), mark+2)
	}
	must(t, s.Checkpoint(bytes.Repeat([]byte("long"), partSize), s.Mark()))
	s = reopen(t, s, Options{})
	if lines, _ := recovered(t, s); len(lines) != 1 || lines[0] != "state "+strings.Repeat("long", partSize) {
		t.Errorf("a checkpoint of several parts: %d lines, want 1 lines, lines %v", len(lines), "state "+strings.Repeat("long", partSize))
	}
	if stats := s.Stats(); stats.JournalBytes != 0 {
		t.Errorf("%d bytes of journal after a checkpoint, want JournalBytes 0", stats.JournalBytes)
	}
	must(t, s.Commit(Batch{Inputs: []Input{record(4)}}))
	if lines, _ := recovered(t, s); len(lines) != 2 || lines[1] != "mail.log line 4" {
		t.Errorf("after reopening behind a checkpoint: %v, want 2 lines, lines \"mail.log line 4\"", lines[1:])
	}
	if err := s.Checkpoint(nil, s.Mark()+1); err == nil {
		t.Error("a checkpoint of what is not committed")
	}
}

func TestRecoverManyInputsInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, path(t), Options{})
	random := rand.New(rand.NewPCG(1, 2))
	n, from := 0, 0
	for range 50 {
		var inputs []Input
		for range random.IntN(2000) {
			n++
			in := record(n)
			in.Record.Message += strings.Repeat("x", random.IntN(200))
			inputs = append(inputs, in)
		}
		must(t, s.Commit(Batch{Inputs: inputs}))
		if random.IntN(10) == 0 {
			from = n
			must(t, s.Checkpoint([]byte("x"), s.Mark()))
		}
	}
	next := int64(from)
	_, err := s.Recover(whole(func([]byte) error { return nil }), func(in Input) error {
		if next++; in.Record.Line != next {
			return fmt.Errorf("line %d, want %d", in.Record.Line, next)
		}
		return nil
	})
	if err != nil || next != int64(n) {
		t.Errorf("%v, %d of %d, want next %d", err, next, n, int64(n))
	}
}

func TestRecoverPassesErrorsOn(t *testing.T) {
	s := open(t, path(t), Options{})
	must(t, s.Commit(Batch{Inputs: []Input{record(1)}}))
	stop := errors.New("stop")
	if _, err := s.Recover(nil, func(Input) error { return stop }); err != stop {
		t.Errorf("replay: %v, want %v", err, stop)
	}
	must(t, s.Checkpoint([]byte("x"), s.Mark()))
	if _, err := s.Recover(whole(func([]byte) error { return stop }), nil); err != stop {
		t.Errorf("restore: %v, want %v", err, stop)
	}
}

func sources(list []Entry) string {
	var words []string
	for _, e := range list {
		words = append(words, strings.TrimPrefix(e.Alert.Value(), "192.0.2."))
	}
	return strings.Join(words, " ")
}

// wantLists compares the lists, and the figures with them.
func wantLists(t *testing.T, s *Store, pending, parked, held string) {
	t.Helper()
	stats := s.Stats()
	for _, list := range []struct {
		name string
		read func(uint64, int) ([]Entry, error)
		want string
		size int
	}{{"pending", s.Pending, pending, stats.Pending}, {"parked", s.Parked, parked, stats.Parked}, {"held", s.Held, held, stats.Held}} {
		got, err := list.read(0, 1000)
		must(t, err)
		if sources(got) != list.want || list.size != len(got) {
			t.Errorf("%s: %q (%d), want %q", list.name, sources(got), list.size, list.want)
		}
	}
}

func TestLists(t *testing.T) {
	s := open(t, path(t), Options{})
	held := entry(9)
	held.Reason = "outage"
	must(t, s.Commit(Batch{Alerts: entries(1, 5), Held: []Entry{held}}))
	wantLists(t, s, "1 2 3 4 5", "", "9")
	must(t, s.Commit(Batch{Alerts: []Entry{entry(2), entry(6), entry(9)}})) // two are known
	wantLists(t, s, "1 2 3 4 5 6", "", "9")
	if stats := s.Stats(); stats.Repeated != 2 || stats.Added != 6 || !stats.Oldest.Equal(entry(1).Queued) {
		t.Errorf("stats %+v, want Repeated 2, Added 6, Oldest %v", stats, entry(1).Queued)
	}
	pending, err := s.Pending(2, 2)
	if err != nil || sources(pending) != "3 4" {
		t.Errorf("two after the second: %q, %v, want \"3 4\"", sources(pending), err)
	}
	if d := cmp.Diff(alert(3), pending[0].Alert, sameTime); d != "" {
		t.Errorf("alert (-want +got):\n%s", d)
	}
	must(t, s.Refused(2, "validation", now))
	must(t, s.Refused(2, "again", now.Add(time.Second)))
	must(t, s.Park(2, "poison"))
	must(t, s.Settle([]Settlement{{Seq: 1, Number: "7", At: now}, {Seq: 3, Status: HeldBack, Reason: "allowlisted", At: now}, {Seq: 77}}))
	wantLists(t, s, "4 5 6", "2", "9")
	parked, err := s.Parked(0, 1)
	if err != nil || parked[0].Reason != "poison" || parked[0].Tries != 2 || !parked[0].Refused.Equal(now) {
		t.Errorf("parked %+v, %v, want Reason poison, Tries 2, Refused %v", parked, err, now)
	}
	must(t, second(s.Retry([]string{parked[0].ID}, now)))
	must(t, second(s.Release([]string{alert(9).ID()}, now)))
	must(t, second(s.Drop([]string{alert(5).ID()}, now)))
	s = reopen(t, s, Options{})
	wantLists(t, s, "4 6 2 9", "", "")
	retried, err := s.Pending(6, 10)
	if err != nil || retried[0].Tries != 0 || retried[0].Reason != "" || !retried[0].Queued.Equal(now) || retried[1].Reason != "" {
		t.Errorf("retried and released: %+v, %v", retried, err)
	}
	must(t, s.Commit(Batch{Alerts: entries(1, 9)})) // 7 and 8 are new
	wantLists(t, s, "4 6 2 9 7 8", "", "")
	for name, f := range map[string]func([]string, time.Time) (int, error){"retry": s.Retry, "release": s.Release, "drop": s.Drop} {
		if n, err := f([]string{"nonesuch"}, now); n != 0 || !errors.Is(err, ErrUnknown) || hint.Of(err) == "" {
			t.Errorf("%s: got %v (%s), want 0, %q, a hint", name, err, hint.Of(err), ErrUnknown)
		}
	}
	recent, err := s.Recent(10)
	must(t, err)
	var told []string
	for _, r := range recent {
		told = append(told, fmt.Sprint(r.Alert.Value(), " ", r.Status, " ", r.Number, r.Reason))
		if r.Alert.Evidence != nil {
			t.Error("the history keeps evidence")
		}
	}
	slices.Sort(told)
	if d := cmp.Diff([]string{"192.0.2.1 delivered 7", "192.0.2.3 held-back allowlisted", "192.0.2.5 dropped dropped by hand"}, told); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
}

// All of a long list are moved at once; those that have left it meanwhile are passed
// over.
func TestManyAreMovedAtOnce(t *testing.T) {
	s := open(t, path(t), Options{MaxPending: 150})
	must(t, s.Commit(Batch{Held: entries(1, 200)}))
	var ids []string
	for n := range 200 {
		ids = append(ids, alert(n+1).ID())
	}
	commits := s.Stats()
	if n, err := s.Release(append([]string{"gone"}, ids[:100]...), now); n != 100 || err != nil {
		t.Errorf("released %d, %v, want 100", n, err)
	}
	if got := s.Stats(); got.Pending != 100 || got.Held != 100 || got.Overflowed != commits.Overflowed {
		t.Errorf("after the release: %+v, want Pending 100, Held 100, Overflowed %v", got, commits.Overflowed)
	}
	if n, err := s.Release(ids, now); n != 100 || err != nil { // 50 find no room
		t.Errorf("released %d, %v, want 100", n, err)
	}
	if got := s.Stats(); got.Pending != 150 || got.Held != 0 || got.Overflowed != commits.Overflowed+50 {
		t.Errorf("after the second: %+v, want Pending 150, Held 0, Overflowed %v", got, commits.Overflowed+50)
	}
	if n, err := s.Drop(ids, now); n != 150 || err != nil {
		t.Errorf("dropped %d, %v, want 150", n, err)
	}
	s = reopen(t, s, Options{})
	wantLists(t, s, "", "", "")
}

func TestFullListsDropTheirOldest(t *testing.T) {
	s := open(t, path(t), Options{MaxPending: 3, MaxHeld: 2})
	must(t, s.Commit(Batch{Alerts: entries(1, 5), Held: entries(11, 13)}))
	wantLists(t, s, "3 4 5", "", "12 13")
	for n := 3; n <= 5; n++ {
		must(t, s.Park(uint64(n), "poison"))
	}
	must(t, s.Commit(Batch{Alerts: entries(6, 6)}))
	must(t, s.Park(6, "poison"))
	wantLists(t, s, "", "4 5 6", "12 13")
	if got := s.Stats().Overflowed; got != 4 {
		t.Errorf("%d counted, want 4", got)
	}
	for value, want := range map[string]string{
		"192.0.2.1": "outbox was full with 3 alerts", "192.0.2.11": "held was full with 2 alerts", "192.0.2.3": "parked was full with 3 alerts",
	} {
		told, err := s.History(value, 5)
		if err != nil || len(told) != 1 || told[0].Status != Dropped || told[0].Reason != want {
			t.Errorf("%s: got %+v, %v, want 1 told, Status %v, Reason %v", value, told, err, Dropped, want)
		}
	}
}

func TestHistory(t *testing.T) {
	s := open(t, path(t), Options{})
	account := entry(1)
	account.Alert.Scope, account.Alert.Account = event.ScopeAccount, "\x00"+strings.Repeat("long", 20_000)
	informational := entry(2)
	informational.Alert.Informational = true
	simulated := entry(3)
	simulated.Simulate = true
	again := entry(4)
	again.Alert.Last = again.Alert.Last.Add(time.Hour)
	must(t, s.Commit(Batch{Alerts: []Entry{account, informational, simulated, entry(4), again}}))
	for n := uint64(1); n <= 5; n++ {
		must(t, s.Settle([]Settlement{{Seq: n, Number: fmt.Sprint(n), At: now.Add(time.Duration(n) * time.Minute)}}))
	}
	told, err := s.History("192.0.2.4", 10)
	if err != nil || len(told) != 2 || told[0].Number != "5" || told[1].Number != "4" {
		t.Fatalf("newest first: %+v, %v", told, err)
	}
	if told, err := s.History("192.0.2.4", 1); err != nil || len(told) != 1 {
		t.Errorf("limit: %+v, %v, want 1 told", told, err)
	}
	if told, err := s.History(account.Alert.Account, 10); err != nil || len(told) != 1 {
		t.Errorf("account: %d, %v, want 1 told", len(told), err)
	}
	if told, err := s.History("192.0.2", 10); err != nil || len(told) != 0 {
		t.Errorf("part of a value: %+v, %v, want no told", told, err)
	}
	running := func(after *HistoryEntry) string {
		t.Helper()
		list, err := s.Running(after, 2)
		must(t, err)
		var numbers []string
		for _, r := range list {
			numbers = append(numbers, r.Number)
		}
		return strings.Join(numbers, " ")
	}
	if got := running(nil) + ", " + running(&told[1]); got != "1 4, 5" {
		t.Errorf("running %q, want \"1 4, 5\"", got)
	}
	until := now.Add(4 * time.Hour)
	must(t, s.Looked(told[1], now, []Ban{{ID: 1, Type: "ban", Until: until}, {ID: 2, Until: now}}))
	must(t, s.Unbanned(told[0], now))
	must(t, s.Ended(HistoryEntry{ID: "gone", Sent: now}))
	told, err = s.History("192.0.2.4", 10)
	if err != nil || !told[0].Unbanned.Equal(now) || !told[1].Looked || !told[1].End().Equal(until) {
		t.Errorf("got %+v, %v, want Unbanned %v, Looked true, End %v", told, err, now, until)
	}
	must(t, s.Renew(told[1], until, now))
	if got := running(nil); got != "1" {
		t.Errorf("running %q, want \"1\"", got)
	}
	renewed, err := s.Pending(0, 10)
	if err != nil || len(renewed) != 1 || renewed[0].Renewal != 1 || !renewed[0].Until.Equal(until) || renewed[0].ID != told[1].ID+"-1" {
		t.Errorf("renewed %+v, %v, want 1 renewed, Renewal 1, Until %v, ID %v", renewed, err, until, told[1].ID+"-1")
	}
}

func TestPrune(t *testing.T) {
	s := open(t, path(t), Options{History: time.Hour})
	must(t, s.Commit(Batch{Alerts: entries(1, 4)}))
	must(t, s.Settle([]Settlement{{Seq: 1, Number: "1", At: now}, {Seq: 2, Number: "2", At: now}, {Seq: 3, Number: "3", At: now.Add(2 * time.Hour)}}))
	ended, err := s.Running(nil, 2)
	must(t, err)
	for _, told := range ended {
		must(t, s.Ended(told))
	}
	must(t, s.Prune(now.Add(2*time.Hour)))
	recent, err := s.Recent(10)
	if err != nil || len(recent) != 1 || recent[0].Number != "3" {
		t.Errorf("recent %+v, %v, want 1 recent, Number 3", recent, err)
	}
	if told, err := s.History("192.0.2.1", 10); err != nil || told != nil {
		t.Errorf("history %+v, %v, want told nil", told, err)
	}
	if running, err := s.Running(nil, 10); err != nil || len(running) != 1 {
		t.Errorf("running %+v, %v, want 1 running", running, err)
	}
	must(t, s.Commit(Batch{Alerts: []Entry{entry(1)}})) // forgotten, so it is new
	wantLists(t, s, "4 1", "", "")
}
