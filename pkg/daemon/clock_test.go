package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/clock"
)

func TestWallClockWasSet(t *testing.T) {
	start := time.Now()
	last := clock.Reading{Shown: start, At: start}
	for _, tt := range []struct{ shown, passed, want time.Duration }{
		{time.Second, time.Second, 0},
		{time.Hour, 2 * time.Second, time.Hour - 2*time.Second},
		{time.Hour + time.Second, 3 * time.Second, 0},
		{5 * time.Second, 5 * time.Second, 2*time.Second - time.Hour},
		{6 * time.Second, 6 * time.Second, 0},
	} {
		next := clock.Reading{Shown: start.Add(tt.shown).Round(0), At: start.Add(tt.passed)}
		if got := last.Jump(next.Shown, next.At); got != tt.want {
			t.Errorf("it shows %s after %s: %s, want %s", tt.shown, tt.passed, got, tt.want)
		}
		last = next
	}
}

// set sets the clock of the daemon and waits until it has noticed.
func (r *rig) set(ahead time.Duration, direction string, times int) {
	r.t.Helper()
	r.ahead.Store(int64(ahead))
	r.eventually("the metrics tell that the clock was set", func() bool {
		return strings.Contains(r.metrics(), fmt.Sprintf("csmail_clock_jumps_total{direction=%q} %d\n", direction, times))
	})
}

// The clock is a year ahead for a while. Who attacks then is banned, who attacks
// afterwards too, from nothing and once; and who logged in before is known still.
func TestClockJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const meanwhile, both, office = "203.0.113.8", "203.0.113.9", "192.0.2.9"
	const year = 365 * 24 * time.Hour
	r := newRig(t)
	r.twoLogs()
	r.start()
	r.login(office, "carol")
	r.guesses(3, attacker, "bob", r.now())
	r.eventually("four lines are read", func() bool { return r.lines() == 4 })

	r.set(year, "forward", 1)
	r.guesses(5, both, "bob", r.now())
	r.guesses(6, meanwhile, "bob", r.now())
	r.delivered(1)

	r.set(0, "back", 1)
	r.guesses(5, both, "bob", r.now())
	r.eventually("all lines are read", func() bool { return r.lines() == 20 })
	if got := r.lapi.values(); len(got) != 1 {
		t.Errorf("attempts of a time that never was count: %q, want one", got)
	}
	r.guesses(9, office, "carol", r.now()) // an old password
	r.guesses(1, both, "bob", r.now())
	want := []string{"csmail/auth-bf " + meanwhile, "csmail/auth-bf " + both}
	if got := r.delivered(1); !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
	said := r.said.String()
	for _, want := range []string{"the clock was set forward, or the host slept", "the clock was set back", "what was counted then is forgotten", "hint=\"a time service keeps it right: "} {
		if !strings.Contains(said, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	r.stop()
	r.start() // nothing comes twice
	r.guesses(6, attacker, "bob", r.now())
	if got := r.delivered(1); !slices.Equal(got, append(want, "csmail/auth-bf "+attacker)) {
		t.Errorf("after a restart: %q, want %q", got, append(want, "csmail/auth-bf "+attacker))
	}
}

// The clock was ahead, and is set right while csmail does not run.
func TestClockSetRightMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ahead.Store(int64(10 * time.Hour))
	r.start()
	r.guesses(5, attacker, "bob", r.now())
	r.eventually("five lines are read", func() bool { return r.lines() == 5 })
	r.stop()
	r.ahead.Store(0)
	r.start()
	r.guesses(5, attacker, "bob", r.now())
	r.eventually("five lines more are read", func() bool { return r.lines() == 5 })
	if got := r.lapi.values(); len(got) != 0 {
		t.Errorf("attempts of a time that never was count: %q, want none", got)
	}
	r.guesses(1, attacker, "bob", r.now())
	r.delivered(1)
}

// login writes a login.
func (r *rig) login(addr, user string) {
	r.t.Helper()
	r.pid++
	r.append(fmt.Sprintf("%s mx1 dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.4, mpid=1, TLS, session=<s%d>\n",
		r.now().UTC().Format("2006-01-02T15:04:05.000000Z"), user, addr, r.pid))
}

// summer puts the clock of the daemon, and its one log, to Berlin at that moment.
func (r *rig) summer(at time.Time) { r.ahead.Store(int64(time.Until(at))) }

// guessesInBerlin writes failed logins as classic syslog does, without year and
// zone.
func (r *rig) guessesInBerlin(n int, stamp string) {
	r.t.Helper()
	for range n {
		r.pid++
		r.append(fmt.Sprintf("%s mx1 postfix/smtpd[%d]: warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=bob\n", stamp, r.pid, attacker))
	}
}

// Summer time ends and begins while three attempts are before the change and three
// within minutes after it: they are six, and each has its own time.
func TestSummerTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, after time.Time
		first, second string
	}{
		"it ends": {
			time.Date(2026, 10, 25, 0, 59, 30, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 30, 0, time.UTC),
			"Oct 25 02:59:30", "Oct 25 02:00:30",
		},
		"it begins": {
			time.Date(2026, 3, 29, 0, 59, 30, 0, time.UTC), time.Date(2026, 3, 29, 1, 0, 30, 0, time.UTC),
			"Mar 29 01:59:30", "Mar 29 03:00:30",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.configure(fmt.Sprintf("sources: [{source: file, filenames: [%s], timezone: Europe/Berlin}]", r.path("mail.log")))
			r.summer(tt.before.Add(time.Second))
			r.start()
			r.guessesInBerlin(3, tt.first)
			r.eventually("three lines are read", func() bool { return r.lines() == 3 })
			r.summer(tt.after.Add(time.Second))
			r.guessesInBerlin(3, tt.second)
			if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf " + attacker}) {
				t.Errorf("alerts %q, want %q", got, []string{"csmail/auth-bf " + attacker})
			}
			want := []time.Time{tt.before, tt.before, tt.before, tt.after, tt.after, tt.after}
			if got := r.lapi.times(t); !slices.EqualFunc(got, want, time.Time.Equal) {
				t.Errorf("events at %s, want %s", got, want)
			}
		})
	}
}
