package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
	"csmail/pkg/scenario"
	"csmail/scenarios"
)

// The clock was a year ahead for a while. Afterwards the engine decides as it
// would have without that year.
func TestRewind(t *testing.T) {
	const (
		attacker = "203.0.113.7"
		office   = "192.0.2.9"
	)
	now := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	ahead := now.AddDate(1, 0, 0)
	paths, _ := scenarios.Paths("balanced")
	set, err := scenario.Load(scenarios.Files, paths...)
	if err != nil {
		t.Fatal(err)
	}
	e := New(Options{Scenarios: set})
	pid := 0
	step := func(at time.Time, line string, args ...any) (bans int) {
		pid++
		var r event.Record
		Parse(logline.Line{Text: at.Format(time.RFC3339) + " mx1 " + fmt.Sprintf(line, args...), Zone: time.UTC}, &r)
		for _, f := range e.Step(&r).Findings {
			if f.Verdict.Action == guard.Ban {
				bans++
			}
		}
		return bans
	}
	failure := func(at time.Time, addr, user string) int {
		return step(at, "postfix/smtpd[%d]: warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=%s", pid, addr, user)
	}
	login := func(at time.Time) {
		step(at, "dovecot: imap-login: Login: user=<carol>, method=PLAIN, rip=%s, lip=198.51.100.4, mpid=1, TLS, session=<s%d>", office, pid)
	}
	login(now.Add(-time.Minute))
	for i := range 5 {
		failure(ahead.Add(time.Duration(i)*time.Second), attacker, "bob")
	}
	if got := e.Now(); !got.Equal(ahead.Add(4 * time.Second)) {
		t.Fatalf("it is %s", got)
	}
	e.Rewind(now)
	if got := e.Now(); !got.Equal(now) {
		t.Errorf("it is %s, want %s", got, now)
	}
	bans := 0
	for i := range 6 { // of another time than the five before
		if bans > 0 {
			t.Errorf("a ban after %d attempts", i)
		}
		bans += failure(now.Add(time.Duration(i)*10*time.Second), attacker, "bob")
	}
	for _, f := range e.Advance(now.Add(9 * time.Minute)) { // the guard waits for the right password
		if f.Verdict.Action == guard.Ban {
			bans++
		}
	}
	if bans != 1 {
		t.Errorf("%d bans of the attacker, want 1", bans)
	}
	for i := range 9 { // an old password
		if failure(now.Add(10*time.Minute+time.Duration(i)*time.Second), office, "carol") > 0 {
			t.Error("a ban of who logged in before")
		}
	}
	if got := e.Guard().History(netip.MustParseAddr(office)); got.LastLogin.IsZero() {
		t.Error("the login is forgotten")
	}
}
