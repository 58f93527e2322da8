//go:build e2e

package install

import (
	"regexp"
	"strings"
	"time"
)

var reportMail = regexp.MustCompile(`message-id=(<report-\S+>)`)

// reportByMail: the report that cannot be sent is tried again by systemd until it can, and
// a second one of the day has the Message-ID of the first.
func (l *life) reportByMail() {
	const unit = "csmail-report.service"
	l.sh(`mkdir -p /run/systemd/system/csmail-report.service.d
cat >/run/systemd/system/csmail-report.service.d/soon.conf <<'END'
[Service]
RestartSec=1s
END
cat >/etc/csmail/csmail.yaml.local <<'END'
report: {mail: {smtp: "127.0.0.1:2"}}
END
systemctl daemon-reload`)
	began := strings.TrimSpace(l.must("date", "+%s"))
	l.must("systemctl", "start", "--no-block", unit)
	l.await(time.Minute, "systemd tries a second time to send the report", func() bool {
		out, _ := l.run("journalctl", "--since=@"+began, "-u", unit, "-o", "cat")
		return strings.Count(out, "hint: is a mail server there?") >= 2 && strings.Contains(out, "connection refused")
	})
	l.must("rm", "/etc/csmail/csmail.yaml.local")
	sent := func(n int) []string {
		var ids []string
		l.await(time.Minute, "the report is in Postfix's queue", func() bool {
			out, _ := l.run("journalctl", "--since=@"+began, "-t", "postfix/cleanup", "-o", "cat")
			ids = nil
			for _, m := range reportMail.FindAllStringSubmatch(out, -1) {
				ids = append(ids, m[1])
			}
			return len(ids) >= n
		})
		return ids
	}
	first := sent(1)
	l.await(time.Minute, "the unit is done", func() bool {
		out, _ := l.run("systemctl", "is-active", unit)
		return strings.TrimSpace(out) == "inactive"
	})
	l.must("systemctl", "start", unit)
	if both := sent(2); len(first) != 1 || len(both) != 2 || both[0] != both[1] {
		l.t.Errorf("got the Message-IDs %q after the first mail and %q after the second, want one and the same", first, both)
	}
	l.sh(`rm -r /run/systemd/system/csmail-report.service.d; systemctl daemon-reload`)
}
