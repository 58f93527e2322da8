package delivery

import (
	"strings"
	"testing"
	"time"

	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// Whatever the clocks show for a while, a person's word about a running ban is heard.
func TestClocksThatJump(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ours, theirs time.Duration
		restart      bool // while the clocks are wrong
		right        bool // they are set right before somebody ends the ban
		quiet        bool // nothing else happens
	}{
		"ours, far ahead":                  {ours: year},
		"ours, far behind":                 {ours: -year},
		"ours, and back":                   {ours: year, right: true},
		"both, and back":                   {ours: day, theirs: day, right: true},
		"both, and back, nothing else":     {ours: day, theirs: day, right: true, quiet: true},
		"both, and back, with restarts":    {ours: day, theirs: day, right: true, restart: true},
		"theirs, and back":                 {theirs: day, right: true},
		"theirs, and back, with restarts":  {theirs: day, right: true, restart: true},
		"both, far behind, with a restart": {ours: -year, theirs: -year, restart: true},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.start()
				l.add(1, 1)
				l.wait(time.Minute)
				jump := func(sign time.Duration) {
					l.ahead.Add(int64(sign * tt.ours))
					l.lapi.set(func() { l.lapi.skew += sign * tt.theirs })
				}
				jump(1)
				l.wait(90 * time.Minute)
				if tt.restart {
					l.stop()
					l.start()
					l.wait(time.Minute)
				}
				if tt.right {
					jump(-1)
					if tt.restart {
						l.stop()
						l.start()
					}
				}
				if !tt.quiet {
					l.add(2, 2) // so that the LAPI is asked something
				}
				l.wait(5 * time.Minute)
				if l.unbanned != nil {
					t.Errorf("unbanned %v by nobody, want unbanned nil", l.unbanned)
				}
				l.lapi.deleteBan("192.0.2.1")
				l.wait(5 * time.Minute)
				if got := strings.Join(l.unbanned, " "); got != "192.0.2.1" {
					t.Errorf("unbanned %q, want \"192.0.2.1\"", got)
				}
			})
		})
	}
}

// A disk that is full while the clocks are set right costs no watch.
func TestClocksAreSetRightOnAFullDisk(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		store := &brokenStore{Store: l.store}
		l.startOn(store)
		l.add(1, 1)
		l.wait(time.Minute)
		l.ahead.Store(int64(day))
		l.lapi.set(func() { l.lapi.skew = day })
		l.wait(90 * time.Minute)
		l.ahead.Store(0)
		l.lapi.set(func() { l.lapi.skew = 0 })
		store.reviveFails.Store(2)
		l.wait(5 * time.Minute)
		l.lapi.deleteBan("192.0.2.1")
		l.wait(5 * time.Minute)
		if got := strings.Join(l.unbanned, " "); got != "192.0.2.1" || store.reviveFails.Load() > 0 {
			t.Errorf("unbanned %q, %d failures left, want \"192.0.2.1\", Load 0", got, store.reviveFails.Load())
		}
	})
}

// What is over is looked at no more, whatever our clock shows.
func TestOverIsOverByTheirClock(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"right": 0, "ahead": year, "behind": -year} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.ahead.Store(int64(ahead))
				l.start()
				l.add(1, 3)
				l.wait(5 * time.Hour)
				looks := l.lapi.looked()
				l.wait(time.Hour)
				if n := l.lapi.looked() - looks; n != 0 {
					t.Errorf("%d looks at what is over, want 0", n)
				}
			})
		})
	}
}

// A long ban is renewed as often as without the jump, and ends when it was to end.
func TestRenewalByTheirClock(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, during time.Duration }{
		"ahead from the start":  {year, year},
		"ahead for a while":     {0, year},
		"behind from the start": {-year, -year},
		"behind for a while":    {0, -year},
		"right after a while":   {year, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.options.WatchEvery = time.Hour
				l.ahead.Store(int64(tt.before))
				end := time.Now().Add(20 * day)
				l.start()
				l.queue(state.Entry{Alert: alertOn(1), Duration: 20 * day})
				for d := range 25 {
					l.ahead.Store(int64(tt.before))
					if d > 3 && d < 9 {
						l.ahead.Store(int64(tt.during))
					}
					l.wait(day)
				}
				if got := l.lapi.size(); got != 4 {
					t.Fatalf("%d alerts, want 4; %s", got, l.log.String())
				}
				if last := l.lapi.alerts[3].bans[0].Until; last.Sub(end).Abs() > 5*time.Second {
					t.Errorf("the last ban ends at %s, want %s", last, end)
				}
			})
		})
	}
}

// Of an alert that is gone the LAPI does not say when it had it, and when ours says it
// was sent is of no use after a wrong clock.
func TestRenewalOfWhatIsFlushed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ahead time.Duration // of our clock when it was sent
		gone  int           // the day on which the LAPI has it no more
		away  bool          // from the 5th to the 9th day
		want  int           // alerts in all
	}{
		"clocks that are right":           {0, 7, true, 2},
		"ours ahead":                      {year, 7, true, 2},
		"ours behind":                     {-year, 7, true, 2},
		"ours behind, deleted by someone": {-year, 2, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.options.WatchEvery = time.Hour
				l.ahead.Store(int64(tt.ahead))
				l.start()
				l.queue(state.Entry{Alert: alertOn(1), Duration: 12 * day})
				l.wait(time.Hour)
				l.ahead.Store(0)
				for d := range 11 {
					l.lapi.set(func() {
						l.lapi.fails = map[bool]error{true: errDown}[tt.away && d >= 5 && d < 9]
						if d == tt.gone {
							l.lapi.alerts[0].id = "flushed"
						}
					})
					l.wait(day)
				}
				if got := l.lapi.size(); got != tt.want {
					t.Errorf("%d alerts, want %d; %s", got, tt.want, l.log.String())
				}
			})
		})
	}
}

// Only a long ban that csmail asked for, that still runs, and that it is to renew, is
// renewed.
func TestNotRenewed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		profiles, own time.Duration
		keep          bool // no renewal is wanted
	}{
		"of the profiles": {profiles: 30 * day},
		"not wanted":      {own: 30 * day, keep: true},
		"short":           {own: 7*day - time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.options.WatchEvery, l.options.Renew, l.lapi.banFor = time.Hour, !tt.keep, tt.profiles
				l.start()
				l.queue(state.Entry{Alert: alertOn(1), Duration: tt.own})
				l.wait(10 * day)
				if got := l.lapi.size(); got != 1 {
					t.Errorf("%d alerts, want 1", got)
				}
			})
		})
	}
	now := time.Now()
	over := state.HistoryEntry{Looked: true, Duration: day, Bans: []state.Ban{{ID: 1, Until: now.Add(slack)}}}
	if got := stateOf(over, lapi.Look{At: now, Known: true}, now); got != stillRuns {
		t.Errorf("at its end: %d, want %d", got, stillRuns)
	}
	over.Bans[0].Until = now.Add(slack + 1)
	if got := stateOf(over, lapi.Look{At: now, Known: true}, now); got != renewalDue {
		t.Errorf("before its end: %d, want %d", got, renewalDue)
	}
}
