package replay

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// quiet is a log with long silences, of people who mistype, hosts without names,
// and logins that come too late for the guard.
func quiet(lines int, pauses ...int) []event.Record {
	random := rand.New(rand.NewPCG(7, 8))
	at := time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC)
	var records []event.Record
	for i := range lines {
		at = at.Add(time.Duration(pauses[random.IntN(len(pauses))]) * time.Second)
		addr, user := fmt.Sprintf("192.0.2.%d", random.IntN(40)+1), fmt.Sprintf("user%d", random.IntN(3))
		message := [...]string{
			fmt.Sprintf("postfix/smtpd[%d]: warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=%s", i+1, addr, user),
			fmt.Sprintf("postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[%s]: 450 4.7.25 Client host rejected: cannot find your hostname, [%s]; from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<x>", i+1, addr, addr),
			fmt.Sprintf("postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[%s]: 550 5.1.1 <u@example.org>: Recipient address rejected: User unknown; from=<a@example.net> to=<u@example.org> proto=ESMTP helo=<x>", i+1, addr),
			fmt.Sprintf("dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.4, mpid=1, TLS, session=<s%d>", user, addr, i),
			fmt.Sprintf("postfix/smtpd[%d]: connect from mail%d.example.net[198.51.100.%d]", i+1, i%9, i%9+10),
			fmt.Sprintf("postfix/smtpd[%d]: connect from unknown[%s]", i+1, addr),
		}[random.IntN(6)]
		var r event.Record
		engine.Parse(logline.Line{Text: at.Format(time.RFC3339) + " mail " + message, Received: at, Zone: time.UTC}, &r)
		if r.Outcome >= event.Witness {
			records = append(records, r)
		}
	}
	return records
}

// A finished log comes to what the daemon comes to, which hears the clock tick while
// the log is silent: the same verdicts, at the same times.
func TestSilenceIsTime(t *testing.T) {
	for name, pauses := range map[string][]int{"a quiet log": {0, 1, 5, 60, 61, 299, 300, 301, 900, 4000}, "a busy log": {0, 0, 0, 1, 1, 1, 2, 20}} {
		set, err := detect.Load([]string{"strict"})
		if err != nil {
			t.Fatal(err)
		}
		read, ticked := engine.New(engine.Options{Scenarios: set}), engine.New(engine.Options{Scenarios: set})
		var got, want []string
		note := func(words *[]string, findings []engine.Finding) {
			for _, f := range findings {
				*words = append(*words, fmt.Sprint(f.At.UTC().Format(time.DateTime), " ", f.Verdict.Action, " ", f.Verdict.Rule, " ", f.Verdict.Reason, " ", f.Alert.Message))
			}
		}
		var before time.Time
		tick := func(until time.Time) {
			for ; !before.IsZero() && before.Before(until); before = before.Add(time.Second) {
				note(&want, ticked.Advance(before))
			}
			before = until
		}
		for _, r := range quiet(1000, pauses...) {
			one, other := r, r
			note(&got, read.Step(&one).Findings)
			tick(r.Time)
			note(&want, ticked.Step(&other).Findings)
		}
		note(&got, read.Settle(time.Now()))
		tick(before.Add(24 * time.Hour))
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("%s: verdict %d of %d and %d:\nread   %q\nticked %q", name, i, len(got), len(want), got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
			}
		}
		if all := strings.Join(got, "\n"); strings.Count(all, " ban ") < 10 || strings.Count(all, " hold ") < 10 {
			t.Errorf("%s: %d verdicts are too few to tell:\n%s", name, len(got), all)
		}
	}
}
