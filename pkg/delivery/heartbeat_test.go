package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"csmail/pkg/lapi"

	"github.com/google/go-cmp/cmp"
)

// fakeBeacon writes down what it is told.
type fakeBeacon struct {
	mu            sync.Mutex
	beats, closed int
	reports       []string
	fails         error
	refuses       error         // reports
	answers       time.Duration // after which it answers a report that it has counted
}

func (f *fakeBeacon) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeBeacon) Close() { f.set(func() { f.closed++ }) }

func (f *fakeBeacon) Heartbeat(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails == nil {
		f.beats++
	}
	return f.fails
}

func (f *fakeBeacon) SendUsage(ctx context.Context, u lapi.Usage) error {
	if err := f.addUsage(u); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.answers):
		return nil
	}
}

func (f *fakeBeacon) addUsage(u lapi.Usage) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses != nil {
		return f.refuses
	}
	text := fmt.Sprint(u.Version, " ", u.Window)
	for _, s := range u.Sources {
		text += fmt.Sprintf(" %s %d=%d+%d", s.Source, s.Read, s.Parsed, s.Unparsed)
	}
	f.reports = append(f.reports, text)
	return nil
}

// At the end the answer to a report under way is waited for, a short time: without it the
// report would be sent again, and its lines would count twice.
func TestPresenceAwaitsAnAnswer(t *testing.T) {
	t.Parallel()
	for answers, want := range map[time.Duration]int{time.Second: 1, time.Minute: 2} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeBeacon{answers: answers}
			totals := []lapi.SourceUsage{{Source: "a", Read: 3, Parsed: 3}}
			p := &Presence{
				Connect: func(context.Context) (Beacon, error) { return f, nil }, Started: time.Now(),
				Totals: func() []lapi.SourceUsage { return totals },
			}
			ctx, stop := context.WithCancel(t.Context())
			var run sync.WaitGroup
			run.Go(func() { p.Run(ctx) })
			synctest.Wait()
			stop()
			stopped := time.Now()
			run.Wait()
			if took := time.Since(stopped); took > answerWithin {
				t.Errorf("an answer after %v: got an end after %v, want one within %v", answers, took, answerWithin)
			}
			f.answers = 0
			if err := p.Leave(t.Context(), totals); err != nil || len(f.reports) != want {
				t.Errorf("an answer after %v: got %v and %d reports, want %d", answers, err, len(f.reports), want)
			}
		})
	}
}

// What a run before could not tell goes with the first report, and with no other.
func TestPresenceTellsOfRunsBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, told := &fakeBeacon{refuses: lapi.ErrUnreachable}, 0
		p := &Presence{
			Connect: func(context.Context) (Beacon, error) { return f, nil }, Version: "1.0.0", Started: time.Now(), last: time.Now(),
			Before:   Unreported{time.Now().Add(-time.Hour), []lapi.SourceUsage{{Source: "a", Read: 3, Parsed: 2, Unparsed: 1}, {Source: "b", Read: 1, Parsed: 1}}},
			Reported: func() { told++ },
		}
		leave := func(read uint64, fails bool) {
			t.Helper()
			if err := p.Leave(t.Context(), []lapi.SourceUsage{{Source: "a", Read: read, Parsed: read}}); (err != nil) != fails {
				t.Error(err)
			}
		}
		leave(0, true)
		if want := (Unreported{time.Now().Add(-time.Hour), []lapi.SourceUsage{{Source: "a", Read: 7, Parsed: 6, Unparsed: 1}, {Source: "b", Gone: true, Read: 1, Parsed: 1}}}); !cmp.Equal(want, p.Unreported([]lapi.SourceUsage{{Source: "a", Read: 4, Parsed: 4}})) {
			t.Errorf("unreported %+v, want cmp %v", p.Unreported(nil), want)
		}
		f.refuses = nil
		leave(4, false)
		leave(4, false) // nothing is left to tell
		time.Sleep(time.Minute)
		leave(5, false)
		want := []string{"1.0.0 1h0m0s a 7=6+1 b 1=1+0", "1.0.0 1m0s a 1=1+0"}
		if d := cmp.Diff(want, f.reports); d != "" || told != 1 {
			t.Errorf("told %d times; reports (-want +got):\n%s", told, d)
		}
	})
}

func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBeacon{}
		connects, lines := 0, uint64(10)
		ctx, cancel := context.WithCancel(t.Context())
		p := &Presence{
			Connect: func(context.Context) (Beacon, error) { connects++; return f, nil },
			Totals: func() []lapi.SourceUsage {
				f.mu.Lock()
				defer f.mu.Unlock()
				return []lapi.SourceUsage{{Source: "mail.log", Read: lines, Parsed: lines - 1, Unparsed: 1}}
			},
			Version: "1.0.0", Started: time.Now(),
		}
		done := make(chan struct{})
		go func() { p.Run(ctx); close(done) }()
		synctest.Wait()
		f.set(func() {
			if f.beats != 1 || len(f.reports) != 1 {
				t.Errorf("at the start: %d beats, reports %v, want beats 1, 1 reports", f.beats, f.reports)
			}
			lines = 110
		})
		time.Sleep(35*time.Minute + 30*time.Second) // between two beats
		synctest.Wait()
		f.set(func() { f.fails, lines = fmt.Errorf("%w: wrong password", lapi.ErrRefused), 115 })
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		f.set(func() { f.fails = nil })
		time.Sleep(2 * time.Minute)
		cancel()
		<-done
		leave := func(want string) {
			t.Helper()
			if err := p.Leave(t.Context(), p.Totals()); fmt.Sprint(err) != want {
				t.Errorf("leave: %v, want %s", err, want)
			}
		}
		leave("<nil>") // nothing to tell
		f.set(func() { lines = 118 })
		f.set(func() { f.refuses = lapi.ErrUnreachable })
		leave("lapi unreachable")
		f.set(func() { f.refuses = nil })
		leave("<nil>")
		leave("<nil>")
		want := []string{"1.0.0 0s mail.log 10=9+1", "1.0.0 30m0s mail.log 100=100+0", "1.0.0 36m0s mail.log 5=5+0", "1.0.0 1m30s mail.log 3=3+0"}
		if d := cmp.Diff(want, f.reports); d != "" {
			t.Errorf("reports (-want +got):\n%s", d)
		}
		if connects != f.closed || connects < 30 || !slices.Contains([]int{37, 38, 39}, f.beats) {
			t.Errorf("%d connections, %d closed, %d beats", connects, f.closed, f.beats)
		}
	})
}

// A LAPI that is reloaded while csmail starts, as by csmail setup, is no warning. One that
// stays away is.
func TestPresenceOfALAPIThatStarts(t *testing.T) {
	t.Parallel()
	for back, want := range map[time.Duration]int{0: 0, 2 * time.Second: 0, 10 * time.Second: 1} {
		synctest.Test(t, func(t *testing.T) {
			f, log := &fakeBeacon{fails: lapi.ErrRefused}, &strings.Builder{}
			ctx, cancel := context.WithCancel(t.Context())
			p := &Presence{
				Connect: func(context.Context) (Beacon, error) { return f, nil }, Started: time.Now(),
				Totals: func() []lapi.SourceUsage { return nil }, Log: slog.New(slog.NewTextHandler(log, nil)),
			}
			time.AfterFunc(back, func() { f.set(func() { f.fails = nil }) })
			done := make(chan struct{})
			go func() { p.Run(ctx); close(done) }()
			time.Sleep(90 * time.Second)
			cancel()
			<-done
			if got := strings.Count(log.String(), "no heartbeat to the LAPI"); got != want || p.Failure().Err != nil || f.beats == 0 {
				t.Errorf("back after %s: %d warnings, want %d; %d beats, failure %v; log:\n%s", back, got, want, f.beats, p.Failure().Err, log)
			}
		})
	}
}
