package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

func TestAPersonsWord(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		act  func(l *lab)
		want string
	}{
		"ban deleted": {func(l *lab) { l.lapi.deleteBan("192.0.2.1") }, "192.0.2.1"},
		"both deleted": {func(l *lab) {
			l.lapi.deleteBan("192.0.2.1")
			l.lapi.deleteBan("192.0.2.2")
		}, "192.0.2.1 192.0.2.2"},
		"deleted while the LAPI is away": {func(l *lab) {
			l.lapi.set(func() { l.lapi.fails = errDown })
			l.wait(10 * time.Minute)
			l.lapi.deleteBan("192.0.2.2")
			l.lapi.set(func() { l.lapi.fails = nil })
		}, "192.0.2.2"},
		"nothing":          {func(l *lab) {}, ""},
		"expired":          {func(l *lab) { l.wait(5 * time.Hour) }, ""},
		"LAPI unreachable": {func(l *lab) { l.lapi.set(func() { l.lapi.fails = errDown }) }, ""},
		"LAPI hangs":       {func(l *lab) { l.lapi.set(func() { l.lapi.hangs = true }) }, ""},
		"alerts flushed":   {func(l *lab) { l.lapi.set(func() { l.lapi.alerts = nil }) }, ""},
		"another database with the same numbers": {func(l *lab) {
			l.lapi.set(func() {
				for i := range l.lapi.alerts {
					l.lapi.alerts[i].id = "of somebody else"
					l.lapi.alerts[i].bans[0].Until = time.Now()
				}
			})
		}, ""},
		"decisions flushed": {func(l *lab) {
			l.lapi.set(func() {
				for i := range l.lapi.alerts {
					l.lapi.alerts[i].bans = nil
				}
			})
		}, ""},
		"the LAPI rounds otherwise": {func(l *lab) {
			l.lapi.set(func() { l.lapi.alerts[0].bans[0].Until = l.lapi.alerts[0].bans[0].Until.Add(-2 * time.Second) })
		}, ""},
		"prolonged": {func(l *lab) {
			l.lapi.set(func() { l.lapi.alerts[0].bans[0].Until = l.lapi.alerts[0].bans[0].Until.Add(time.Hour) })
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.lapi.skew = -37 * time.Minute
				l.start()
				l.add(1, 2)
				l.wait(time.Minute)
				tt.act(l)
				l.wait(5 * time.Minute)
				slices.Sort(l.unbanned)
				if got := strings.Join(l.unbanned, " "); got != tt.want {
					t.Errorf("unbanned %q, want %q", got, tt.want)
				}
				l.wait(6 * time.Hour) // nothing is left to watch, unless the LAPI cannot be asked
				looks := l.lapi.looked()
				l.wait(time.Hour)
				if l.lapi.fails == nil && !l.lapi.hangs && l.lapi.looked() != looks {
					t.Errorf("%d looks at what is over", l.lapi.looked()-looks)
				}
				if n := len(l.unbanned); n != len(strings.Fields(tt.want)) {
					t.Errorf("%d times unbanned, want %d", n, len(strings.Fields(tt.want)))
				}
			})
		})
	}
}

// One of two bans on a source is deleted: the source is still banned, by the LAPI's
// clock, whatever ours says.
func TestAnotherBanRuns(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"a clock that is right": 0, "a clock far ahead": year} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.start()
				spray := alertOn(1)
				spray.Scenario = "csmail/spray"
				l.queue(state.Entry{Alert: alertOn(1)}, state.Entry{Alert: spray})
				l.wait(time.Minute)
				l.ahead.Store(int64(ahead))
				l.lapi.set(func() { l.lapi.alerts[0].bans[0].Until = time.Now() })
				l.wait(10 * time.Minute)
				if l.unbanned != nil {
					t.Errorf("unbanned %v though one runs, want unbanned nil", l.unbanned)
				}
				l.lapi.deleteBan("192.0.2.1")
				l.wait(10 * time.Minute)
				if len(l.unbanned) == 0 || l.unbanned[0] != "192.0.2.1" {
					t.Errorf("unbanned %v", l.unbanned)
				}
			})
		})
	}
}

// What the LAPI decides is told of at once, not at the next look.
func TestBannedIsToldAtOnce(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		var told []lapi.Look
		l.options.Banned = func(look lapi.Look) { told = append(told, look) }
		l.start()
		l.wait(time.Minute)
		l.add(1, 2)
		l.wait(100 * time.Millisecond)
		if len(told) != 2 || len(told[0].Bans) != 1 || !told[0].Bans[0].Until.After(told[0].At) {
			t.Errorf("told of %+v", told)
		}
		if l.wait(time.Hour); len(told) != 2 {
			t.Errorf("told %d times, want 2 told", len(told))
		}
	})
}

func TestUnbannedIsToldUntilItIsTaken(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		tries := 0
		l.options.Unbanned = func(context.Context, Unbanned) error {
			if tries++; tries < 3 {
				return errors.New("busy")
			}
			return nil
		}
		l.start()
		l.add(1, 1)
		l.wait(time.Minute)
		l.lapi.deleteBan("192.0.2.1")
		l.wait(time.Hour)
		if tries != 3 || l.sender.Stats().Unbanned != 1 {
			t.Errorf("%d tries, %+v, want tries 3, Unbanned 1", tries, l.sender.Stats())
		}
		told, err := l.store.History("192.0.2.1", 1)
		if err != nil || told[0].Unbanned.IsZero() {
			t.Errorf("got %+v, %v, want some Unbanned", told, err)
		}
	})
}

// An alert that the LAPI cannot give, or a decision of which it does not say when it
// ends, does not keep the others from being watched.
func TestOneBadAnswerStopsNoWatch(t *testing.T) {
	t.Parallel()
	t.Run("an alert that cannot be read", func(t *testing.T) {
		inLab(t, func(t *testing.T, l *lab) {
			l.lapi.sick = map[string]bool{"192.0.2.1": true, "192.0.2.3": true}
			l.start()
			l.add(1, 3)
			l.wait(5 * time.Minute)
			l.lapi.deleteBan("192.0.2.2")
			l.wait(5 * time.Minute)
			if got := strings.Join(l.unbanned, " "); got != "192.0.2.2" {
				t.Errorf("unbanned %q, want \"192.0.2.2\"", got)
			}
		})
	})
	t.Run("a decision without an end", func(t *testing.T) {
		inLab(t, func(t *testing.T, l *lab) {
			l.lapi.blurred = map[string]bool{"192.0.2.1": true, "192.0.2.2": true}
			l.start()
			l.add(1, 3)
			l.wait(5 * time.Minute)
			for _, value := range []string{"192.0.2.2", "192.0.2.3"} {
				l.lapi.deleteBan(value)
			}
			l.wait(5 * time.Minute)
			if got := strings.Join(l.unbanned, " "); got != "192.0.2.3" {
				t.Errorf("unbanned %q, want \"192.0.2.3\"", got)
			}
			if n := strings.Count(l.log.String(), "the LAPI does not say when a decision ends"); n != 2 {
				t.Errorf("told %d times: %s, want 2", n, l.log.String())
			}
		})
	})
	t.Run("one of two decisions", func(t *testing.T) {
		inLab(t, func(t *testing.T, l *lab) {
			l.start()
			l.lapi.set(func() { l.lapi.second = true })
			l.add(1, 1)
			l.wait(5 * time.Minute)
			l.lapi.deleteBan("192.0.2.1")
			l.wait(5 * time.Minute)
			if got := strings.Join(l.unbanned, " "); got != "192.0.2.1" {
				t.Errorf("unbanned %q, want \"192.0.2.1\"", got)
			}
		})
	})
}

func TestManyBansAreLookedAtInTurn(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.start()
		l.add(1, 120)
		l.wait(10 * time.Second)
		for _, n := range []string{"192.0.2.1", "192.0.2.60", "192.0.2.120"} {
			l.lapi.deleteBan(n)
		}
		l.wait(2 * time.Minute)
		slices.Sort(l.unbanned)
		if got := strings.Join(l.unbanned, " "); got != "192.0.2.1 192.0.2.120 192.0.2.60" {
			t.Errorf("unbanned %q, want \"192.0.2.1 192.0.2.120 192.0.2.60\"", got)
		}
		looks := l.lapi.looked()
		l.wait(10 * time.Minute)
		if n := l.lapi.looked() - looks; n > 20*lookBatch {
			t.Errorf("%d looks in ten minutes, want at most %v", n, 20*lookBatch)
		}
	})
}

func TestSimulatedAndInformationalAreNotWatched(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		informational := alertOn(2)
		informational.Informational = true
		l.queue(state.Entry{Alert: alertOn(1), Simulate: true}, state.Entry{Alert: informational})
		l.start()
		l.wait(time.Hour)
		l.wantStored("1 2")
		if l.lapi.looked() != 0 {
			t.Errorf("%d looks, want looked 0", l.lapi.looked())
		}
	})
}

func TestLongBansAreRenewed(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	flush := func(l *lab) { // what the LAPI does by itself after a week
		l.lapi.set(func() {
			for i := range l.lapi.alerts {
				if time.Since(l.lapi.alerts[i].sent) > 7*day {
					l.lapi.alerts[i].id = "flushed"
				}
			}
		})
	}
	for name, tt := range map[string]struct {
		act  func(l *lab, d int)
		want int // alerts in all
		end  bool
	}{
		"renewed": {func(*lab, int) {}, 4, true},
		"the LAPI is away when it is due": {func(l *lab, d int) {
			l.lapi.set(func() { l.lapi.fails = map[bool]error{true: errDown}[d >= 5 && d < 9] })
		}, 3, true},
		"a person ends it on the 2nd day":  {func(l *lab, d int) { l.at(d, 2, "192.0.2.1") }, 1, false},
		"a person ends it on the 10th day": {func(l *lab, d int) { l.at(d, 10, "192.0.2.1") }, 2, false},
		"it is gone on the 2nd day": {func(l *lab, d int) {
			if d == 2 {
				l.lapi.set(func() { l.lapi.alerts[0].id = "gone" })
			}
		}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.options.WatchEvery = time.Hour
				end := time.Now().Add(20 * day)
				l.start()
				l.queue(state.Entry{Alert: alertOn(1), Duration: 20 * day})
				for d := range 25 {
					flush(l)
					tt.act(l, d)
					l.wait(day)
				}
				if got := l.lapi.size(); got != tt.want {
					t.Fatalf("%d alerts, want %d", got, tt.want)
				}
				last := l.lapi.alerts[tt.want-1].bans[0].Until
				if tt.end && last.Sub(end).Abs() > 5*time.Second {
					t.Errorf("the last ban ends at %s, want %s", last, end)
				}
			})
		})
	}
}

func (l *lab) at(day, wanted int, value string) {
	if day == wanted {
		l.lapi.deleteBan(value)
	}
}

func TestLongBanWithoutRenewalIsTold(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.banFor = 30 * 24 * time.Hour // the profiles say so
		l.start()
		l.add(1, 1)
		l.wait(time.Hour)
		if text := l.log.String(); strings.Count(text, "a ban is longer than CrowdSec keeps its alert") != 1 {
			t.Errorf("log %s", text)
		}
	})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	later := now.Add(time.Hour)
	two := state.HistoryEntry{Looked: true, Bans: []state.Ban{{ID: 1, Until: later}, {ID: 2, Until: later}}}
	for name, tt := range map[string]struct {
		told  state.HistoryEntry
		seen  []lapi.Ban
		known bool
		want  banState
	}{
		"one of two ended":       {two, []lapi.Ban{{ID: 1, Until: now}, {ID: 2, Until: later}}, true, stillRuns},
		"both ended":             {two, []lapi.Ban{{ID: 1, Until: now}, {ID: 2, Until: now}}, true, endedEarly},
		"one is not there":       {two, []lapi.Ban{{ID: 1, Until: now}}, true, stillRuns},
		"others are there":       {two, []lapi.Ban{{ID: 3, Until: now}}, true, stillRuns},
		"its end is not told":    {two, []lapi.Ban{{ID: 1}, {ID: 2}}, true, stillRuns},
		"no bans made":           {state.HistoryEntry{}, nil, true, over},
		"first look":             {state.HistoryEntry{}, []lapi.Ban{{ID: 1, Until: later}}, true, firstLook},
		"not there":              {two, nil, false, vanished},
		"over, within the slack": {state.HistoryEntry{Looked: true, Bans: []state.Ban{{ID: 1, Until: now.Add(-slack)}}}, nil, true, stillRuns},
		"over":                   {state.HistoryEntry{Looked: true, Bans: []state.Ban{{ID: 1, Until: now.Add(-slack - 1)}}}, nil, true, over},
	} {
		look := lapi.Look{At: now, Known: tt.known, Bans: tt.seen}
		if got := stateOf(tt.told, look, time.Time{}); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// The end of a ban that a person ended is that of the latest decision, by the LAPI's clock.
func TestWhenAPersonEndedIt(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		var at time.Time
		l.options.Unbanned = func(_ context.Context, u Unbanned) error { at = u.At; return nil }
		l.lapi.skew = -37 * time.Minute
		l.start()
		l.add(1, 1)
		l.wait(time.Minute)
		l.lapi.deleteBan("192.0.2.1")
		deleted := l.lapi.now()
		l.wait(5 * time.Minute)
		if !at.Equal(deleted) {
			t.Errorf("ended at %s, want %s", at, deleted)
		}
	})
}

func TestStatsAfter(t *testing.T) {
	t.Parallel()
	at := time.Now()
	before := Stats{
		Delivered: 1, HeldBack: 2, Parked: 3, Failures: 4, Batches: 5, Spent: 6, Unbanned: 7, Renewed: 8, Vanished: 9,
		LastDelivered: at, FailingSince: at, LastError: "of before",
	}
	got := Stats{Delivered: 10, HeldBack: 10, Parked: 10, Failures: 10, Batches: 10, Spent: 10, Unbanned: 10, Renewed: 10, Vanished: 10}.After(before)
	want := Stats{
		Delivered: 11, HeldBack: 12, Parked: 13, Failures: 14, Batches: 15, Spent: 16, Unbanned: 17, Renewed: 18, Vanished: 19, LastDelivered: at,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want.LastDelivered = at.Add(time.Hour)
	if got := (Stats{LastDelivered: want.LastDelivered}).After(before); got.LastDelivered != want.LastDelivered {
		t.Errorf("last delivered %s, want LastDelivered %s", got.LastDelivered, want.LastDelivered)
	}
}
