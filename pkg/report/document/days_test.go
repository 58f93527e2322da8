package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
	"csmail/pkg/wire"
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
		switch random.IntN(5) {
		case 0:
			mailThroughFilter(say, tag, i, addr, user)
		case 1:
			say(tag, "connect from unknown[%s]", addr)
			say(tag, "warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=%s", addr, user)
			say(tag, "disconnect from unknown[%s] ehlo=1 auth=0/1 commands=1/2", addr)
		case 2:
			say("dovecot", "imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=192.0.2.1, mpid=%d, TLS, session=<s%d>", user, addr, i, i)
		case 4:
			id := fmt.Sprintf("C%05XF", i)
			say(tag, "%s: client=c.example[%s], sasl_method=PLAIN, sasl_username=%s", id, addr, user)
			say("postfix/qmgr[8]", "%s: from=<%s>, size=%d, nrcpt=1 (queue active)", id, user, 500+i)
			say("postfix/smtp[5]", "%s: to=<x@d%d.example>, relay=mx[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=%s (answer)", id, i%5, []string{"sent", "deferred", "bounced"}[i%3])
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

func newReader() *reader {
	set, err := detect.Load([]string{"strict"})
	if err != nil {
		panic(err)
	}
	return &reader{engine: engine.New(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})}
}

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

// keeper keeps the hours that are over, as the daemon does.
type keeper struct {
	t    *testing.T
	days *Days
	kept map[string][]byte
}

func newKeeper(t *testing.T) *keeper {
	return &keeper{t, NewDays(DaysOptions{Zone: time.UTC, ZoneName: "UTC", Bans: time.Hour}), map[string][]byte{}}
}

func (k *keeper) read(r *reader, text string) {
	r.read(text, func(record *event.Record) { k.days.Add(record) }, func(result engine.Result) { k.days.AddResult(&result) })
}

// store takes the hours that are over.
func (k *keeper) store() {
	k.t.Helper()
	taken, err := k.days.Take()
	if err != nil {
		k.t.Fatal(err)
	}
	for key, part := range taken {
		if before := k.kept[key]; before != nil {
			if part, err = mergeEncoded(before, part); err != nil {
				k.t.Fatal(err)
			}
		}
		k.kept[key] = part
	}
}

// restart stores everything and goes on with a copy.
func (k *keeper) restart() {
	k.t.Helper()
	k.store()
	var snapshot []byte
	k.days.Snapshot(func(piece []byte) { snapshot = append(snapshot, piece...) })
	next, err := wire.Whole(snapshot)()
	if err != nil {
		k.t.Fatal(err)
	}
	if k.days, err = RestoreDays(k.days.options, next); err != nil {
		k.t.Fatal(err)
	}
}

// report makes the report of a window, without habits.
func (k *keeper) report(since, until time.Time) *Document {
	k.t.Helper()
	open, err := k.days.Open(since, until)
	if err != nil {
		k.t.Fatal(err)
	}
	hours := map[string][]byte{}
	for key, part := range k.kept {
		if key >= Key(since) && key < Key(until) {
			hours[key] = part
		}
	}
	w, err := MergeWindows(report.Scope{Since: since, Until: until}, append(Ordered(hours), Ordered(open)...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	return Maker{Zone: time.UTC, ZoneName: "UTC"}.Of(w, Surroundings{Since: since, Until: until, Unfinished: k.days.Unfinished(since, until)})
}

func day(date string) (since, until time.Time) {
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	return at, at.AddDate(0, 0, 1)
}

// asText shows everything that a report says.
func asText(t *testing.T, d *Document) string {
	t.Helper()
	for _, s := range d.Attackers.List {
		s.Verdict.Checks = nil // no report shows them, so they are not kept
		slices.Sort(s.Users)   // they are in the order of appearance, which differs where hosts are permuted
		slices.SortFunc(s.Kinds, func(a, b event.Count) int { return strings.Compare(a.Name, b.Name) })
	}
	text, err := json.MarshalIndent(finished{d, d.Attackers.List}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ofWindow is what csmail report FILE makes of the same time.
func ofWindow(t *testing.T, lines []string, since, until time.Time) string {
	t.Helper()
	scope := report.Scope{Since: since, Until: until}
	w := windowOf(lines, scope)
	return asText(t, Maker{Zone: time.UTC, ZoneName: "UTC"}.Of(w, Surroundings{Since: since, Until: until}))
}

func windowOf(lines []string, scope report.Scope) *Window {
	w, r := NewWindow(scope), newReader()
	bans := NewBanEffect(time.Hour, func(at time.Time) *Window {
		if w.Holds(at) {
			return w
		}
		return nil
	})
	counting := daily.Options{Zone: time.UTC, At: func(at time.Time) *daily.Figures {
		if w.Holds(at) {
			return w.Figures
		}
		return nil
	}}
	tracker, logins := daily.NewTracker(counting), daily.NewLogins(counting)
	for _, text := range lines {
		r.read(text, func(record *event.Record) {
			logged := record.Logged()
			w.Note(&logged)
			tracker.Add(&logged, record.Flow)
		}, func(result engine.Result) {
			bans.Add(&result)
			for i := range result.Findings {
				if w.Holds(result.Findings[i].At) {
					w.AddFindings(result.Findings[i : i+1])
				}
			}
			result.Findings = nil
			w.Add(&result)
			if result.Outcome == event.Noted && !result.Folded {
				logins.Add(result.Record)
			}
		})
	}
	tracker.Finish()
	return w
}

// Days, half days and the last 24 hours, merged from the hours that were kept, say what
// the log of that time says, wherever the daemon was stopped in between.
func TestHoursMergeIntoAnyWindow(t *testing.T) {
	at := func(text string) time.Time {
		at, err := time.Parse("2006-01-02T15", text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	windows := [][2]time.Time{
		{at("2026-11-28T00"), at("2026-11-29T00")},
		{at("2026-11-29T00"), at("2026-11-30T00")},
		{at("2026-11-28T00"), at("2026-11-30T00")},
		{at("2026-11-28T00"), at("2026-11-28T12")},
		{at("2026-11-28T12"), at("2026-11-29T00")},
		{at("2026-11-28T07"), at("2026-11-29T07")},
		{at("2026-11-28T23"), at("2026-11-29T01")},
	}
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		lines := dayLines(seed)
		var want []string
		for _, window := range windows {
			want = append(want, ofWindow(t, lines, window[0], window[1]))
		}
		random := rand.New(rand.NewPCG(seed, 2))
		for name, cutAt := range map[string]func() bool{
			"in one run": func() bool { return false }, "cut often": func() bool { return random.IntN(40) == 0 }, "cut at times": func() bool { return random.IntN(300) == 0 },
		} {
			k, r := newKeeper(t), newReader()
			for _, text := range lines {
				if k.read(r, text); cutAt() {
					k.restart()
				}
			}
			for i, window := range windows {
				got := asText(t, k.report(window[0], window[1]))
				if diff := cmp.Diff(want[i], got); diff != "" {
					t.Fatalf("seed %d, %s, %s to %s (-want +got):\n%s", seed, name, window[0], window[1], diff)
				}
			}
		}
	}
}

// The windows of several hosts come to that of all of them, in whatever order they are
// merged.
func TestHostsInAnyOrderComeToTheSame(t *testing.T) {
	since, until := day("2026-11-28")
	scope := report.Scope{Since: since, Until: until}
	var parts [][]byte
	for host := range 4 {
		var lines []string
		for _, line := range dayLines(uint64(host % 3)) {
			lines = append(lines, strings.Replace(line, " mx1 ", fmt.Sprintf(" mx%d ", host), 1))
		}
		parts = append(parts, windowOf(lines, scope).Encode())
	}
	random := rand.New(rand.NewPCG(5, 6))
	want := ""
	for range 20 {
		w, err := MergeWindows(scope, parts...)
		if err != nil {
			t.Fatal(err)
		}
		got := asText(t, Maker{Zone: time.UTC}.Of(w, Surroundings{Since: since, Until: until}))
		if want == "" {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the order of hosts counts (-first +later):\n%s", diff)
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
}

// What is known of the accounts outlives a restart.
func TestHabitsOutliveARestart(t *testing.T) {
	k, r := newKeeper(t), newReader()
	for day := 1; day <= 9; day++ {
		k.read(r, fmt.Sprintf("2026-11-%02dT10:00:00Z mx1 dovecot: imap-login: Login: user=<Alice>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=7, TLS, session=<s>", day))
		k.restart()
	}
	k.read(r, "2026-11-10T10:00:00Z mx1 dovecot: imap-login: Login: user=<Alice>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, mpid=7, TLS, session=<s>")
	since, until := day("2026-11-10")
	open, err := k.days.Open(since, until)
	if err != nil {
		t.Fatal(err)
	}
	w, err := MergeWindows(report.Scope{Since: since, Until: until}, Ordered(open)...)
	if err != nil {
		t.Fatal(err)
	}
	d := Maker{Zone: time.UTC}.Of(w, Surroundings{Since: since, Until: until, Habits: k.days.HabitsOf(w)})
	if !slices.ContainsFunc(d.Findings, func(f Finding) bool {
		return f.ID == "login-from-new-network" && slices.Equal(f.Subjects, []string{"alice"})
	}) {
		t.Errorf("got %+v, want alice's login from a new network", d.Findings)
	}
}

func TestHoursAreOverAnHourAfterTheirEnd(t *testing.T) {
	k, r := newKeeper(t), newReader()
	at := func(clock, text string) string { return "2026-11-28T" + clock + ":00Z mx1 " + text }
	master := "postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix"
	k.read(r, at("09:10", master))
	k.read(r, at("10:30", master))
	if taken, err := k.days.Take(); err != nil || len(taken) != 0 {
		t.Errorf("at 10:30 %d hours are over, %v; want none", len(taken), err)
	}
	k.read(r, at("11:00", master))
	if k.store(); len(k.kept) != 1 || k.kept["2026-11-28T09:00Z"] == nil {
		t.Errorf("at 11:00 these are over: %q, want that of nine o'clock", slices.Collect(maps.Keys(k.kept)))
	}
	k.read(r, at("09:20", master)) // late
	k.read(r, at("12:10", master))
	k.store()
	since, until := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	if d := k.report(since, until); len(d.Master) != 1 || d.Master["reload -- version 3.7.11, configuration /etc/postfix"] != 2 {
		t.Errorf("of nine o'clock there are %v, want both lines, also the late one", d.Master)
	}
}

// A mail on hold gets its size when it is released, hours after the hour in which it was
// counted was stored.
func TestWhatIsCorrectedLate(t *testing.T) {
	k, r := newKeeper(t), newReader()
	lines := []string{
		"2026-11-28T08:00:00Z mx1 postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix",
		"2026-11-28T09:00:00Z mx1 postfix/smtpd[5]: AAAAAA1: client=a.example[198.51.100.7]",
		"2026-11-28T09:00:00Z mx1 postfix/smtpd[5]: AAAAAA1: hold: RCPT from a.example[198.51.100.7]: <x@y.example>: Recipient address look; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>",
		"2026-11-28T09:05:00Z mx1 postfix/smtpd[6]: BBBBBB1: client=a.example[198.51.100.7]",
		"2026-11-28T15:00:00Z mx1 postfix/qmgr[7]: AAAAAA1: from=<a@b.example>, size=5000, nrcpt=1 (queue active)",
		"2026-11-28T15:00:01Z mx1 postfix/lmtp[8]: AAAAAA1: to=<x@y.example>, relay=y[private/lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
		"2026-11-28T15:00:02Z mx1 postfix/qmgr[7]: AAAAAA1: removed",
		"2026-11-28T18:00:00Z mx1 postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix",
	}
	for _, text := range lines {
		k.read(r, text)
		k.restart()
	}
	since, until := day("2026-11-28")
	got := k.report(since, until)
	if got.Received != 1 || got.BytesReceived != 5000 || got.Delivered != 1 || got.Incomplete != 1 || got.Senders != 1 {
		t.Errorf("%d received of %d bytes, %d delivered, %d not completed, %d senders; want 1 of 5000, 1, 1, 1", got.Received, got.BytesReceived, got.Delivered, got.Incomplete, got.Senders)
	}
	if diff := cmp.Diff(ofWindow(t, lines, since, until), asText(t, got)); diff != "" {
		t.Errorf("(-log +daemon):\n%s", diff)
	}
}

func TestDecodeWindowRefuses(t *testing.T) {
	since, until := day("2026-11-28")
	good := windowOf(dayLines(1), report.Scope{Since: since, Until: until}).Encode()
	bad := map[string][]byte{"nothing": nil, "something else": []byte("{}")}
	for n := 0; n < len(good); n += len(good)/100 + 1 {
		bad[fmt.Sprintf("%d bytes of %d", n, len(good))] = good[:n]
	}
	for name, text := range bad {
		if _, err := DecodeWindow(report.Scope{}, text); !errors.Is(err, errWindow) {
			t.Errorf("%s: got %v, want %v", name, err, errWindow)
		}
	}
	if _, err := DecodeWindow(report.Scope{}, good); err != nil {
		t.Errorf("what was encoded: %v", err)
	}
}

// What an older csmail stored of a day is a finished report, and stays readable.
func TestOldDaysStayReadable(t *testing.T) {
	old := []byte(`{"version":1,"generated":"2026-11-02T06:00:00Z","host":"mx1","from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","timezone":"UTC","days":1,"lines":5,"status":"quiet",` +
		`"findings":[],"received":7,"delivered":6,"deferred":5,"bounced":4,"rejected":3,"logins":{"ok":2,"failed":1,"users":1},"sources":[]}`)
	want := Day{"2026-11-01", 7, 6, 5, 4, 3, 1, 2}
	if got, err := LoadDay(old, time.UTC); err != nil || got != want || !IsFinished(old) {
		t.Errorf("of an older csmail: got %+v, %v, want %+v", got, err, want)
	}
	text, err := StoreDay(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := LoadDay(text, time.UTC); err != nil || got != want || IsFinished(text) {
		t.Errorf("of this csmail: got %+v, %v, want %+v", got, err, want)
	}
	if _, err := LoadDay([]byte(`{"version":9}`), time.UTC); !errors.Is(err, errDay) {
		t.Errorf("of a later csmail: got %v, want %v", err, errDay)
	}
}

func TestHabits(t *testing.T) {
	h := newHabits()
	learn := func(date string, addrs ...string) {
		w := NewWindow(report.Scope{})
		for _, addr := range addrs {
			w.watch.loggedIn(&engine.Result{Record: &event.Record{Event: event.Event{User: "Alice", Addr: netip.MustParseAddr(addr)}}})
		}
		h.learn(date, w)
	}
	learn("2026-10-01", "198.18.0.1", "198.19.0.1", "198.20.0.1", "198.21.0.1")
	learn("2026-11-01", "198.18.0.1", "198.22.0.1")
	learn("2026-11-01", "198.23.0.1") // another hour
	learn("2026-11-10", "198.18.0.9", "198.24.0.1")
	for date, want := range map[string]string{
		"2026-11-01": "0 known, 0 a day", "2026-11-02": "3 known, 3 a day", "2026-11-20": "4 known, 3 a day", "2026-12-05": "2 known, 2 a day", "2026-12-30": "0 known, 0 a day",
	} {
		known, networks, _, _ := h.Accounts["alice"].before(date)
		if got := fmt.Sprintf("%d known, %d a day", len(known), networks); got != want {
			t.Errorf("before %s: got %s, want %s", date, got, want)
		}
	}
}

func TestLoginFromManyNetworks(t *testing.T) {
	w := NewWatch(func(*event.Event) bool { return true })
	for i := range 5 {
		addr := fmt.Sprintf("198.%d.0.1", 18+i)
		w.loggedIn(&engine.Result{Record: &event.Record{Event: event.Event{User: "Alice", Addr: netip.MustParseAddr(addr)}}})
		w.loggedIn(&engine.Result{Record: &event.Record{Event: event.Event{User: "bob", Addr: netip.MustParseAddr(fmt.Sprintf("198.18.%d.1", i))}}})
	}
	in := Input{Zone: time.UTC, From: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
	if found := w.manyOrigins(in); len(found) != 1 || found[0].Subjects[0] != "alice" || found[0].Count != 5 || found[0].Severity != Warn {
		t.Errorf("alice came from 5 networks, bob from one; found %+v", found)
	}
	in.Habits.Accounts = map[string]*Habit{"alice": {Days: []HabitDay{{Date: "2026-11-20", Networks: 5}}}}
	if found := w.manyOrigins(in); len(found) != 0 {
		t.Errorf("alice travels a lot: %+v", found)
	}
	country := func(addr netip.Addr) (string, string) { return fmt.Sprint("C", addr.As4()[1]%3), "" }
	in.Place, in.Habits = country, Habits{}
	if found := w.manyOrigins(in); len(found) != 1 || found[0].Severity != Urgent || !strings.Contains(found[0].Title, "from 3 countries: C0, C1, C2") {
		t.Errorf("alice came from 3 countries: %+v", found)
	}
}
