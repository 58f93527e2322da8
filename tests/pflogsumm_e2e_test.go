//go:build e2e

package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/cli"
)

// grandTotal is a line of pflogsumm's grand totals.
var grandTotal = regexp.MustCompile(`^ *(\d+)([km]?)\s+([a-z][a-z/ ]*[a-z])`)

// grandTotals reads the section of that name.
func grandTotals(text string) map[string]int {
	_, section, _ := strings.Cut(text, "Grand Totals\n")
	totals := map[string]int{}
	for line := range strings.SplitSeq(section, "\n") {
		m := grandTotal.FindStringSubmatch(line)
		if m != nil && m[2] == "" && !strings.HasPrefix(m[3], "mails were begun") && !strings.HasPrefix(m[3], "hand-overs") {
			n, _ := strconv.Atoi(m[1])
			totals[m[3]] = n
		}
		if strings.HasPrefix(line, "Per-") || line == "smtpd" {
			break
		}
	}
	return totals
}

func pflogsumm(t *testing.T, path string) map[string]int {
	t.Helper()
	out, err := exec.Command("pflogsumm", path).Output()
	if err != nil {
		t.Fatalf("pflogsumm %s: %v; tests/e2e/install.sh installs it", path, err)
	}
	return grandTotals(string(out))
}

func ourTotals(t *testing.T, path string) map[string]int {
	t.Helper()
	var out, errs bytes.Buffer
	if status := cli.Main(t.Context(), []string{"report", "--quiet", "--pflogsumm", path}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 {
		t.Fatalf("csmail report %s: status %d: %s", path, status, errs.String())
	}
	return grandTotals(out.String())
}

// difference is a figure that csmail counts otherwise than pflogsumm 1.1.5, and
// why.
type difference struct {
	figure string
	add    int // ours less theirs
	reason string
}

const (
	byDiscard   = "discard(8) throws a mail away; it delivers nothing"
	abandoned   = "a client that leaves after RCPT, or is refused at the end of its message, brought no mail"
	atSubmitted = "refusals by a mail filter at a command, and of services with another syslog name"
)

var discards = []difference{
	{"delivered", -18, byDiscard},
	{"discarded", 18, byDiscard},
	{"bytes delivered", -19275, byDiscard},
	{"recipients", -3, byDiscard},
	{"recipient hosts/domains", -2, byDiscard},
}

func provoked(abandonedMails int) []difference {
	return []difference{
		{"received", -abandonedMails, abandoned},
		{"delivered", -8, byDiscard},
		{"discarded", 8, byDiscard},
		{"rejected", 4, atSubmitted},
		{"bytes delivered", -2858, byDiscard},
		{"recipients", -2, byDiscard},
		{"recipient hosts/domains", -2, byDiscard},
	}
}

// On the recorded logs the grand totals are pflogsumm's, but for what is listed
// here with its reason.
func TestTotalsArePflogsumms(t *testing.T) {
	for path, differences := range map[string][]difference{
		"samples/mail-rfc3339.log": discards, "samples/mail-rfc3164.log": discards, "samples/postfix-own.log": discards,
		"samples/debian13/mail-rfc3339.log": discards, "samples/debian13/mail-rfc3164.log": discards, "samples/debian13/postfix-own.log": discards,
		"samples/provoked.log": provoked(18), "samples/debian13/provoked.log": provoked(16),
		"samples/dovecot-own.log": nil,
	} {
		t.Run(path, func(t *testing.T) {
			want := pflogsumm(t, path)
			for _, d := range differences {
				want[d.figure] += d.add
			}
			if diff := cmp.Diff(want, ourTotals(t, path)); diff != "" {
				t.Errorf("(-pflogsumm with the listed differences, +csmail):\n%s", diff)
			}
		})
	}
}

// On a log without filters, discards and clients that give up all totals are the
// same.
func TestPlainDayIsPflogsumms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(path, []byte(plainDay()), 0o600); err != nil {
		t.Fatal(err)
	}
	want, got := pflogsumm(t, path), ourTotals(t, path)
	if want["received"] != 1000 || want["delivered"] < 900 || want["bounced"] == 0 || want["deferred"] == 0 {
		t.Fatalf("the log is no test: pflogsumm counts %v", want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-pflogsumm, +csmail):\n%s", diff)
	}
	if len(want) < 13 { // bytes are shown in k, and are left out
		t.Errorf("only %d totals were compared: %v", len(want), want)
	}
}

// plainDay is a day of 1000 mails.
func plainDay() string {
	var b strings.Builder
	line := func(n int, daemon, format string, args ...any) {
		fmt.Fprintf(&b, "Nov 28 %02d:%02d:%02d mx1 postfix/%s[%d]: %s\n", n/60%24, n%60, n%50, daemon, 100+n, fmt.Sprintf(format, args...))
	}
	for n := range 1000 {
		id := fmt.Sprintf("%X", 0xABCDE0000+n)
		line(n, "smtpd", "connect from host%d.example[203.0.113.%d]", n%40, n%40+1)
		line(n, "smtpd", "%s: client=host%d.example[203.0.113.%d]", id, n%40, n%40+1)
		line(n, "cleanup", "%s: message-id=<%d@host.example>", id, n)
		line(n, "qmgr", "%s: from=<user%d@host%d.example>, size=%d, nrcpt=1 (queue active)", id, n%70, n%40, 1000+n)
		switch n % 25 {
		case 3:
			line(n, "smtp", "%s: to=<a%d@far.example>, relay=mx.far.example[198.51.100.7]:25, delay=3, delays=1/0/1/1, dsn=5.1.1, status=bounced (host mx.far.example[198.51.100.7] said: 550 5.1.1 no such user (in reply to RCPT TO command))", id, n)
		case 4:
			line(n, "smtp", "%s: to=<b%d@slow.example>, relay=none, delay=3, delays=1/0/2/0, dsn=4.4.1, status=deferred (connect to mx.slow.example[198.51.100.8]:25: Connection timed out)", id, n)
		default:
			line(n, "lmtp", "%s: to=<c%d@example.org>, relay=mx1[private/dovecot-lmtp], delay=0.5, delays=0.2/0/0.1/0.2, dsn=2.0.0, status=sent (250 2.0.0 saved)", id, n%30)
		}
		line(n, "qmgr", "%s: removed", id)
		if n%10 == 0 {
			line(n, "smtpd", "NOQUEUE: reject: RCPT from unknown[203.0.113.%d]: 554 5.7.1 <x@far.example>: Relay access denied; from=<s@host.example> to=<x@far.example> proto=ESMTP helo=<x>", n%90+1)
		}
		line(n, "smtpd", "disconnect from host%d.example[203.0.113.%d] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5", n%40, n%40+1)
	}
	return b.String()
}
