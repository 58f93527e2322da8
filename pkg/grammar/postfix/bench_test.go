package postfix

import (
	"testing"

	"csmail/pkg/event"
)

func BenchmarkParse(b *testing.B) {
	for name, c := range map[string][2]string{
		"connect":    {"postfix/smtpd", "connect from mail77.example.net[198.51.100.77]"},
		"disconnect": {"postfix/smtpd", "disconnect from mail77.example.net[198.51.100.77] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"},
		"client":     {"postfix/smtpd", "4Zk1Yq2Lz3z9v: client=mail77.example.net[198.51.100.77]"},
		"sasl":       {"postfix/smtpd", "warning: unknown[203.0.113.5]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=user77@example.org"},
		"lost":       {"postfix/smtpd", "lost connection after AUTH from unknown[203.0.113.5]"},
		"reject":     {"postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[203.0.113.5]: 450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.5]; from=<spam1@example.com> to=<user2@example.org> proto=ESMTP helo=<host.example.com>"},
		"relay":      {"postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[203.0.113.5]: 554 5.7.1 <probe@example.net>: Relay access denied; from=<probe@example.com> to=<probe@example.net> proto=SMTP helo=<[198.51.100.77]>"},
		"mismatch":   {"postfix/smtpd", "warning: hostname host-77.dyn.example.com does not resolve to address 203.0.113.5: Name or service not known"},
		"qmgr":       {"postfix/qmgr", "4Zk1Yq2Lz3z9v: removed"},
		"cleanup":    {"postfix/cleanup", "4Zk1Yq2Lz3z9v: message-id=<1234567890.4Zk1Yq2Lz3z9v@mail77.example.net>"},
	} {
		b.Run(name, func(b *testing.B) {
			var e event.Event
			b.ReportAllocs()
			for range b.N {
				Parse(c[0], c[1], &e)
			}
		})
	}
}
