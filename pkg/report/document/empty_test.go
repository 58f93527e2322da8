package document

import (
	"strings"
	"testing"
	"time"

	"csmail/pkg/report"
)

// A report that counts nothing says why, and what to do. That is no attack, whatever is
// missing.
func TestEmptyReport(t *testing.T) {
	since, until := day("2026-11-28")
	sshd := lineAt(hour, "sshd[7]", "Failed password for root from 203.0.113.9 port 4711 ssh2")
	early := strings.Replace(delivered(hour, "d.example"), "2026-11-28", "2026-11-20", 1)
	for name, tt := range map[string]struct {
		lines   []string
		bounded bool
		read    int64 // lines; those of other programs are not among the others
		files   []string

		status, title, detail, advice string
		severity                      Severity
	}{
		"an empty file":           {status: "elevated", severity: Warn, title: "The log is empty: no line was read", detail: "logs to another place", advice: "journalctl -n 5 SYSLOG_FACILITY=2"},
		"an empty day":            {bounded: true, status: "elevated", severity: Urgent, title: "The log holds no line of this time", advice: "journalctl -n 5 SYSLOG_FACILITY=2"},
		"lines of another day":    {lines: []string{early}, bounded: true, read: 1, files: []string{"/var/log/mail.log.1", "a file"}, status: "elevated", severity: Urgent, title: "No line of the log is of this time", detail: "The log was read from 20 November 2026 01:00 to 20 November 2026 01:00.", advice: "csmail report --day 2026-11-20 --timezone UTC /var/log/mail.log.1 'a file'"},
		"only foreign lines":      {read: 12, status: "elevated", severity: Warn, title: "No mail and no login is in the log of this time", detail: "Of 12 lines none says", advice: "systemctl status postfix dovecot rsyslog"},
		"only sshd":               {lines: []string{sshd}, read: 1, status: "elevated", severity: Warn, title: "No mail and no login is in the log of this time", detail: "Of 1 line none says", advice: "systemctl status"},
		"only sshd, of a day":     {lines: []string{sshd}, bounded: true, read: 1, status: "elevated", severity: Urgent, title: "No mail and no login is in the log of this time", advice: "systemctl status"},
		"a single delivery":       {lines: []string{delivered(hour, "d.example")}, read: 1, status: "quiet"},
		"a single connect":        {lines: connects(3, 4)[:1], read: 1, status: "quiet"},
		"only connects, of a day": {lines: connects(0, 24), bounded: true, read: 48, status: "quiet"},
		"a single login":          {lines: []string{loginAt(hour, "198.51.100.7")}, read: 1, status: "quiet"},
		"a single deferral":       {lines: deferrals(hour, hour, 1, "d.example"), read: 1, status: "quiet"},
		"a single postscreen":     {lines: []string{lineAt(hour, "postfix/postscreen[9]", "CONNECT from [203.0.113.9]:4711 to [192.0.2.1]:25")}, read: 1, status: "quiet"},
	} {
		t.Run(name, func(t *testing.T) {
			scope := report.Scope{}
			if tt.bounded {
				scope = report.Scope{Since: since, Until: until}
			}
			in := windowOf(tt.lines, scope).Input()
			in.Lines, in.Zone, in.Bounded, in.Files = tt.read, time.UTC, tt.bounded, tt.files
			if tt.bounded {
				in.From, in.To = since, until
			}
			d := New(in)
			if d.Status != tt.status {
				t.Errorf("got status %q, want %q; findings: %+v", d.Status, tt.status, d.Findings)
			}
			var f Finding
			for _, one := range d.Findings {
				if one.ID == "silent" {
					f = one
				}
			}
			if f.Severity != tt.severity || f.Title != tt.title || !strings.Contains(f.Detail, tt.detail) || !strings.HasPrefix(f.Advice, tt.advice) {
				t.Errorf("got %+v, want %s %q, %q, %q", f, tt.severity, tt.title, tt.detail, tt.advice)
			}
		})
	}
}
