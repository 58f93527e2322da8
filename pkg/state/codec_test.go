package state

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sameTime is what the codec promises: the instant and the offset from UTC.
var sameTime = cmp.Options{
	cmp.Comparer(func(a, b time.Time) bool {
		_, zoneA := a.Zone()
		_, zoneB := b.Zone()
		return a.Equal(b) && zoneA == zoneB
	}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func anyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")) })
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		at := time.Unix(rapid.Int64Range(-1<<35, 1<<35).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
		if offset := rapid.IntRange(-50_000, 50_000).Draw(t, "offset"); offset%3 != 0 {
			return at.In(time.FixedZone("X", offset))
		}
		return at.UTC()
	})
}

func anyAddr() *rapid.Generator[netip.Addr] {
	return rapid.SampledFrom([]netip.Addr{
		{},
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"),
	})
}

func anyEvent() *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		e := event.Event{
			Time: anyTime().Draw(t, "time"), Addr: anyAddr().Draw(t, "addr"),
			Service:  event.Service(rapid.IntRange(0, int(event.SSHD)).Draw(t, "service")),
			Kind:     rapid.SampledFrom(append(event.Kinds(), event.NoKind)).Draw(t, "kind"),
			PID:      rapid.Int().Draw(t, "pid"),
			Attempts: rapid.Int().Draw(t, "attempts"),
			Password: event.PasswordMark(rapid.Uint16().Draw(t, "password")),
		}
		for _, text := range []*string{
			&e.Host, &e.Program, &e.User, &e.ClientName, &e.Helo, &e.Sender,
			&e.Recipient, &e.Mechanism, &e.Code, &e.Reason, &e.Session, &e.Message,
		} {
			*text = anyText().Draw(t, "text")
		}
		e.Phase = event.Phase(rapid.IntRange(0, int(event.LastPhase)).Draw(t, "phase"))
		e.Cause = event.Cause(rapid.IntRange(0, int(event.LastCause)).Draw(t, "cause"))
		return e
	})
}

func anyInput() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		if rapid.Bool().Draw(t, "tick") {
			return Input{Tick: anyTime().Draw(t, "tick")}
		}
		return Input{Source: anyText().Draw(t, "source"), Lines: rapid.Uint64().Draw(t, "lines"), Missed: rapid.Uint64().Draw(t, "missed"), Record: &event.Record{
			Outcome:   event.Outcome(rapid.IntRange(0, int(event.Noted)).Draw(t, "outcome")),
			Testimony: event.Testimony(rapid.IntRange(0, int(event.LastTestimony)).Draw(t, "testimony")),
			Line:      rapid.Int64().Draw(t, "line"),
			Event:     anyEvent().Draw(t, "event"),
			Flow:      anyFlow().Draw(t, "flow"),
		}}
	})
}

func anyFlow() *rapid.Generator[*event.Flow] {
	return rapid.Custom(func(t *rapid.T) *event.Flow {
		if rapid.Bool().Draw(t, "no flow") {
			return nil
		}
		f := &event.Flow{
			Kind: event.FlowKind(rapid.IntRange(0, int(event.FlowMaster)).Draw(t, "kind")), Repeat: rapid.Int().Draw(t, "repeat"),
			Addr: anyAddr().Draw(t, "addr"), Size: rapid.Int64().Draw(t, "size"), Delay: time.Duration(rapid.Int64().Draw(t, "delay")),
			Action: event.Action(rapid.IntRange(0, int(event.DiscardMail)).Draw(t, "action")), Level: event.Level(rapid.IntRange(0, int(event.Panic)).Draw(t, "level")),
			AuthOK: rapid.Int().Draw(t, "ok"), AuthTotal: rapid.Int().Draw(t, "total"),
		}
		for _, text := range []*string{
			&f.Daemon, &f.Service, &f.QueueID, &f.Client, &f.User, &f.Sender, &f.Recipient, &f.Original, &f.ID, &f.Relay, &f.Status, &f.Text, &f.Stage, &f.Version,
		} {
			*text = anyText().Draw(t, "text")
		}
		for _, set := range []*bool{&f.HasSender, &f.Local, &f.Filter, &f.Proxied, &f.HasCounts} {
			*set = rapid.Bool().Draw(t, "set")
		}
		return f
	})
}

func anyAlert() *rapid.Generator[event.Alert] {
	return rapid.Custom(func(t *rapid.T) event.Alert {
		return event.Alert{
			Scenario: anyText().Draw(t, "scenario"), Source: anyAddr().Draw(t, "source"),
			Scope: event.Scope(strings.ReplaceAll(anyText().Draw(t, "scope"), "/", "")), Bits: rapid.IntRange(0, 128).Draw(t, "bits"),
			Account: anyText().Draw(t, "account"), Count: rapid.Int().Draw(t, "count"),
			First: anyTime().Draw(t, "first"), Last: anyTime().Draw(t, "last"), Message: anyText().Draw(t, "message"),
			Kinds: some(t, rapid.Custom(func(t *rapid.T) event.Count {
				return event.Count{Name: anyText().Draw(t, "name"), N: rapid.Int().Draw(t, "n")}
			})),
			Services: some(t, anyText()), Evidence: some(t, anyEvent()), Checks: some(t, anyText()),
			Informational: rapid.Bool().Draw(t, "informational"),
		}
	})
}

// some draws a list; the codec makes no difference between an empty one and none.
func some[T any](t *rapid.T, g *rapid.Generator[T]) []T {
	if items := rapid.SliceOfN(g, 0, 3).Draw(t, "items"); len(items) > 0 {
		return items
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		var got Input
		roundTrip(t, func(c codec) { c.input(&in) }, func(c codec) { c.input(&got) })
		if formOf(&in) == flowForm { // only this of it is kept
			e := event.Event{Time: in.Record.Time, Host: in.Record.Host, PID: in.Record.PID}
			in.Record = &event.Record{Event: e, Flow: in.Record.Flow}
			in.Record.Flow.Repeat = max(in.Record.Flow.Repeat, 1)
		}
		if d := cmp.Diff(in, got, sameTime); d != "" {
			t.Fatalf("input (-want +got):\n%s", d)
		}
		e := Entry{
			ID: anyText().Draw(t, "id"), Alert: anyAlert().Draw(t, "alert"), Duration: time.Duration(rapid.Int64().Draw(t, "duration")),
			Simulate: rapid.Bool().Draw(t, "simulate"), Queued: anyTime().Draw(t, "queued"), Reason: anyText().Draw(t, "reason"),
			Until: anyTime().Draw(t, "until"), Renewal: rapid.Int().Draw(t, "renewal"), Tries: rapid.Int().Draw(t, "tries"),
			Refused: anyTime().Draw(t, "refused"),
		}
		var gotEntry Entry
		roundTrip(t, func(c codec) { c.entry(&e) }, func(c codec) { c.entry(&gotEntry) })
		if d := cmp.Diff(e, gotEntry, sameTime); d != "" {
			t.Fatalf("entry (-want +got):\n%s", d)
		}
		told := HistoryEntry{
			ID: e.ID, Number: anyText().Draw(t, "number"), Status: Status(rapid.IntRange(0, int(lastStatus)).Draw(t, "status")),
			Reason: e.Reason, Sent: e.Queued, Alert: e.Alert, Duration: e.Duration, Simulate: e.Simulate, Renewal: e.Renewal,
			Bans: some(t, rapid.Custom(func(t *rapid.T) Ban {
				return Ban{ID: rapid.Int64().Draw(t, "ban"), Type: anyText().Draw(t, "type"), Until: anyTime().Draw(t, "until")}
			})),
			Looked: rapid.Bool().Draw(t, "looked"), Unbanned: anyTime().Draw(t, "unbanned"), Created: anyTime().Draw(t, "created"),
		}
		var gotTold HistoryEntry
		roundTrip(t, func(c codec) { c.historyEntry(&told) }, func(c codec) { c.historyEntry(&gotTold) })
		if d := cmp.Diff(told, gotTold, sameTime); d != "" {
			t.Fatalf("told (-want +got):\n%s", d)
		}
	})
}

func roundTrip(t *rapid.T, write, read func(codec)) {
	data, err := encode(write)
	if err != nil {
		t.Fatal(err)
	}
	if err := decode(data, read); err != nil {
		t.Fatal(err)
	}
}

// A field that somebody adds to the vocabulary and forgets here would be lost in
// a crash.
func TestEveryFieldIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		of   any
		want int
	}{
		"event.Event":  {event.Event{}, 21},
		"event.Record": {event.Record{}, 8}, // Hashed is computed; Origin is made of Host and Program, Withdrawn by the session join; a Flow is not stored
		"event.Alert":  {event.Alert{}, 14},
		"event.Count":  {event.Count{}, 2},
	} {
		if got := reflect.TypeOf(tt.of).NumField(); got != tt.want {
			t.Errorf("%s has %d fields, the codec was written for %d: add them to pkg/wire/stored.go and to the tests", name, got, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	e := Entry{Alert: event.Alert{Evidence: []event.Event{{Message: "x"}}}}
	good, err := encode(func(c codec) { c.entry(&e) })
	if err != nil {
		t.Fatal(err)
	}
	newer := append([]byte{wire.StoredVersion + 1}, good[1:]...)
	for name, data := range map[string][]byte{
		"nothing": nil, "newer": newer, "one byte too many": append(good[:len(good):len(good)], 0), "no end of a number": {1, 0xff, 0xff},
		"a long text": {1, 0xff, 0xff, 0xff, 0xff, 0x0f, 'x'},
	} {
		if err := decode(data, func(c codec) { c.entry(new(Entry)) }); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %v, want %q", name, err, errDamaged)
		}
	}
	if err := decode(append([]byte{0}, good[1:]...), func(c codec) { c.entry(new(Entry)) }); !errors.Is(err, errDamaged) {
		t.Errorf("no version: %v, want %q", err, errDamaged)
	}
	for n := range good {
		if err := decode(good[:n], func(c codec) { c.entry(new(Entry)) }); !errors.Is(err, errDamaged) {
			t.Errorf("cut after %d of %d bytes: %v, want %q", n, len(good), err, errDamaged)
		}
	}
}

// What was told before there was a field is read without it.
func TestToldOfBefore(t *testing.T) {
	want := HistoryEntry{ID: "id", Number: "7", Looked: true, Unbanned: now}
	data, err := encode(func(c codec) { c.historyEntry(&want) })
	must(t, err)
	none, err := encode(func(c codec) { c.Stamp(new(time.Time)) })
	must(t, err)
	before := append([]byte{createdSince - 1}, data[1:len(data)-len(none)]...)
	var got HistoryEntry
	must(t, decode(before, func(c codec) { c.historyEntry(&got) }))
	if d := cmp.Diff(want, got, sameTime); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// An event of before the grammars wrote their facts has those that its text says.
func TestFactsOfBefore(t *testing.T) {
	const auth, login = "dovecot/auth", "dovecot/imap-login"
	for _, e := range []event.Event{
		{Service: event.Dovecot, Program: auth, Kind: event.AuthFault, Reason: "Warning: sql: gone, reconnecting", Phase: event.Retry},
		{Service: event.Dovecot, Program: auth, Kind: event.AuthFault, Reason: "Error: sql: gone"},
		{Service: event.Dovecot, Program: auth, Kind: event.AuthFailed, Reason: "Disconnected"},
		{Service: event.Dovecot, Program: login, Kind: event.LoginRefused, Reason: "Login failed: Plaintext authentication disabled", Phase: event.Attempt},
		{Service: event.Dovecot, Program: login, Kind: event.AuthFailed, Reason: "Disconnected (auth failed, 1 attempts in 2 secs)", Phase: event.End},
		{Service: event.Dovecot, Program: login, Kind: event.AuthFault, Reason: "Internal login failure (pid=1 id=2)"},
		{Service: event.SSHD, Program: "sshd", Kind: event.AuthFailed, Reason: "failed password", Phase: event.Attempt},
		{Service: event.SSHD, Program: "sshd", Kind: event.AuthFailed, Reason: "invalid user"},
		{Service: event.Postfix, Kind: event.SenderRejected, Code: "450 4.1.8", Reason: "Sender address rejected: x", Cause: event.Resolver},
		{Service: event.Postfix, Kind: event.SenderRejected, Code: "550 5.1.8", Reason: "Sender address rejected: Domain not found", Cause: event.Resolver},
		{Service: event.Postfix, Kind: event.SenderRejected, Code: "553 5.7.1", Reason: "Sender address rejected: not logged in"},
		{Service: event.Postfix, Kind: event.LostConnection, Reason: "lost connection after AUTH", Cause: event.LoginService},
		{Service: event.Postfix, Kind: event.LostConnection, Reason: "lost connection after CONNECT"},
		{Service: event.Postfix, Kind: event.AuthFailed, Reason: "x after AUTH"},
		{Service: event.Postfix, Kind: event.AuthFault, Reason: "Connection lost to authentication server", Cause: event.NoAnswer},
	} {
		data, err := encode(func(c codec) { c.Begin(); c.Event(&e) })
		must(t, err)
		before := append([]byte{2}, data[1:len(data)-3]...)
		var got event.Event
		must(t, decode(before, func(c codec) { c.Begin(); c.Event(&got) }))
		if got.Phase != e.Phase || got.Cause != e.Cause || got.Reason != e.Reason {
			t.Errorf("%s %s: got phase %d, cause %d, want %d, %d", e.Kind, e.Reason, got.Phase, got.Cause, e.Phase, e.Cause)
		}
	}
}

// FuzzDecode: whatever the bytes, an error or a value that is written and read
// back alike, and no more memory than the bytes justify.
func FuzzDecode(f *testing.F) {
	in := Input{Source: "mail.log", Record: &event.Record{Outcome: event.Noted, Event: event.Event{
		Time: time.Unix(1, 2).In(time.FixedZone("", 3600)), Addr: netip.MustParseAddr("192.0.2.1"), Kind: event.AuthFailed, Message: "m",
	}}}
	data, _ := encode(func(c codec) { c.input(&in) })
	f.Add(data)
	e := Entry{Alert: event.Alert{Kinds: []event.Count{{Name: "k", N: 1}}, Evidence: []event.Event{in.Record.Event}}}
	data, _ = encode(func(c codec) { c.entry(&e) })
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = unpack(nil, data)
		_ = readInputs(data, func(Input) {})
		var told HistoryEntry
		_ = decode(data, func(c codec) { c.historyEntry(&told) })
		var in, again Input
		if decode(data, func(c codec) { c.input(&in) }) == nil {
			check(t, in, func(c codec) { c.input(&in) }, func(c codec) { c.input(&again) }, func() any { return again })
		}
		var e, other Entry
		if decode(data, func(c codec) { c.entry(&e) }) == nil {
			check(t, e, func(c codec) { c.entry(&e) }, func(c codec) { c.entry(&other) }, func() any { return other })
		}
	})
}

func check(t *testing.T, want any, write, read func(codec), got func() any) {
	t.Helper()
	data, err := encode(write)
	if err != nil {
		t.Fatal(err)
	}
	if err := decode(data, read); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got(), sameTime); d != "" {
		t.Fatal(d)
	}
}

// A status that there is not has no name to print.
func TestToldOfNoStatus(t *testing.T) {
	data, err := encode(func(c codec) { c.historyEntry(&HistoryEntry{}) })
	must(t, err)
	data[3] = byte(lastStatus) + 1 // after the version and two empty texts
	if err := decode(data, func(c codec) { c.historyEntry(new(HistoryEntry)) }); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "3 where 2 is the largest") {
		t.Errorf("got %v, want %q and why", err, errDamaged)
	}
}
