package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// parseLog returns the outcome of each line of a log, and what was noted.
func parseLog(text string, reading *logline.Reading) ([]string, Notes) {
	var p Parser
	var outcomes []string
	line := logline.Line{Received: time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC), Zone: time.UTC, Reading: reading}
	for line.Text = range strings.SplitSeq(text, "\n") {
		line.Number++
		var r event.Record
		p.Parse(&line, &r)
		outcome := r.Outcome.String()
		if r.Addr.IsValid() {
			outcome += " " + r.Addr.String()
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, p.Notes
}

const guess = "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"

func entryOf(uid, message string) string {
	return fmt.Sprintf(`{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"7","_UID":%q,"_COMM":"logger","MESSAGE":%q}`, uid, message)
}

func TestNotes(t *testing.T) {
	const smtpd = "Jun  3 04:11:09 mx postfix/smtpd[7]: "
	const inner = "Jun  3 02:11:09 mail postfix/smtpd[400]: " + guess
	for name, tt := range map[string]struct {
		log  string
		want []string
		note string // of the remarks
	}{
		"inside docker's":             {"Jun  3 04:11:09 mx docker[7]: " + inner, []string{"foreign"}, `1 lines look like mail logs inside other lines; see docs/inputs.md, envelope (the first is of "docker")`},
		"inside dovecot's":            {"Jun  3 04:11:09 mx dovecot[7]: Jun  3 02:11:09 auth: Info: passwd-file(a,192.0.2.1,<s>): Password mismatch", []string{"benign"}, "inside other lines"},
		"inside journald's JSON":      {entryOf("0", inner), []string{"missed"}, "inside other lines"},
		"inside, of another program":  {"Jun  3 04:11:09 mx docker[7]: Jun  3 02:11:09 mail cron[1]: x", []string{"foreign"}, ""},
		"in a client's text":          {smtpd + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: " + inner, []string{"event 192.0.2.1"}, ""},
		"logger":                      {entryOf("1000", guess), []string{"foreign"}, "1 journal entries were passed over"},
		"logger, benign":              {entryOf("1000", "initializing the server-side TLS engine"), []string{"benign"}, ""},
		"root's":                      {entryOf("0", guess), []string{"event 192.0.2.1"}, ""},
		"since boot":                  {"[ 5000.000000] mx postfix/smtpd[7]: " + guess, []string{"event 192.0.2.1"}, "1 lines are stamped with the time since boot"},
		"since boot, the kernel's":    {"[ 5000.000000] mx kernel: x", []string{"foreign"}, ""},
		"cat":                         {guess, []string{"no-header"}, "1 lines are messages without a header"},
		"export":                      {"__CURSOR=s=1", []string{"no-header"}, "1 fields of journalctl -o export"},
		"noise":                       {"noise", []string{"no-header"}, ""},
		"with its unit":               {"Wed 2026-06-03 06:11:09 CEST mx postfix@-.service[7]: " + guess, []string{"event 192.0.2.1"}, ""},
		"with a unit of another kind": {"Wed 2026-06-03 06:11:09 CEST mx cron.service[7]: " + guess, []string{"foreign"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes := parseLog(tt.log, nil)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			remarks := strings.Join(notes.Remarks(), "\n")
			if (remarks == "") != (tt.note == "") || !strings.Contains(remarks, tt.note) {
				t.Errorf("got remarks %q, want %q", remarks, tt.note)
			}
		})
	}
}

// The writers that the configuration lists are believed, and envelopes taken off.
func TestReading(t *testing.T) {
	m, err := logline.ParseMatch("_UID=1000")
	if err != nil {
		t.Fatal(err)
	}
	reading := &logline.Reading{Envelope: true, Trusted: []logline.Match{m}}
	log := entryOf("1000", guess) + "\n" + entryOf("1001", guess) + "\nJun  3 04:11:09 mx docker[7]: Jun  3 02:11:09 mail postfix/smtpd[400]: " + guess
	got, notes := parseLog(log, reading)
	if want := []string{"event 192.0.2.1", "foreign", "event 192.0.2.1"}; !slices.Equal(got, want) || notes.Doubted != 1 || notes.Nested != 0 {
		t.Errorf("got %q, %+v, want %q", got, notes, want)
	}
}

// A log of warnings alone is filtered; one line of another severity shows that it is
// not.
func TestOnlyTroubles(t *testing.T) {
	warnings := strings.Repeat("Jun  3 04:11:09 mx postfix/smtpd[7]: "+guess+"\n", fewTroubles)
	errors := strings.Repeat("Jun  3 04:11:09 mx dovecot: auth: Error: x\n", fewTroubles)
	for name, tt := range map[string]struct {
		log  string
		want bool
	}{
		"warnings":              {warnings, true},
		"Dovecot's errors":      {errors, true},
		"too few":               {warnings[:strings.LastIndex(warnings[:len(warnings)-1], "\n")], false},
		"with a connection":     {warnings + "Jun  3 04:11:09 mx postfix/smtpd[7]: connect from a.example[192.0.2.1]", false},
		"with qmgr":             {"Jun  3 04:11:09 mx postfix/qmgr[7]: 4Zk1Yq2L0z9v: removed\n" + warnings, false},
		"with Dovecot's login":  {warnings + "Jun  3 04:11:09 mx dovecot: imap-login: Login: user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2", false},
		"with cron and a rest":  {warnings + "Jun  3 04:11:09 mx cron[7]: x", true},
		"Dovecot's info alone":  {strings.Repeat("Jun  3 04:11:09 mx dovecot: imap-login: Disconnected: x\n", 9), false},
		"nothing of the system": {"Jun  3 04:11:09 mx cron[7]: warning: x", false},
	} {
		if _, notes := parseLog(tt.log, nil); notes.OnlyTroubles() != tt.want {
			t.Errorf("%s: got %t (%+v), want %t", name, notes.OnlyTroubles(), notes, tt.want)
		}
	}
}

// Postfix's daemons are told apart by the fixed words of their messages, never by
// what a client wrote behind them.
func TestProgramOf(t *testing.T) {
	for message, want := range map[string]string{
		guess:                             "postfix/smtpd",
		"connect from unknown[192.0.2.1]": "postfix/smtpd",
		"CONNECT from [192.0.2.1]:1 to [192.0.2.2]:25":                                             "postfix/postscreen",
		"PREGREET 11 after 0.1 from [192.0.2.1]:1: EHLO x\\r\\n":                                   "postfix/postscreen",
		"NOQUEUE: reject: RCPT from [192.0.2.1]:1: 550 5.7.1 x":                                    "postfix/postscreen",
		"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <CONNECT from [x>: Relay":        "postfix/smtpd",
		"4Zk1Yq2L0z9v: client=a[192.0.2.1]":                                                        "postfix/smtpd",
		"4Zk1Yq2L0z9v: reject: RCPT from a[192.0.2.1]: 450 x":                                      "postfix/smtpd",
		"4Zk1Yq2L0z9v: reject: header Subject: RCPT from a[192.0.2.1] from a[192.0.2.1]; from=<x>": "postfix/cleanup",
		"4Zk1Yq2L0z9v: milter-reject: END-OF-MESSAGE from a[192.0.2.1]: 5.7.1 x":                   "postfix/cleanup",
		"4Zk1Yq2L0z9v: to=<a@b>, relay=x, delay=1, status=sent (connect from unknown[192.0.2.66])": "postfix/qmgr",
		"4Zk1Yq2L0z9v: removed": "postfix/qmgr",
		"statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Jun  3": "postfix/anvil",
	} {
		if got := programOf("postfix@-.service", message); got != want {
			t.Errorf("%q: got %s, want %s", message, got, want)
		}
	}
	for tag, want := range map[string]string{
		"dovecot.service": "dovecot", "ssh.service": "sshd", "sshd@1-2.service": "sshd", "postfix.service": "postfix/smtpd",
		"cron.service": "cron.service", "postfixadmin.service": "postfixadmin.service", "postfix": "postfix", "user@1000.service/a": "user@1000.service/a",
	} {
		if got := programOf(tag, guess); got != want {
			t.Errorf("%s: got %s, want %s", tag, got, want)
		}
	}
}
