package enforce

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/decision"
	"csmail/pkg/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func gateWith(t *testing.T, o Options, raws ...decision.Raw) *Gate {
	t.Helper()
	table := decision.New(0)
	for i, r := range raws {
		r.ID, r.Duration, r.Origin = int64(i+1), "1h", "crowdsec"
		if r.Type == "" {
			r.Type = "ban"
		}
		d, err := decision.Parse(r, now)
		if err != nil {
			t.Fatal(err)
		}
		table.Apply([]decision.Decision{d}, nil, now)
	}
	return NewGate(table, o, clock)
}

var decisions = []decision.Raw{
	{Scope: "Ip", Value: "192.0.2.1"},
	{Scope: "Range", Value: "198.51.100.0/24"},
	{Scope: "Ip", Value: "2001:db8::1"},
	{Scope: "Ip", Value: "192.0.2.3", Type: "captcha"},
	{Scope: "Username", Value: "bob@example.org"},
	{Scope: "Ip", Value: "192.0.2.4", Type: "throttle"},
	{Scope: "Ip", Value: "127.0.0.1"},
	{Scope: "Ip", Value: "203.0.113.1"}, // ours
	{Scope: "Ip", Value: "fe80::1"},
}

func own(addr netip.Addr) (string, bool) {
	return "address of this host", addr == netip.MustParseAddr("203.0.113.1")
}

func TestAsk(t *testing.T) {
	for _, c := range []struct {
		options       Options
		addr, account string
		want          Action
	}{
		{Options{}, "192.0.2.9", "", Pass},
		{Options{}, "192.0.2.1", "", Refuse},
		{Options{}, "::ffff:192.0.2.1", "", Refuse},
		{Options{}, "198.51.100.77", "", Refuse},
		{Options{}, "2001:db8::1", "", Refuse},
		{Options{}, "192.0.2.3", "", Defer},
		{Options{}, "192.0.2.4", "", Pass},
		{Options{}, "127.0.0.1", "", Pass},
		{Options{}, "fe80::1", "", Pass},
		{Options{}, "203.0.113.1", "", Pass},
		{Options{}, "203.0.113.1", "bob@example.org", Pass},
		{Options{}, "192.0.2.9", "bob@example.org", Pass}, // nobody asked for accounts
		{Options{Accounts: true}, "192.0.2.9", "Bob@Example.org", Refuse},
		{Options{Accounts: true}, "192.0.2.9", "eve", Pass},
		{Options{Accounts: true}, "192.0.2.3", "bob@example.org", Refuse}, // stricter than the captcha
		{Options{Accounts: true}, "203.0.113.1", "bob@example.org", Pass}, // webmail
		{Options{Accounts: true}, "", "bob@example.org", Refuse},
		{Options{DryRun: true}, "192.0.2.1", "", Pass},
		{Options{Types: []decision.Type{decision.Ban}}, "192.0.2.3", "", Pass},
	} {
		c.options.Never, c.options.Contact = own, "postmaster@example.org"
		g := gateWith(t, c.options, decisions...)
		var addr netip.Addr
		if c.addr != "" {
			addr = netip.MustParseAddr(c.addr)
		}
		v := g.Ask(Query{Door: Policy, Addr: addr, Account: c.account})
		if v.Action != c.want {
			t.Errorf("%s %s %+v: got %s, want %s", c.addr, c.account, c.options, v.Action, c.want)
		}
		if (v.Text == "") != (v.Action == Pass) || v.Text != "" && !strings.HasPrefix(v.Text, event.OwnMarker) {
			t.Errorf("%s: text %q", c.addr, v.Text)
		}
	}
}

func TestTextIsShortAndPlain(t *testing.T) {
	for contact, want := range map[string]string{
		"":                              "CrowdSec decision 1 on your address",
		"https://example.org/unban":     "CrowdSec decision 1 on your address; questions: https://example.org/unban",
		"a\r\nb\x00c\"d\\é":             "CrowdSec decision 1 on your address; questions: abcd",
		strings.Repeat("x", 100_000):    "",
		"postmaster@example.org (Anna)": "CrowdSec decision 1 on your address; questions: postmaster@example.org (Anna)",
	} {
		v := gateWith(t, Options{Contact: contact}, decisions...).Ask(Query{Addr: netip.MustParseAddr("192.0.2.1")})
		if want != "" && v.Text != want || len(v.Text) > MaxText {
			t.Errorf("%.30q: got %q", contact, v.Text)
		}
	}
}

func TestDryRunCountsAndRefusesNobody(t *testing.T) {
	g := gateWith(t, Options{DryRun: true}, decisions...)
	g.Ask(Query{Door: AuthPolicy, Addr: netip.MustParseAddr("192.0.2.1"), Service: "imap", Session: "s"})
	f := g.Figures()
	if n := f.Drops[Drop{Door: "auth-policy", Origin: "crowdsec", Remediation: "ban", IPType: "ipv4", DryRun: true}]; n != 1 || !f.Recent[0].DryRun {
		t.Errorf("got %+v", f)
	}
	if g.Refusals().Explains(failed("192.0.2.1", "s", now)) {
		t.Error("what was not refused explains a line of the log")
	}
}

func failed(addr, session string, at time.Time) *event.Record {
	return &event.Record{Outcome: event.Noted, Event: event.Event{
		Service: event.Dovecot, Program: "dovecot/imap-login", Kind: event.AuthFailed, Addr: netip.MustParseAddr(addr), Session: session, Time: at, Attempts: 1, User: "bob",
	}}
}

func TestRefusalsExplainTheLinesTheyLeave(t *testing.T) {
	type line struct {
		service event.Service
		program string
		kind    event.Kind
		user    string
		session string
		pid     int
		after   time.Duration
	}
	smtpd := func(kind event.Kind, pid int, after time.Duration) line {
		return line{event.Postfix, "postfix/submission/smtpd", kind, "", "", pid, after}
	}
	imap := func(user, session string, after time.Duration) line {
		return line{event.Dovecot, "dovecot/imap-login", event.AuthFailed, user, session, 0, after}
	}
	byPolicy := Refusal{Door: Policy, PID: 77}
	bySASL := Refusal{Door: AuthPolicy, Service: "smtp"}
	byIMAP := Refusal{Door: AuthPolicy, Service: "imap", Session: "s1"}
	account := Refusal{Door: AuthPolicy, Service: "imap", Session: "s1", Account: "Bob", OfAccount: true}
	for _, c := range []struct {
		name    string
		refusal Refusal
		line    line
		want    bool
	}{
		{"the disconnect", byPolicy, smtpd(event.AuthFailed, 77, time.Second), true},
		{"the reject after it, without our text", byPolicy, smtpd(event.AccessDenied, 77, 10*time.Second), true},
		{"a stamp of whole seconds", byPolicy, smtpd(event.LostConnection, 77, -2*time.Second), true},
		{"the same process an hour later", byPolicy, smtpd(event.AuthFailed, 77, 2*time.Hour), false},
		{"before the refusal", byPolicy, smtpd(event.AuthFailed, 77, -time.Minute), false},
		{"another service", byPolicy, imap("bob", "s1", time.Second), false},
		{"a fault of ours stays one", byPolicy, smtpd(event.AuthFault, 77, time.Second), false},
		{"a success stays one", byPolicy, smtpd(event.AuthMailOK, 77, time.Second), false},
		{"Postfix's line on a login", bySASL, smtpd(event.AuthFailed, 9, time.Second), true},
		{"Dovecot's line on the same", bySASL, line{event.Dovecot, "dovecot/auth", event.AuthFailed, "bob", "", 0, time.Second}, true},
		{"the login line", byIMAP, imap("bob", "s1", 3*time.Second), true},
		{"the login line, cut off after three minutes", byIMAP, imap("bob", "s1", 3*time.Minute), true},
		{"the same address again", byIMAP, imap("eve", "s2", time.Minute), true},
		{"sshd", byIMAP, line{event.SSHD, "sshd", event.AuthFailed, "bob", "s1", 0, time.Second}, false},
		{"the refused account", account, imap("bob", "s2", time.Minute), true},
		{"the refused session", account, imap("", "s1", time.Minute), true},
		{"another account of the address", account, imap("eve", "s2", time.Second), false},
		{"relaying, after an account was refused", account, smtpd(event.RelayDenied, 9, time.Second), false},
	} {
		m := NewRefusals()
		c.refusal.At, c.refusal.Addr = now, netip.MustParseAddr("192.0.2.1")
		m.Add(c.refusal)
		r := &event.Record{Outcome: event.Noted, Event: event.Event{
			Service: c.line.service, Program: c.line.program, Kind: c.line.kind, User: c.line.user, Session: c.line.session, PID: c.line.pid,
			Addr: netip.MustParseAddr("192.0.2.1"), Time: now.Add(c.line.after), Attempts: 1,
		}}
		if got := m.Explains(r); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
		r.Addr = netip.MustParseAddr("192.0.2.2")
		if m.Explains(r) {
			t.Errorf("%s: explains another address", c.name)
		}
		r.Addr = netip.MustParseAddr("192.0.2.1")
		snapshot, changed := m.TakeSnapshot(now.Add(time.Minute))
		next := NewRefusals()
		if next.Restore(snapshot); !changed || next.Explains(r) != c.want {
			t.Errorf("%s: after a restart got %t", c.name, !c.want)
		}
	}
}

// Who is refused for one account has no excuse for guesses at others whose lines name no
// user.
func TestRefusedAccountExcusesTwoUnnamedLines(t *testing.T) {
	m := NewRefusals()
	m.Add(Refusal{At: now, Door: AuthPolicy, Service: "smtp", Addr: netip.MustParseAddr("192.0.2.1"), Account: "bob", OfAccount: true})
	explained := 0
	for range 10 {
		r := failed("192.0.2.1", "", now.Add(time.Second))
		r.Service, r.Program, r.User = event.Postfix, "postfix/smtpd", ""
		if m.Explains(r) {
			explained++
		}
	}
	if explained != 2 {
		t.Errorf("%d of 10 lines are excused", explained)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	m := NewRefusals()
	for i := range 100_000 {
		m.Add(Refusal{At: now, Door: AuthPolicy, Service: "imap", Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Session: strings.Repeat("x", 5000)})
	}
	if n := len(m.now) + len(m.before); n > maxAddresses {
		t.Errorf("%d addresses", n)
	}
	if !m.Explains(failed("10.1.134.159", "x", now)) {
		t.Error("the last is forgotten")
	}
}

func FuzzRefusals(f *testing.F) {
	m := NewRefusals()
	m.Add(Refusal{At: now, Door: AuthPolicy, Service: "imap", Addr: netip.MustParseAddr("2001:db8::1"), Session: "s"})
	snapshot, _ := m.TakeSnapshot(now)
	f.Add(snapshot)
	f.Fuzz(func(_ *testing.T, b []byte) {
		m := NewRefusals()
		m.Restore(b)
		m.Explains(failed("192.0.2.1", "s", now))
	})
}

func TestProbe(t *testing.T) {
	now := time.Now()
	own := netip.MustParseAddr("198.18.0.1")
	g := NewGate(decision.New(0), Options{DryRun: true, Never: func(a netip.Addr) (string, bool) { return "ours", a == own }}, func() time.Time { return now })
	refused := func(client string) bool {
		at := netip.MustParseAddrPort(client)
		v := g.Ask(Query{Addr: at.Addr(), Port: int(at.Port())})
		if v.Action != Pass && v.Decision.ID != TestID {
			t.Errorf("%s: got %+v", client, v)
		}
		return v.Action == Refuse
	}
	probe := func(client string, want bool) {
		t.Helper()
		if err := g.Probe(netip.MustParseAddrPort(client), time.Minute); (err == nil) != want {
			t.Errorf("a probe of %s: %v, want it taken: %t", client, err, want)
		}
	}
	probe("192.0.2.1:0", true)
	probe("198.18.0.1:25000", true)
	probe("[2001:db8::1]:0", true)
	probe("198.18.0.1:0", false)     // every connection of this host
	probe("198.18.0.2:25000", false) // somebody's
	probe("8.8.8.8:0", false)
	for client, want := range map[string]bool{
		"192.0.2.1:7": true, "192.0.2.1:0": true, "[2001:db8::1]:1": true, "198.18.0.1:25000": true,
		"198.18.0.1:25001": false, "198.18.0.1:0": false, "192.0.2.2:7": false, "8.8.8.8:0": false,
	} {
		if got := refused(client); got != want {
			t.Errorf("%s: refused: got %t, want %t", client, got, want)
		}
	}
	if f := g.Figures(); len(f.Recent) != 0 || len(f.Drops) != 0 {
		t.Errorf("a probe leaves a trace: %+v", f)
	}
	now = now.Add(2 * time.Minute)
	if refused("192.0.2.1:7") {
		t.Error("refused after its time")
	}
	for i := range 10 * maxProbes {
		probe(fmt.Sprintf("192.0.2.%d:0", i%250+1), true)
	}
	if n := len(*g.probes.all.Load()); n > maxProbes {
		t.Errorf("got %d probes, want at most %d", n, maxProbes)
	}
}

// Ten thousand connections that say nothing keep nobody out.
func TestBoundedListenerClosesTheMostSilent(t *testing.T) {
	inner, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	l := Bounded(inner, 5, func(n int) { open += n })
	defer l.Close()
	var clients []net.Conn
	for range 20 {
		c, err := net.Dial("unix", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		defer c.Close()
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer served.Close()
	}
	if open != 5 {
		t.Errorf("%d are open", open)
	}
	_ = clients[0].SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := clients[0].Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the most silent was not closed: %v", err)
	}
}

func TestListenReplacesWhatADeadOneLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("while another listens: %v", err)
	}
	l.Close()
	again, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if _, err := Listen("unix:/nonexistent/s"); err == nil {
		t.Error("no such folder, no error")
	}
}

func BenchmarkAsk(b *testing.B) {
	table := decision.New(0)
	var all []decision.Decision
	for i := range 100_000 {
		d, _ := decision.Parse(decision.Raw{ID: int64(i + 1), Scope: "Ip", Type: "ban", Value: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), Duration: "1h"}, time.Now())
		all = append(all, d)
	}
	table.Apply(all, nil, time.Now())
	g := NewGate(table, Options{}, nil)
	clean := netip.MustParseAddr("192.0.2.1")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Ask(Query{Door: Policy, Addr: clean})
		}
	})
}

// A login from a country that is new to the account is refused with a text that the log's
// grammar knows as ours, and remembered as one of the account's.
func TestAbroad(t *testing.T) {
	at := time.Now()
	abroad := netip.MustParseAddr("198.51.100.7")
	g := NewGate(decision.New(0), Options{
		Contact: "postmaster@example.org",
		Never:   func(a netip.Addr) (string, bool) { return "ours", a == netip.MustParseAddr("198.51.100.9") },
		Abroad:  func(account string, a netip.Addr, _ time.Time) bool { return account == "bob" },
	}, func() time.Time { return at })
	for _, c := range []struct {
		addr, account string
		want          Action
	}{
		{"198.51.100.7", "bob", Refuse},
		{"198.51.100.7", "eve", Pass},
		{"198.51.100.7", "", Pass},
		{"198.51.100.9", "bob", Pass},
		{"127.0.0.1", "bob", Pass},
		{"", "bob", Pass},
	} {
		addr, _ := netip.ParseAddr(c.addr)
		v := g.Ask(Query{Door: AuthPolicy, Addr: addr, Account: c.account, Service: "imap", Session: "s"})
		if v.Action != c.want || v.Action == Refuse && v.Text != "CrowdSec decision: no login to this account from this country; questions: postmaster@example.org" {
			t.Errorf("%s from %q: got %s %q, want %s", c.account, c.addr, v.Action, v.Text, c.want)
		}
	}
	line := event.Record{Outcome: event.Noted, Event: event.Event{Time: at, Service: event.Dovecot, Kind: event.AuthFailed, Addr: abroad, User: "bob", Session: "s"}}
	if !g.Refusals().Explains(&line) {
		t.Error("the line of the refused login counts as an offence")
	}
	line.Session, line.User = "t", "eve"
	if g.Refusals().Explains(&line) {
		t.Error("another account's failure is excused")
	}
	g.Set(Options{DryRun: true, Abroad: func(string, netip.Addr, time.Time) bool { return true }})
	if v := g.Ask(Query{Door: AuthPolicy, Addr: abroad, Account: "bob"}); v.Action != Pass {
		t.Errorf("in a dry run: got %s, want pass", v.Action)
	}
	if f := g.Figures(); len(f.Recent) != 2 || f.Recent[0].Origin != CountryOrigin {
		t.Errorf("figures: got %+v", f.Recent)
	}
}
