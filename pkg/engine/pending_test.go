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
