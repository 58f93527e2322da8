package document

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// dayLines is a log of two days: mails through a content filter, refusals, guesses
// and logins, some of them around midnight.
func dayLines(seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 1))
	var lines []string
	at := time.Date(2026, 11, 27, 22, 0, 0, 0, time.UTC)
	say := func(tag, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%s mx1 %s: %s", at.Format("2006-01-02T15:04:05.000000Z07:00"), tag, fmt.Sprintf(format, args...)))
		at = at.Add(time.Duration(random.IntN(400)) * time.Millisecond)
	}
	for i := range 400 {
		at = at.Add(time.Duration(random.IntN(600)) * time.Second)
		addr := fmt.Sprintf("198.51.%d.%d", random.IntN(6), random.IntN(20))
		user := fmt.Sprintf("user%d@example.org", random.IntN(9))
		tag := fmt.Sprintf("postfix/smtpd[%d]", 100+i)
		switch random.IntN(4) {
		case 0:
			mailThroughFilter(say, tag, i, addr, user)
		case 1:
			say(tag, "connect from unknown[%s]", addr)
			say(tag, "warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=%s", addr, user)
			say(tag, "disconnect from unknown[%s] ehlo=1 auth=0/1 commands=1/2", addr)
		case 2:
			say("dovecot", "imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=192.0.2.1, mpid=%d, TLS, session=<s%d>", user, addr, i, i)
		case 3:
			say(tag, "NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <x\xff@y.example>: Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>", addr)
		}
	}
	return lines
}

func mailThroughFilter(say func(string, string, ...any), tag string, i int, addr, user string) {
	first, second := fmt.Sprintf("A%05XF", i), fmt.Sprintf("B%05XF", i)
	say(tag, "%s: client=a.example[%s]", first, addr)
	say("postfix/cleanup[7]", "%s: message-id=<%d@a.example>", first, i)
	say("postfix/qmgr[8]", "%s: from=<a@b.example>, size=%d, nrcpt=1 (queue active)", first, 1000+i)
	say("postfix/smtpd[9]", "%s: client=localhost[127.0.0.1]", second)
	say("postfix/cleanup[7]", "%s: message-id=<%d@a.example>", second, i)
	say("postfix/qmgr[8]", "%s: from=<a@b.example>, size=%d, nrcpt=1 (queue active)", second, 1100+i)
	say("postfix/smtp[5]", "%s: to=<%s>, relay=127.0.0.1[127.0.0.1]:10024, delay=9, delays=0/0/0/9, dsn=2.0.0, status=sent (250 2.0.0 from MTA: 250 Ok: queued as %s)", first, user, second)
	say("postfix/qmgr[8]", "%s: removed", first)
	say("postfix/lmtp[6]", "%s: to=<%s>, relay=example.org[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Saved)", second, user)
	say("postfix/qmgr[8]", "%s: removed", second)
}

// reader runs lines through an engine and hands out what it makes of them.
type reader struct {
	parser engine.Parser
	engine *engine.Engine
	number int64
}

func newReader() *reader { return &reader{engine: engine.New(engine.Options{})} }

func (r *reader) read(text string, flow func(*event.Record), result func(engine.Result)) {
	r.number++
	line := logline.Line{Text: text, Number: r.number, Zone: time.UTC}
	var record event.Record
	var f event.Flow
	r.parser.Parse(&line, &record)
	if r.parser.ParseFlow(&line, &record, &f) {
		record.Flow = &f
		flow(&record)
	}
	if record.Outcome >= event.Witness {
		result(r.engine.Step(&record))
	}
}

func ofDays(t *testing.T, lines []string, date string, cutAt func(int) bool) string {
	t.Helper()
	o := DaysOptions{Zone: time.UTC, ZoneName: "UTC", Bans: time.Hour}
	days, r := NewDays(o), newReader()
	for i, text := range lines {
		r.read(text, func(record *event.Record) { days.Add(record) }, func(result engine.Result) { days.AddResult(result) })
		if !cutAt(i) {
			continue
		}
		snapshot, err := days.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if days, err = RestoreDays(o, snapshot); err != nil {
			t.Fatal(err)
		}
	}
	d := days.Report(date, Surroundings{})
	if d == nil {
		t.Fatalf("there is no %s", date)
	}
	return storedText(t, d)
}

func storedText(t *testing.T, d *Document) string {
	t.Helper()
	text, err := d.Store()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(text, time.UTC, d.Generated)
	if err != nil {
		t.Fatal(err)
	}
	second, err := again.Store()
	if err != nil || string(second) != string(text) {
		t.Fatalf("%v: stored as\n%s\nread back as\n%s", err, text, second)
	}
	return string(text)
}

// ofWindow is what csmail report FILE makes of the same day.
func ofWindow(t *testing.T, lines []string, date string) string {
	t.Helper()
	start, err := time.Parse(time.DateOnly, date)
	if err != nil {
		t.Fatal(err)
	}
	scope := report.Scope{Since: start, Until: start.AddDate(0, 0, 1)}
	w, r := NewWindow(scope, time.Hour), newReader()
	tracker := daily.NewTracker(daily.Options{Zone: time.UTC, At: func(at time.Time) *daily.Figures {
		if w.Holds(at) {
			return w.Figures
		}
		return nil
	}})
	for _, text := range lines {
		r.read(text, func(record *event.Record) {
			w.Note(record)
			tracker.Add(record, record.Flow)
		}, func(result engine.Result) {
			w.Add(result)
			if result.Outcome == event.Noted && !result.Folded {
				tracker.AddEvent(&result.Event)
			}
		})
	}
	tracker.Finish()
	in := w.Input()
	in.Zone, in.ZoneName, in.From, in.To = time.UTC, "UTC", scope.Since, scope.Until
	return storedText(t, New(in))
}

func TestDaysEqualTheLogAndOutliveAnyCut(t *testing.T) {
	for seed := range uint64(5) {
		lines := dayLines(seed)
		for _, date := range []string{"2026-11-28", "2026-11-29"} {
			want := ofWindow(t, lines, date)
			random := rand.New(rand.NewPCG(seed, 2))
			for name, cutAt := range map[string]func(int) bool{
				"in one run":      func(int) bool { return false },
				"cut at any line": func(int) bool { return random.IntN(40) == 0 },
			} {
				if got := ofDays(t, lines, date, cutAt); got != want {
					t.Errorf("seed %d, %s, %s:\n got %s\nwant %s", seed, date, name, got, want)
				}
			}
		}
	}
}

func TestDaysCloseAnHourAfterMidnight(t *testing.T) {
	days := NewDays(DaysOptions{Zone: time.UTC, Bans: time.Hour})
	r := newReader()
	for _, text := range dayLines(1) {
		r.read(text, func(record *event.Record) { days.Add(record) }, func(result engine.Result) { days.AddResult(result) })
	}
	midnight := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	if due := days.Due(midnight.Add(lateLines - time.Second)); len(due) != 1 || due[0] != "2026-11-27" {
		t.Errorf("before one o'clock these are due: %q", due)
	}
	if due := days.Due(midnight.Add(lateLines)); len(due) != 2 || due[1] != "2026-11-28" {
		t.Errorf("at one o'clock these are due: %q", due)
	}
	if days.IsWhole("2026-11-27") || !days.IsWhole("2026-11-28") {
		t.Error("the first day, of which the beginning is missing, counts as whole, or the second does not")
	}
	days.Close("2026-11-27")
	days.Close("2026-11-28")
	if days.IsOpen("2026-11-28") || days.Report("2026-11-28", Surroundings{}) != nil {
		t.Error("a closed day is still open")
	}
	late := &event.Record{Flow: &event.Flow{Kind: event.FlowMaster, Text: "reload"}, Event: event.Event{Time: midnight.Add(-time.Minute)}}
	days.Add(late)
	if days.IsOpen("2026-11-28") {
		t.Error("a late line opens a closed day again")
	}
}

func TestHabits(t *testing.T) {
	h := habits{}
	h.learn("2026-10-01", map[string]int{"alice": 9})
	h.learn("2026-11-01", map[string]int{"alice": 3, "bob": 1})
	h.learn("2026-11-10", map[string]int{"alice": 2})
	for date, want := range map[string]int{"2026-11-01": 0, "2026-11-02": 3, "2026-11-20": 3, "2026-12-05": 2, "2026-12-30": 0} {
		if got := h.most("alice", date); got != want {
			t.Errorf("most before %s: %d, want %d", date, got, want)
		}
	}
	if len(h) != 1 {
		t.Errorf("%d accounts are kept, want alice's only", len(h))
	}
}

func TestLoginFromManyNetworks(t *testing.T) {
	w := NewWatch(func(*event.Event) bool { return true })
	for i := range 5 {
		addr := fmt.Sprintf("198.%d.0.1", 18+i)
		w.loggedIn(engine.Result{Record: &event.Record{Event: event.Event{User: "Alice", Addr: netip.MustParseAddr(addr)}}})
		w.loggedIn(engine.Result{Record: &event.Record{Event: event.Event{User: "bob", Addr: netip.MustParseAddr(fmt.Sprintf("198.18.%d.1", i))}}})
	}
	if found := w.manyOrigins(Input{}); len(found) != 1 || found[0].Subjects[0] != "alice" || found[0].Count != 5 || found[0].Severity != Warn {
		t.Errorf("alice came from 5 networks, bob from one; found %+v", found)
	}
	if found := w.manyOrigins(Input{Usual: func(string) int { return 5 }}); len(found) != 0 {
		t.Errorf("alice travels a lot: %+v", found)
	}
	country := func(addr netip.Addr) (string, string) { return fmt.Sprint("C", addr.As4()[1]%3), "" }
	if found := w.manyOrigins(Input{Place: country}); len(found) != 1 || found[0].Severity != Urgent || !strings.Contains(found[0].Title, "from 3 countries: C0, C1, C2") {
		t.Errorf("alice came from 3 countries: %+v", found)
	}
}
