package engine

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/scenario"
)

const counting = `
type: counter
name: csmail/counting
description: x
filter: evt.Meta.kind == 'relay-denied'
groupby: evt.Meta.source_ip
capacity: -1
duration: 5m
labels:
  remediation: true
`

// A counter ends when the time of the log has passed its end, whatever the line
// says that shows it: what is known only later has no part in the verdict. So a
// log that is replayed comes to what it came to line by line.
func TestCounterEndsByTheLog(t *testing.T) {
	denied := func(second int, addr string) string {
		return fmt.Sprintf("postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<x>", second+1, addr)
	}
	const login = "dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.4, mpid=1, TLS, session=<s>"
	for name, tt := range map[string]struct {
		second int
		line   string
		want   string
	}{
		"before its end":         {299, "postfix/smtpd[9]: connect from unknown[192.0.2.9]", "[]"},
		"a witness":              {301, "postfix/smtpd[9]: connect from unknown[192.0.2.9]", "[ban none 192.0.2.1]"},
		"a success of another":   {301, "dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.9, lip=198.51.100.4, mpid=1, TLS, session=<s>", "[ban none 192.0.2.1]"},
		"what speaks for it now": {2 * 24 * 3600, login, "[ban none 192.0.2.1]"},
		"an offence":             {301, denied(301, "192.0.2.9"), "[ban none 192.0.2.1]"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := scenario.Load(fstest.MapFS{"c.yaml": {Data: []byte(counting)}}, ".")
			if err != nil {
				t.Fatal(err)
			}
			e := New(Options{Scenarios: set})
			step := func(second int, line string) []string {
				at := time.Date(2026, 6, 1, 4, 0, 0, 0, time.UTC).Add(time.Duration(second) * time.Second)
				r := parse(at.Format(time.RFC3339) + " mail " + line)
				return words(e.Step(&r).Findings)
			}
			for second := range 3 {
				step(second, denied(second, "192.0.2.1"))
			}
			if got := fmt.Sprint(step(tt.second, tt.line)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
