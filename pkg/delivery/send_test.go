package delivery

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

func numbers(from, to int) string {
	var words []string
	for n := from; n <= to; n++ {
		words = append(words, fmt.Sprint(n))
	}
	return strings.Join(words, " ")
}

func TestNewAlertIsSentAtOnce(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.start()
		l.wait(10 * time.Minute)
		if l.lapi.pushed() != 0 {
			t.Errorf("%d pushes of nothing, want pushed 0", l.lapi.pushed())
		}
		l.add(1, 1)
		l.wait(0)
		l.wantStored("1")
		if got := l.history(1); got != "delivered 1" {
			t.Errorf("history %q, want \"delivered 1\"", got)
		}
	})
}

// Every trouble lasts an hour, with an alert every minute; then it ends.
func TestTroubleLosesNothingAndDoublesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, tt := range map[string]struct {
		begin, end func(f *fakeLAPI)
		most       int // pushes in the hour
	}{
		"down":                   {func(f *fakeLAPI) { f.fails = errDown }, func(f *fakeLAPI) { f.fails = nil }, 90},
		"refuses us":             {func(f *fakeLAPI) { f.fails = lapi.ErrRefused }, func(f *fakeLAPI) { f.fails = nil }, 90},
		"hangs":                  {func(f *fakeLAPI) { f.hangs = true }, func(f *fakeLAPI) { f.hangs = false }, 60},
		"takes none":             {func(f *fakeLAPI) { f.full = true }, func(f *fakeLAPI) { f.full = false }, 100},
		"breaks after every 25":  {func(f *fakeLAPI) { f.storeHalf = true }, func(f *fakeLAPI) { f.storeHalf = false }, 90},
		"loses every answer":     {func(f *fakeLAPI) { f.lost = 1 << 30 }, func(f *fakeLAPI) { f.lost = 0 }, 90},
		"loses the first answer": {func(f *fakeLAPI) { f.lost = 1 }, func(f *fakeLAPI) {}, 65},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				tt.begin(l.lapi)
				l.start()
				for n := 1; n <= 60; n++ {
					a := alertOn(n)
					a.Last = time.Now()
					l.queue(state.Entry{Alert: a})
					l.wait(time.Minute)
				}
				if l.lapi.pushed() > tt.most {
					t.Errorf("%d pushes in the hour, want at most %d", l.lapi.pushed(), tt.most)
				}
				l.lapi.set(func() { tt.end(l.lapi) })
				l.wait(2 * time.Minute)
				l.wantLists(0, 0)
				if got := l.lapi.size(); got != 60 {
					t.Errorf("%d alerts in the LAPI, want 60", got)
				}
				if s := l.sender.Stats(); s.Delivered != 60 || s.LastError != "" {
					t.Errorf("stats %+v, want Delivered 60, LastError \"\"", s)
				}
			})
		})
	}
}

func TestTroubleIsLoggedOnce(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.fails = hint.Wrap(errDown, "is it running?")
		l.start()
		l.add(1, 1)
		l.wait(time.Hour)
		if s := l.sender.Stats(); s.LastError != errDown.Error() || time.Since(s.FailingSince) < 59*time.Minute || s.Failures < 50 {
			t.Errorf("stats %+v", s)
		}
		l.lapi.set(func() { l.lapi.fails = nil })
		l.wait(time.Minute)
		text := l.log.String()
		for _, want := range []string{"alerts are not delivered now; they are kept", `hint="is it running?"`, "alerts are delivered again"} {
			if strings.Count(text, want) != 1 {
				t.Errorf("%q not once in %s", want, text)
			}
		}
	})
}

// After a delivery the waits begin small again.
func TestBackoffBeginsAnew(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.fails = errDown
		l.start()
		l.add(1, 1)
		l.wait(time.Hour)
		l.lapi.set(func() { l.lapi.fails = nil })
		l.wait(time.Minute)
		l.lapi.set(func() { l.lapi.fails = errDown })
		l.add(2, 2)
		l.wait(0)
		l.lapi.set(func() { l.lapi.fails = nil })
		l.wait(2 * time.Second)
		l.wantStored("1 2")
	})
}

// After a refusal the credentials are read anew; a new one is tried at once when
// asked for.
func TestCredentialsAreReadAgain(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		password := "wrong"
		l.options.Connect = func(context.Context) (LAPI, error) {
			l.connects++
			var err error
			l.lapi.set(func() {
				l.lapi.fails = nil
				switch password {
				case "":
					err = fmt.Errorf("no such file")
				case "wrong":
					l.lapi.fails = lapi.ErrRefused
				}
			})
			return l.lapi, err
		}
		l.start()
		l.add(1, 2)
		l.wait(10 * time.Minute)
		l.lapi.set(func() { password = "" })
		l.wait(10 * time.Minute)
		l.wantStored("")
		l.lapi.set(func() { password = "right" })
		l.sender.Reconnect()
		l.wait(0)
		l.wantStored("1 2")
		l.sender.Reconnect()
		l.wait(0)
		l.add(3, 3)
		l.wait(0)
		l.wantStored("1 2 3")
		l.stop()
		if l.lapi.closed == 0 || l.lapi.closed > l.connects {
			t.Errorf("%d connections, %d closed", l.connects, l.lapi.closed)
		}
	})
}

func TestAllowlistedIsSettledAsSuch(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.allowlist = map[string]bool{"192.0.2.2": true}
		l.start()
		l.add(1, 3)
		l.wait(0)
		l.lapi.set(func() { l.lapi.allowlist = map[string]bool{"192.0.2.4": true} })
		l.add(4, 5)
		l.wait(0)
		l.wantStored("1 3 5")
		l.wantLists(0, 0)
		for n, want := range map[int]string{2: "held-back allowlisted in the LAPI: office", 4: "held-back allowlisted in the LAPI: office", 5: "delivered 3"} {
			if got := l.history(n); got != want {
				t.Errorf("%d: %q, want %q", n, got, want)
			}
		}
	})
}

func TestPoisonIsParked(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.poison = map[string]bool{"192.0.2.2": true}
		l.start()
		l.add(1, 60)
		l.wait(time.Minute)
		l.wantStored("1 " + numbers(3, 60))
		l.wantLists(0, 1)
		parked, err := l.store.Parked(0, 5)
		if err != nil || parked[0].Reason != "the LAPI rejects it: validation" || l.sender.Stats().Parked != 1 {
			t.Errorf("got %+v, %v, want Reason \"the LAPI rejects it: validation\", Parked 1", parked, err)
		}
		if want := "csmail outbox retry " + parked[0].ID; !strings.Contains(l.log.String(), want) {
			t.Errorf("no %q in %s", want, l.log.String())
		}
		l.lapi.set(func() { l.lapi.poison = nil })
		if _, err := l.store.Retry([]string{parked[0].ID}, time.Now()); err != nil {
			t.Fatal(err)
		}
		l.sender.Wake()
		l.wait(0)
		l.wantStored("1 " + numbers(3, 60) + " 2")
	})
}

// A database that is busy for a moment refuses an alert; that is no poison.
func TestRefusedOnceIsNotParked(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.poison = map[string]bool{"192.0.2.2": true}
		l.start()
		l.add(1, 3)
		l.wait(0)
		l.wantStored("1 3")
		l.wantLists(1, 0)
		l.lapi.set(func() { l.lapi.poison = nil })
		l.wait(2 * time.Second)
		l.wantStored("1 3 2")
		l.wantLists(0, 0)
	})
}

// As long as nothing shows that the LAPI takes alerts at all, none is to blame.
func TestAloneItIsNotParked(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.poison = map[string]bool{"192.0.2.1": true}
		l.start()
		l.add(1, 1)
		l.wait(2 * time.Hour)
		l.wantLists(1, 0)
		l.add(2, 2)
		l.wait(5 * time.Minute)
		l.wantStored("2")
		l.wantLists(0, 1)
	})
}

func TestPoisonedBatchDoesNotBlock(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.poison = map[string]bool{}
		for n := 1; n <= 50; n++ {
			l.lapi.poison[fmt.Sprint("192.0.2.", n)] = true
		}
		l.start()
		l.add(1, 55)
		l.wait(10 * time.Second)
		l.wantStored(numbers(51, 55))
		l.add(60, 60)
		l.wait(2 * time.Minute)
		l.wantStored(numbers(51, 55) + " 60")
	})
}

func TestMalformedIsParkedAtOnce(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		bad := alertOn(1)
		bad.Scenario = ""
		l.queue(state.Entry{Alert: bad}, state.Entry{Alert: alertOn(2)})
		l.start()
		l.wait(0)
		l.wantStored("2")
		l.wantLists(0, 1)
	})
}

func TestFullDiskOnSettle(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		broken := &brokenStore{Store: l.store, settleFails: 5}
		l.startOn(broken)
		l.add(1, 3)
		l.wait(0)
		if s := l.sender.Stats(); s.LastError != errFull.Error() {
			t.Errorf("stats %+v, want LastError %v", s, errFull.Error())
		}
		l.wait(5 * time.Minute)
		l.wantStored("1 2 3")
		l.wantLists(0, 0)
		if l.lapi.pushed() != 1 || l.history(3) != "delivered 3" {
			t.Errorf("%d pushes, history %q", l.lapi.pushed(), l.history(3))
		}
	})
}

func TestKilledBetweenPushAndSettle(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.startOn(&brokenStore{Store: l.store, settleFails: 1 << 30})
		l.add(1, 3)
		l.wait(time.Minute)
		l.stop()
		l.wantLists(3, 0)
		l.start()
		l.wait(0)
		l.wantStored("1 2 3")
		l.wantLists(0, 0)
		if got := l.history(2); got != "delivered 2" {
			t.Errorf("history %q, want \"delivered 2\"", got)
		}
	})
}

func TestStopDoesNotWaitForAHangingLAPI(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.hangs = true
		l.start()
		l.add(1, 1)
		l.wait(time.Second)
		began := time.Now()
		l.stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("stopped after %s, want 0", took)
		}
		l.wantLists(1, 0)
	})
}

func TestOrderAndOptionsOfBatches(t *testing.T) {
	t.Parallel()
	entries := []state.Entry{{Seq: 1}, {Seq: 2}, {Seq: 3, Duration: time.Hour}, {Seq: 4, Duration: time.Hour, Simulate: true}, {Seq: 5}}
	for i, want := range []int{2, 1, 1, 1, 1} {
		if got := takeBatch(entries[i:]); len(got.entries) != want && i != 1 || got.options.Duration != entries[i].Duration {
			t.Errorf("from %d: %d entries, %+v", i, len(got.entries), got.options)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		for range 100 {
			got := backoff(failures)
			if got > want*time.Second || got < want*time.Second*3/4 {
				t.Fatalf("after %d failures: %s, want about %d s", failures, got, want)
			}
		}
	}
	if got := backoff(1 << 30); got > time.Minute {
		t.Errorf("got %s, want at most %v", got, time.Minute)
	}
}

func TestAccountsAreNotNamedInLogs(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		account := alertOn(1)
		account.Scope, account.Account, account.Scenario = event.ScopeAccount, "bob@example.org", ""
		l.queue(state.Entry{Alert: account})
		l.start()
		l.wait(0)
		if text := l.log.String(); !strings.Contains(text, "an account") || strings.Contains(text, "bob") {
			t.Errorf("log %s, want it to contain \"an account\", it without \"bob\"", text)
		}
	})
}

// A judge that does not deliver keeps its alerts, and calls that no trouble; when it
// begins to deliver, it sends what is left.
func TestWhoFollowsWaits(t *testing.T) {
	t.Parallel()
	inLab(t, func(t *testing.T, l *lab) {
		l.lapi.set(func() { l.lapi.fails = lapi.ErrFollows })
		l.start()
		l.add(1, 3)
		l.wait(time.Minute)
		l.wantLists(3, 0)
		if s := l.sender.Stats(); s.LastError != "" || s.Failures != 0 {
			t.Errorf("got error %q and %d failures of a judge that follows, want none", s.LastError, s.Failures)
		}
		l.lapi.set(func() { l.lapi.fails = nil })
		l.sender.Wake()
		l.wait(time.Second)
		l.wantStored("1 2 3")
	})
}
