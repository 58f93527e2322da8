package engine

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/guard"
	"csmail/pkg/scenario"
)

// eager overflows again and again: it has no blackhole.
const eager = `
type: leaky
name: csmail/eager
description: x
filter: evt.Meta.kind == 'recipient-unknown'
groupby: evt.Meta.source_ip
capacity: 1
leakspeed: 1h
labels:
  remediation: true
`

func eagerly(t *testing.T, o guard.Options) *Engine {
	t.Helper()
	set, err := scenario.Load(fstest.MapFS{"eager.yaml": {Data: []byte(eager)}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Scenarios: set, Guard: guard.New(guard.Facts{}, o)})
}

// refused has a client refused for an unknown recipient at a second of a log, by a
// process of its own.
func refused(e *Engine, second int, addr string) []string {
	r := parse(fmt.Sprintf("Jun  3 04:%02d:%02d mail postfix/smtpd[%d]: NOQUEUE: reject: RCPT from c.example[%s]: 550 5.1.1 <a@example.org>: Recipient address rejected: User unknown; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>",
		second/60, second%60, 100+second, addr))
	return words(e.Step(&r).Findings)
}

func words(findings []Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s %s %s", f.Verdict.Action, f.Verdict.Rule, f.Alert.Value()))
	}
	return all
}

// A source that goes on while the guard waits makes a newer finding of the same; the
// last word is about that one, and nothing waits any more.
func TestNewerFindingWhileOneWaits(t *testing.T) {
	for name, addrs := range map[string][2]string{
		"one address": {"192.0.2.1", "192.0.2.1"},
		"one /64":     {"2001:db8::1", "2001:db8::2"},
	} {
		t.Run(name, func(t *testing.T) {
			e := eagerly(t, guard.Options{})
			for second, addr := range []string{addrs[0], addrs[0], addrs[1], addrs[1]} {
				if found := refused(e, second, addr); found != nil {
					t.Fatalf("second %d: %v", second, found)
				}
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
				now := time.Date(2026, 6, 3, 4, 2, 0, 0, time.UTC)
				if found := words(e.Advance(now)); len(found) != 1 || e.Waits() {
					t.Errorf("found %q, still waits: %t", found, e.Waits())
				}
			}
		})
	}
}

// What has no room to wait is told as held, at once.
func TestNoRoomToWait(t *testing.T) {
	e := eagerly(t, guard.Options{MaxPending: 1})
	var found []string
	for second, addr := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"} {
		found = append(found, refused(e, second, addr)...)
	}
	if want := "hold first-contact 192.0.2.2"; fmt.Sprint(found) != fmt.Sprint([]string{want}) {
		t.Errorf("found %q, want %q", found, want)
	}
	if found := words(e.Advance(time.Date(2026, 6, 3, 4, 2, 0, 0, time.UTC))); len(found) != 1 || e.Waits() {
		t.Errorf("then %q, still waits: %t", found, e.Waits())
	}
}

// A verdict has the time of the line that brought it, to the fraction; one that a
// silence brought the time at which the wait was over.
func TestTimeOfAVerdict(t *testing.T) {
	for name, tt := range map[string]struct{ login, want string }{
		"a login":                   {"2026-06-03T04:00:10.700Z", "04:00:10.7"},
		"in the second of the wait": {"2026-06-03T04:00:02.900Z", "04:00:02.9"},
		"a silence":                 {"2026-06-03T05:00:00.500Z", "04:01:01"},
	} {
		t.Run(name, func(t *testing.T) {
			e := eagerly(t, guard.Options{})
			step := func(line string) []Finding {
				r := parse(line)
				return e.Step(&r).Findings
			}
			const refusal = "NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 550 5.1.1 <a@example.org>: Recipient address rejected: User unknown; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>"
			step("2026-06-03T04:00:01.300Z mail postfix/smtpd[1]: " + refusal)
			if found := step("2026-06-03T04:00:02.600Z mail postfix/smtpd[2]: " + refusal); found != nil {
				t.Fatalf("at once: %v", words(found))
			}
			found := step(tt.login + " mail dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.4, mpid=1, TLS, session=<s>")
			if len(found) != 1 {
				t.Fatalf("found %v", words(found))
			}
			if got := found[0].At.UTC().Format("15:04:05.999"); got != tt.want {
				t.Errorf("%v came at %s, want %s", words(found), got, tt.want)
			}
		})
	}
}
