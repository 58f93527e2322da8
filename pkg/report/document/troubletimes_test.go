package document

import (
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/report"
)

// Each outage has its times, also if the hours of the day were stored apart and csmail was
// restarted in it.
func TestOutagesHaveTheirTimes(t *testing.T) {
	from, to := 9*hour+50*minute, 11*hour+10*minute
	for name, tt := range map[string]struct{ id, tag, text string }{
		"table":       {"backend-fault", "postfix/cleanup[6]", "warning: proxy:mysql:/etc/postfix/x.cf lookup error for \"u@example.org\""},
		"disk":        {"disk-or-queue", "postfix/cleanup[9]", "warning: write queue file: No space left on device"},
		"mailboxes":   {"disk-or-queue", "postfix/lmtp[9]", "AAAAAA1: to=<u@example.org>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=4.2.0, status=deferred (host mx1[private/dovecot-lmtp] said: 451 4.2.0 <u@example.org> No space left on device (in reply to end of DATA command))"},
		"fatal":       {"disk-or-queue", "postfix/smtpd[9]", "fatal: open database /etc/postfix/virtual.db: No such file or directory"},
		"panic":       {"disk-or-queue", "postfix/qmgr[9]", "panic: myfree: corrupt or unallocated memory block"},
		"certificate": {"certificate", "postfix/smtpd[9]", "warning: TLS library problem: error:14094415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired:../ssl/record/rec_layer_s3.c:1543:SSL alert number 45:"},
		"login":       {"backend-fault", "postfix/smtpd[9]", "warning: SASL: Connect to private/auth failed: No such file or directory"},
		"resolver":    {"resolver-trouble", "postfix/smtpd[9]", "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"},
	} {
		lines := connects(0, 24)
		for at := from; at <= to; at += 5 * minute {
			lines = append(lines, lineAt(at, tt.tag, "%s", tt.text), lineAt(at, "postfix/smtpd[8]", "warning: unknown[198.51.100.9]: SASL LOGIN authentication failed: No space left, table lookup problem"))
		}
		slices.Sort(lines)
		k, r := newKeeper(t), newReader()
		for i, line := range lines {
			if k.read(r, line); i%7 == 6 {
				k.restart()
			}
		}
		since, until := day("2026-11-28")
		ofLog := Maker{Zone: time.UTC}.Of(windowOf(lines, report.Scope{Since: since, Until: until}), Surroundings{Since: since, Until: until})
		for source, d := range map[string]*Document{"the log": ofLog, "the daemon": k.report(since, until)} {
			at := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.ID == tt.id })
			if at < 0 {
				t.Errorf("%s, of %s: no finding", name, source)
				continue
			}
			f := d.Findings[at]
			if !f.Since.Equal(since.Add(from)) || !f.Until.Equal(since.Add(to)) {
				t.Errorf("%s, of %s: %q is from %s to %s, want %s to %s", name, source, f.Title, f.Since, f.Until, since.Add(from), since.Add(to))
			}
			if strings.Contains(f.Detail, "SASL LOGIN") {
				t.Errorf("%s, of %s: a client's text is an example: %q", name, source, f.Detail)
			}
		}
	}
}
