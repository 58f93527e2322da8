package document

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// troubledDay is a log where nearly everything is the matter.
func troubledDay(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, name := range []string{"mail-rfc3339.log", "provoked.log"} {
		text, err := os.ReadFile("../../../tests/samples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	for i := range 30 {
		lines = append(lines,
			lineAt(hour, "dovecot", "imap-login: Disconnected (auth failed, 1 attempts in 4 secs): user=<alice>, method=PLAIN, rip=198.51.100.%d, lip=192.0.2.1, TLS, session=<a%d>", i+1, i),
			lineAt(2*hour, "dovecot", "imap-login: Disconnected (auth failed, 12 attempts in 40 secs): user=<bob>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.1, TLS, session=<b%d>", i),
			lineAt(3*hour, "postfix/smtpd[7]", "warning: TLS library problem: error:14094415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired:../ssl/record/rec_layer_s3.c:1543:SSL alert number 45:"),
			lineAt(3*hour, "postfix/postscreen[8]", "warning: dnsblog reply timeout 10s for zen.example"),
			lineAt(4*hour, "postfix/smtp[5]", "EEEEEE1: to=<u@far.example>, relay=mx.far.example[203.0.113.5]:25, delay=2, delays=0/0/1/1, dsn=5.7.1, status=bounced (host mx.far.example[203.0.113.5] said: 550 5.7.1 [192.0.2.1] blocked using zen.example)"),
			lineAt(4*hour, "postfix/smtp[5]", "EEEEEE2: to=<u@far.example>, relay=mx.far.example[203.0.113.5]:25, delay=2, delays=0/0/1/1, dsn=5.7.26, status=bounced (host mx.far.example[203.0.113.5] said: 550 5.7.26 no DMARC)"),
			lineAt(4*hour, "postfix/smtp[5]", "EEEEEE3: to=<u@far.example>, relay=mx.far.example[203.0.113.5]:25, delay=2, delays=0/0/1/1, dsn=4.7.0, status=deferred (host mx.far.example[203.0.113.5] said: 421 4.7.0 rate limited)"),
			lineAt(5*hour, "postfix/smtpd[7]", "fatal: open database /etc/postfix/virtual.db: No such file or directory"))
	}
	lines = append(lines, lineAt(2*hour+minute, "dovecot", "imap-login: Login: user=<bob>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.1, mpid=7, TLS, session=<s>"),
		lineAt(5*hour, "postfix/cleanup[9]", "warning: write queue file: No space left on device"))
	lines = append(lines, strings.ReplaceAll(loginAt(6*hour, "203.9.0.1"), "<alice>", "<carol>"))
	for _, addr := range []string{"192.0.2.77", "203.9.0.1", "198.51.2.2", "192.88.1.1", "100.64.3.3"} {
		lines = append(lines, loginAt(6*hour, addr))
	}
	lines = append(lines, refusedNetwork("554 5.7.1 Service unavailable; Client host [%s] blocked using zen.example")...)
	lines = append(append(lines, loginAt(minute, "198.18.7.7")), guessesAt(3*hour, "198.18.7.7", 40)...)
	lines = append(lines, toMany(40, 10*minute, false)...)
	lines = append(lines, sent(7*hour, "FFFFFF1", 300, 200)...)
	return append(append(lines, deferrals(8*hour, hour, 12, "d.example")...), connects(0, 9)...)
}

// Each finding says what to do, in a command of this host. Those that only the daemon
// finds have a test of their own there.
func TestEveryFindingSaysWhatToDo(t *testing.T) {
	ofDaemon := []string{"held-waiting", "lapi-unreachable", "outbox-grows", "source-lags"}
	w := windowOf(troubledDay(t), report.Scope{})
	in := w.Input()
	in.Lines, in.Missed, in.Zone, in.Place = 1000, 500, time.UTC, places
	in.Collateral = []report.Collateral{{Value: "203.0.113.7", Scenario: "csmail/auth-bf", Proof: "logged in"}}
	in.Habits = known("2026-11-01")
	in.Habits.Accounts["carol"] = in.Habits.Accounts["alice"]
	in.From, in.To = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	in.Before = []Day{{Date: "2026-11-27", Received: 1000}}
	d := New(in)
	d.Holds.List = append(d.Holds.List, Verdict{Value: "10.0.0.1", Rule: "never", Message: "6 × auth-failed"}, Verdict{Value: "198.51.100.1", Rule: guard.TooManyBans.String()})
	found := append(append(d.Findings, d.ownNetworks()...), d.caps()...)
	found = append(found, windowOf(nil, report.Scope{}).emptyFinding())
	seen := map[string]bool{}
	for _, f := range found {
		seen[f.ID] = true
		command, _, _ := strings.Cut(f.Advice, " ")
		if !slices.Contains([]string{"csmail", "doveadm", "postqueue", "postconf", "journalctl", "systemctl", "grep", "dig", "df", "openssl", "echo"}, command) {
			t.Errorf("%s: got the advice %q, want a command", f.ID, f.Advice)
		}
		if len(f.Detail) < 15 || !strings.HasSuffix(f.Detail, ".") && !strings.Contains(f.Detail, ": ") {
			t.Errorf("%s: got the detail %q, want sentences", f.ID, f.Detail)
		}
		if f.Title == "" || f.Severity == "" {
			t.Errorf("got %+v, want a title and a severity", f)
		}
	}
	for _, id := range FindingIDs {
		if !seen[id] && !slices.Contains(ofDaemon, id) {
			t.Errorf("%s: the log does not lead to it, so it was not looked at", id)
		}
	}
}

func (w *Window) emptyFinding() Finding {
	in := w.Input()
	in.Zone = time.UTC
	return New(in).Findings[0]
}

// postscreen(8) opens its tables when it starts, so a changed one needs a reload.
func TestProviderAdviceReloads(t *testing.T) {
	in := windowOf(troubledDay(t), report.Scope{}).Input()
	in.Zone = time.UTC
	at := slices.IndexFunc(New(in).Findings, func(f Finding) bool { return f.ID == "provider-refused" })
	if at < 0 {
		t.Fatal("got no provider-refused, want one")
	}
	if got := New(in).Findings[at]; !strings.Contains(got.Advice, providerTable+" && postfix reload") || !strings.Contains(got.Detail, "after postfix reload") {
		t.Errorf("got the advice %q and the detail %q, want them to say postfix reload", got.Advice, got.Detail)
	}
}
