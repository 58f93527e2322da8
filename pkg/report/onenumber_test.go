package report

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
)

// TestOneNumber: a connection is one try, and the table, the answer to why and the
// alert say the same number of them, however many lines each has.
func TestOneNumber(t *testing.T) {
	addr := netip.MustParseAddr("203.0.113.9")
	tests := map[string]struct {
		connections int
		lines       []string
		scenario    string // whose alert counts all of them
		want        string // of the guard's history
	}{
		"listed, then hung up": {360, []string{
			"postfix/postscreen[8]: DNSBL rank 5 for [203.0.113.9]:%d",
			"postfix/postscreen[8]: HANGUP after 0.9 from [203.0.113.9]:%[1]d in tests after SMTP handshake",
		}, "", "360 attempts; the newest"},
		"too early at three ports": {3, []string{
			"postfix/postscreen[8]: PREGREET 11 after 0.05 from [203.0.113.9]:%d: EHLO User\\r\\n",
			"postfix/postscreen[8]: DNSBL rank 5 for [203.0.113.9]:%[1]d",
			"postfix/postscreen[8]: HANGUP after 0.9 from [203.0.113.9]:%[1]d in tests after SMTP handshake",
		}, "csmail/protocol-abuse", "3 × pregreet"},
		"listed, then no SMTP": {3, []string{
			"postfix/postscreen[8]: DNSBL rank 5 for [203.0.113.9]:%d",
			"postfix/postscreen[8]: NON-SMTP COMMAND from [203.0.113.9]:%[1]d after CONNECT: GET / HTTP/1.1",
		}, "csmail/protocol-abuse", "3 × non-smtp"},
		"three recipients a session": {4, []string{
			"postfix/smtpd[%d]: connect from unknown[203.0.113.9]",
			"postfix/smtpd[%[1]d]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<c.example>",
			"postfix/smtpd[%[1]d]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <b@example.net>: Relay access denied; from=<b@example.com> to=<b@example.net> proto=ESMTP helo=<c.example>",
			"postfix/smtpd[%[1]d]: disconnect from unknown[203.0.113.9] ehlo=1 mail=1 rcpt=0/2 quit=1 commands=3/5",
		}, "", "4 × relay-denied"},
	}
	for name, tt := range tests {
		set, err := detect.Load([]string{"balanced"})
		if err != nil {
			t.Fatal(err)
		}
		e, c := engine.New(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})}), NewCollector(Scope{})
		at := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
		step := func(text string) {
			var r event.Record
			engine.Parse(logline.Line{Text: at.Format(time.RFC3339) + " mx1 " + text, Received: at, Zone: time.UTC}, &r)
			if r.Outcome < event.Witness {
				t.Fatalf("%s: %s", r.Outcome, text)
			}
			result := e.Step(&r)
			c.Add(&result)
		}
		for n := range tt.connections {
			at = at.Add(time.Second)
			for _, line := range tt.lines {
				step(fmt.Sprintf(line, 20000+n))
			}
		}
		c.AddFindings(e.Settle(at))
		if sources := c.Sources(); len(sources) != 1 || sources[0].Count != tt.connections {
			t.Errorf("%s: got %d sources, want one with %d attempts", name, len(sources), tt.connections)
		}
		if got := strings.Join(StateOf(e, addr).History, "; "); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q of the guard, want %q", name, got, tt.want)
		}
		for _, f := range c.Findings() { // another scenario may have counted other kinds
			if f.Alert.Scenario == tt.scenario && f.Alert.Count != tt.connections {
				t.Errorf("%s: got an alert of %d, want %d", name, f.Alert.Count, tt.connections)
			}
		}
	}
}
