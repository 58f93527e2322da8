package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
	"csmail/pkg/scenario"
)

// only is the network of one address.
func only(text string) netip.Prefix {
	addr := netip.MustParseAddr(text)
	return netip.PrefixFrom(addr, addr.BitLen())
}

// A person's word empties the buckets of a source, drops what waits, and holds for
// its time; others are judged as ever.
func TestUnban(t *testing.T) {
	const friend, stranger = "192.0.2.1", "192.0.2.2"
	e := eagerly(t, guard.Options{})
	at := func(second int) time.Time { return time.Date(2026, 6, 3, 4, 0, second, 0, time.UTC) }
	refused(e, 0, friend)
	refused(e, 1, friend) // waits: seen for the first time
	refused(e, 2, stranger)
	refused(e, 3, stranger)
	refused(e, 4, friend)
	e.Unban(only(friend), at(3000))
	if levels := e.Buckets().LevelsOf(netip.MustParseAddr(friend)); len(levels) > 0 {
		t.Errorf("its buckets hold %+v", levels)
	}
	if found := fmt.Sprint(words(e.Advance(at(120)))); found != "[ban none "+stranger+"]" || e.Waits() {
		t.Errorf("found %s, waits %t", found, e.Waits())
	}
	if found := append(refused(e, 130, friend), refused(e, 131, friend)...); fmt.Sprint(found) != "[hold amnesty "+friend+"]" {
		t.Errorf("within its amnesty: %s", found)
	}
	refused(e, 3000, friend)
	found := append(refused(e, 3001, friend), words(e.Advance(at(3100)))...)
	if fmt.Sprint(found) != "[ban none "+friend+"]" {
		t.Errorf("after it: %s", found)
	}
}

// Of an IPv6 client the whole /64 is forgiven, also by what waits about another
// address of it.
func TestUnbanBlock(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "2001:db8::1")
	refused(e, 1, "2001:db8::1")
	e.Unban(only("2001:db8::2"), time.Date(2026, 6, 3, 5, 0, 0, 0, time.UTC))
	if e.Waits() {
		t.Error("something waits")
	}
	if found := e.Advance(time.Date(2026, 6, 3, 4, 5, 0, 0, time.UTC)); len(found) > 0 {
		t.Errorf("found %s", words(found))
	}
}

// Of a network all that is inside is forgiven, what was not seen yet as well, and
// nothing beside it.
func TestUnbanNetwork(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 6, 3, 4, 0, second, 0, time.UTC) }
	for name, tt := range map[string]struct {
		network                  string
		inside, unseen, stranger string
		banned                   string
	}{
		"IPv4":            {"192.0.2.0/28", "192.0.2.1", "192.0.2.15", "192.0.2.16", "192.0.2.16"},
		"IPv6":            {"2001:db8::/48", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:1::1", "2001:db8:1::/64"},
		"less than a /64": {"2001:db8::/80", "2001:db8::1:0:0:1", "2001:db8::2:0:0:1", "2001:db8:0:1::1", "2001:db8:0:1::/64"},
	} {
		t.Run(name, func(t *testing.T) {
			e := eagerly(t, guard.Options{})
			refused(e, 0, tt.inside)
			refused(e, 1, tt.inside) // waits: seen for the first time
			refused(e, 2, tt.stranger)
			refused(e, 3, tt.stranger)
			refused(e, 4, tt.inside)
			e.Unban(netip.MustParsePrefix(tt.network), at(3000))
			if levels := e.Buckets().LevelsOf(netip.MustParseAddr(tt.inside)); len(levels) > 0 {
				t.Errorf("its buckets hold %+v", levels)
			}
			b, err := e.AppendSnapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			restored := eagerly(t, guard.Options{})
			if err := restored.Restore(b); err != nil {
				t.Fatal(err)
			}
			for _, e := range []*Engine{e, restored} {
				if found := words(e.Advance(at(120))); len(found) != 1 || !strings.HasPrefix(found[0], "ban none "+tt.banned) || e.Waits() {
					t.Errorf("found %s, waits %t", found, e.Waits())
				}
				for i, addr := range []string{tt.inside, tt.unseen} {
					found := append(refused(e, 130+2*i, addr), refused(e, 131+2*i, addr)...)
					if len(found) != 1 || !strings.HasPrefix(found[0], "hold amnesty") {
						t.Errorf("%s within its amnesty: %s", addr, found)
					}
				}
				refused(e, 3000, tt.unseen)
				found := append(refused(e, 3001, tt.unseen), words(e.Advance(at(3100)))...)
				if len(found) != 1 || !strings.HasPrefix(found[0], "ban none") {
					t.Errorf("after it: %s", found)
				}
			}
		})
	}
}

// A finding about a network that waits is dropped if all of it is forgiven, and left to
// the guard if it is wider.
func TestUnbanWhatWaits(t *testing.T) {
	last := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	wait := func(e *Engine, a event.Alert) {
		a.Scenario, a.Last = "csmail/x", last
		e.judge.waiting[waiting{Alert: a}.key()] = waiting{Alert: a}
	}
	for network, want := range map[string]string{
		"192.0.2.7/32":   "192.0.2.0/24 192.0.2.0/26 198.51.100.0/24 an account",
		"192.0.2.0/26":   "192.0.2.0/24 198.51.100.0/24 an account",
		"192.0.2.0/25":   "192.0.2.0/24 198.51.100.0/24 an account",
		"192.0.2.0/23":   "198.51.100.0/24 an account",
		"192.0.2.128/25": "192.0.2.0/24 192.0.2.0/26 192.0.2.7 198.51.100.0/24 an account",
	} {
		e := eagerly(t, guard.Options{})
		wait(e, event.Alert{Scope: event.ScopeIP, Source: netip.MustParseAddr("192.0.2.7")})
		wait(e, event.Alert{Scope: event.ScopeRange, Source: netip.MustParseAddr("192.0.2.0")})
		wait(e, event.Alert{Scope: event.ScopeRange, Source: netip.MustParseAddr("192.0.2.1"), Bits: 26})
		wait(e, event.Alert{Scope: event.ScopeRange, Source: netip.MustParseAddr("198.51.100.0")})
		wait(e, event.Alert{Scope: event.ScopeAccount, Account: "an account"})
		e.Unban(netip.MustParsePrefix(network), last.Add(time.Hour))
		var left []string
		for _, w := range e.judge.waiting {
			left = append(left, w.Alert.Value())
		}
		slices.Sort(left)
		if got := strings.Join(left, " "); got != want {
			t.Errorf("%s: left %q, want %q", network, got, want)
		}
	}
	e := eagerly(t, guard.Options{})
	e.Unban(netip.Prefix{}, last.Add(time.Hour)) // of an account
	if n := e.Guard().Pending(); n != 0 {
		t.Errorf("%d", n)
	}
}

// What happened before a moment speaks for its source only, and what happens at
// that moment counts; a clock that is set back behind it takes it along.
func TestCountSince(t *testing.T) {
	at := time.Date(2026, 6, 3, 4, 0, 2, 0, time.UTC)
	total := func(e *Engine) int {
		levels := e.Buckets().LevelsOf(netip.MustParseAddr("192.0.2.1"))
		if len(levels) == 0 {
			return 0
		}
		return levels[0].Total
	}
	e := eagerly(t, guard.Options{})
	e.CountSince(at)
	refused(e, 1, "192.0.2.1")
	if got := total(e); got != 0 {
		t.Errorf("before: %d count", got)
	}
	refused(e, 2, "192.0.2.1")
	if got := total(e); got != 1 {
		t.Errorf("at that moment: %d count", got)
	}
	e = eagerly(t, guard.Options{})
	e.CountSince(at.Add(time.Hour))
	e.Rewind(at.Add(-time.Second))
	refused(e, 1, "192.0.2.1")
	if got := total(e); got != 1 {
		t.Errorf("after the clock was set back: %d count", got)
	}
}

// Rewind ends the sessions: their process IDs are of a time that never was.
func TestRewindEndsSessions(t *testing.T) {
	e := eagerly(t, guard.Options{})
	const failed = "Jun  3 04:11:09 mail postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x"
	const ended = "Jun  3 04:11:10 mail postfix/smtpd[1]: disconnect from unknown[192.0.2.1] auth=0/1 commands=0/1"
	first, end := parse(failed), parse(ended)
	e.Step(&first)
	e.Rewind(time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC))
	if result := e.Step(&end); result.Folded {
		t.Error("a session goes on from before")
	}
}

// No scenario bans for a fault of ours or a success, however it is written.
func TestOnlyOffencesCount(t *testing.T) {
	set, err := scenario.Load(fstest.MapFS{"all.yaml": {Data: []byte(`
type: trigger
name: csmail/all
description: x
filter: "true"
groupby: evt.Meta.source_ip
labels:
  remediation: true
`)}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range event.Kinds() {
		e := New(Options{Scenarios: set})
		r := event.Record{Outcome: event.Noted, Event: event.Event{
			Time: time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC), Kind: kind, Attempts: 1, Addr: netip.MustParseAddr("192.0.2.1"), Service: event.Dovecot,
		}}
		e.Step(&r)
		counts := e.Buckets().Stats().Sources > 0
		if want := kind.Class() == event.Hostile || kind.Class() == event.Suspect; counts != want {
			t.Errorf("%s counts: %t", kind, counts)
		}
	}
}

// A trace tells where in the line each part of the event stood.
func TestFollow(t *testing.T) {
	for text, want := range map[string]string{
		"Jun  3 04:11:09 mail postfix/smtpd[1]: warning: host-198.51.100.7.example[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=bob": "address 192.0.2.1 74, client name host-198.51.100.7.example 48, user bob 137, mechanism LOGIN 91, reason x 120",
		"Jun  3 04:11:09 mail sshd[1]: Failed password for bob from 2001:db8::1 port 22 ssh2":                                                          "address 2001:db8::1 59, user bob 50, mechanism password 37",
		"Jun  3 04:11:09 mail postfix/smtpd[1]: connect from unknown[::ffff:192.0.2.1]":                                                                "address ::ffff:192.0.2.1 60, client name unknown 52",
		"Jun  3 04:11:09 mail kernel: 192.0.2.1":                                                                                                       "",
	} {
		trace := Follow(logline.Line{Text: text, Received: time.Date(2026, 6, 4, 0, 0, 0, 0, time.UTC), Zone: time.UTC})
		got := ""
		for _, part := range trace.Taken {
			if text[part.At:part.At+len(part.Text)] != part.Text {
				t.Errorf("%s: %q does not stand at %d", text, part.Text, part.At)
			}
			if got != "" {
				got += ", "
			}
			got += fmt.Sprint(part.Field, " ", part.Text, " ", part.At)
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1600 * time.Millisecond: "2s", 119 * time.Second: "1m59s", 2 * time.Minute: "2m", 119 * time.Minute: "119m",
		2 * time.Hour: "2h", 47*time.Hour + time.Minute: "47h", 48 * time.Hour: "2d", 100 * time.Hour: "4d",
	} {
		if got := span(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

// The same refusal once more in one session is no more evidence, neither for the
// scenarios nor for the guard; a folded line is none either.
func TestTheSameOnceMore(t *testing.T) {
	e := eagerly(t, guard.Options{})
	addr := netip.MustParseAddr("192.0.2.1")
	for range 3 {
		refused(e, 0, addr.String()) // of one process
	}
	first := parse("Jun  3 04:11:09 mail postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x")
	end := parse("Jun  3 04:11:10 mail postfix/smtpd[1]: disconnect from unknown[192.0.2.1] auth=0/1 commands=0/1")
	e.Step(&first)
	e.Step(&end)
	h, levels := e.Guard().History(addr), e.Buckets().LevelsOf(addr)
	if fmt.Sprint(h.Offences) != "[{auth-failed 1} {recipient-unknown 1}]" || len(levels) != 1 || levels[0].Total != 1 {
		t.Errorf("the guard counts %v, the scenarios %+v", h.Offences, levels)
	}
}
