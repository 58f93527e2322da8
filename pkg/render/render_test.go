package render

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
)

func rows(t *testing.T, users ...string) []*report.Source {
	t.Helper()
	c := report.NewCollector(report.Scope{})
	for i, user := range users {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(20 - i/5)})
		c.Add(&engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{
			Time: time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC), Addr: addr,
			User: user, Kind: event.AuthFailed, Attempts: 1, Service: event.Dovecot,
		}}, Findings: []engine.Finding{held(addr)}})
	}
	return c.Sources()
}

func held(addr netip.Addr) engine.Finding {
	return engine.Finding{
		Alert:   event.Alert{Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: addr},
		Verdict: guard.Verdict{Action: guard.Hold, Reason: "private address"},
	}
}

func TestRaw(t *testing.T) {
	sources := rows(t, "a", "b", "c", "d", "e", "f")
	for _, tt := range []struct {
		count bool
		want  string
	}{{false, "192.0.2.19\n192.0.2.20\n"}, {true, "      1 192.0.2.19\n      5 192.0.2.20\n"}} {
		var out bytes.Buffer
		if err := Raw(&out, report.Tries(sources), len(sources), tt.count); err != nil || out.String() != tt.want {
			t.Errorf("got %q, %v", out.String(), err)
		}
	}
}

// Addresses of any length come in the order of their texts.
func TestRawOrder(t *testing.T) {
	var addrs []netip.Addr
	for _, text := range strings.Fields("2001:db8:ffff:ffff:ffff:ffff:ffff:1 2001:db8:ffff:ffff:ffff:ffff:ffff:10 2001:db8:ffff::1 2001:db8::1 2001:db8::10 2001:db8::2 192.0.2.100 192.0.2.10 192.0.2.1 198.51.100.100 ::1") {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	slices.Reverse(addrs)
	var want []string
	for _, addr := range addrs {
		want = append(want, addr.String())
	}
	slices.Sort(want)
	var out bytes.Buffer
	err := Raw(&out, func(yield func(netip.Addr, int) bool) {
		for _, addr := range addrs {
			yield(addr, 1)
		}
	}, len(addrs), false)
	if got := strings.Fields(out.String()); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

var wide = Overview{Wide: true, Zone: time.UTC}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	evil := "a\x1b]0;owned\x07b"
	if err := Sources(&out, rows(t, "d", "c", evil, "x", "a"), wide, Screen{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"auth-failed 5", "a?]0;owned?b", "and 2 more", "hold: private address", "2026-06-03 04:11:09"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\x07╭") {
		t.Errorf("control characters or boxes in\n%q", out.String())
	}
	out.Reset()
	if err := Sources(&out, rows(t, "a"), wide, Screen{Terminal: true}); err != nil || !strings.Contains(out.String(), "╭") {
		t.Errorf("no box on a terminal:\n%s", out.String())
	}
}

func TestSummary(t *testing.T) {
	var out bytes.Buffer
	Summary(&out, Totals{Lines: 9, Found: "3 events, 2 sources", Missed: 1, NoHeader: 4, Took: 1234 * time.Millisecond})
	want := "Lines: 9 lines, 3 events, 2 sources, 1 missed [processed in 1.23 sec]\n" +
		"  1 lines of a known daemon matched no grammar; --missed prints them\n" +
		"  4 lines had no syslog header and were passed over\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestPushed(t *testing.T) {
	var out bytes.Buffer
	alert := event.Alert{Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: netip.MustParseAddr("192.0.2.1")}
	Pushed(&out, []engine.Finding{held(netip.MustParseAddr("192.0.2.20"))}, []lapi.Outcome{
		{Alert: alert, Status: lapi.Pushed, ID: "7"},
		{Alert: alert, Status: lapi.HeldBack, Reason: "nothing new since 2026-06-03T22:11:11Z"},
		{Alert: alert, Status: lapi.Rejected, Reason: "bad"},
		{Alert: alert, Status: lapi.Pushed, ID: "8"},
		{Alert: alert, Status: lapi.Pushed, ID: "9"},
		{Alert: alert, Status: lapi.Pushed, ID: "10"},
	}, map[string]lapi.Look{
		"8":  {Known: true, Bans: []lapi.Ban{{Type: "ban", Until: time.Date(2026, 6, 3, 8, 11, 0, 0, time.UTC)}}},
		"9":  {Known: true, Bans: []lapi.Ban{{Type: "captcha", Simulated: true}}},
		"10": {Known: true},
	}, time.FixedZone("UTC+2", 2*60*60))
	want := "pushed 192.0.2.1 as alert 7\nheld back 192.0.2.1: nothing new since 2026-06-04 00:11:11\nrejected 192.0.2.1: bad\n" +
		"pushed 192.0.2.1 as alert 8: banned until Jun  3 10:11 for csmail/auth-bf\n" +
		"pushed 192.0.2.1 as alert 9: under captcha in simulation only for csmail/auth-bf\n" +
		"pushed 192.0.2.1 as alert 10: no ban, its profiles made no decision\n" +
		"held back 192.0.2.20: private address\nPush: 4 pushed, 2 held back, 1 rejected\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestMeter(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	m := NewMeter(&out, func() time.Time { return now })
	m.Show(1<<20, 4<<20)
	m.Clear()
	if out.Len() != 0 {
		t.Errorf("shown within the first second: %q", out.String())
	}
	now = now.Add(2 * time.Second)
	m.Show(1<<20, 4<<20)
	m.Show(2<<20, 4<<20)
	now = now.Add(time.Second)
	m.Show(3<<20, -1)
	m.Clear()
	if want := "\r 25 % of 4 MB read \r3 MB read \r\033[K"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// What the LAPI never got reads as that.
func TestWhyOfWhatWasNotSent(t *testing.T) {
	for state, want := range map[string]string{
		"delivered": "ban: a reason (delivered)",
		"held-back": "ban, not sent: a reason (held-back)",
		"dropped":   "no ban: a reason (dropped)",
		"outbox":    "ban: a reason (waits for the LAPI)",
		"parked":    "ban: a reason (parked: the LAPI would not take it)",
	} {
		var out bytes.Buffer
		answer := Answer{Why: report.Why{Alerts: []report.Alert{{Verdict: "ban", Reason: "a reason", State: state}}}}
		if err := Why(&out, answer, time.UTC, true, Screen{}); err != nil || !strings.Contains(out.String(), "    "+want+"\n") {
			t.Errorf("%s: no %q in\n%s", state, want, out.String())
		}
	}
}

// The LAPI and the guard tell times in UTC; a person reads all of them in one zone.
func TestWhyShowsOneZone(t *testing.T) {
	zone := time.FixedZone("UTC+2", 2*60*60)
	until := time.Date(2026, 6, 3, 22, 30, 0, 0, time.UTC)
	answer := Answer{
		Why: report.Why{History: []string{"amnesty until 2026-06-03T22:11:09Z, by a person's word"}},
		LAPI: []lapi.Known{{
			Number: 7, Created: "2026-06-03T22:00:00Z", Scenario: "csmail/auth-bf", Scope: "Ip", Value: "192.0.2.1",
			Decisions: []lapi.Decided{{Type: "ban", Value: "192.0.2.1", Origin: "crowdsec", Until: until}},
		}},
	}
	var out bytes.Buffer
	if err := Why(&out, answer, zone, true, Screen{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"amnesty until 2026-06-04 00:11:09, by", "alert 7 of 2026-06-04 00:00:00: csmail/auth-bf", "by crowdsec until 2026-06-04 00:30:00\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestWhyOfLAPIThatWasNotAsked(t *testing.T) {
	var out bytes.Buffer
	if err := Why(&out, Answer{LAPIErr: "no file", Advice: "make one"}, time.UTC, true, Screen{}); err != nil {
		t.Fatal(err)
	}
	if want := "  not asked: no file\n  hint: make one\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got\n%s", out.String())
	}
}

// On a screen that is too narrow a row is a paragraph that fits.
func TestTableOnANarrowScreen(t *testing.T) {
	sources := rows(t, "a", "b", "c", "d", "e")
	var out bytes.Buffer
	if err := Sources(&out, sources, wide, Screen{Terminal: true, Columns: 60}); err != nil {
		t.Fatal(err)
	}
	want := `1 source, 5 tries, 1 hold
192.0.2.20
  Count: 5; Kinds: auth-failed 5;
  Users tried: a, b, c, and 2 more;
  First seen: 2026-06-03 04:11:09;
  Last seen: 2026-06-03 04:11:09;
  Scenarios: csmail/auth-bf;
  Verdict: hold: private address
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	if err := Sources(&out, sources, wide, Screen{Terminal: true, Columns: 160}); err != nil || !strings.Contains(out.String(), "│ Verdict") {
		t.Errorf("no table where there is room:\n%s", out.String())
	}
	for columns := 1; columns < 100; columns++ {
		g := newGrid(Screen{Columns: columns}, "Name", "", "Text")
		g.add("x", strings.Repeat("word ", 40), items{"a", "b"})
		for line := range strings.Lines(g.String()) {
			if len(strings.TrimRight(line, "\n")) > max(24, columns) {
				t.Errorf("%d columns: %q", columns, line)
			}
		}
	}
}
