package daily

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/grammar/postfix"
	"csmail/pkg/logline"
)

// linesOf turns "09:00:00 smtpd[1]: message" lines into those of a syslog file.
func linesOf(short string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(short), "\n") {
		line = strings.TrimSpace(line)
		clock, rest, _ := strings.Cut(line, " ")
		if line != "" {
			lines = append(lines, fmt.Sprintf("2026-11-28T%s+00:00 mx1 postfix/%s", clock, rest))
		}
	}
	return lines
}

// count runs lines through the parser and a tracker whose windows at chooses.
func count(t *testing.T, lines []string, at func(time.Time) *Figures) {
	t.Helper()
	tracker, logins := NewTracker(Options{At: at}), NewLogins(Options{At: at})
	addLines(tracker, logins, lines...)
	tracker.Finish()
}

// addLines gives the lines to a tracker, and to logins if there are any.
func addLines(tracker *Tracker, logins *Logins, lines ...string) {
	var parser engine.Parser
	for i, text := range lines {
		line := logline.Line{Text: text, Number: int64(i + 1), Zone: time.UTC}
		var r event.Record
		var f event.Flow
		parser.Parse(&line, &r)
		if parser.ParseFlow(&line, &r, &f) {
			logged := r.Logged()
			tracker.Add(&logged, &f)
		}
		if r.Outcome == event.Noted && logins != nil {
			logins.Add(&r)
		}
	}
}

// figuresOf counts lines in one window without bounds.
func figuresOf(t *testing.T, lines []string) *Figures {
	t.Helper()
	f := NewFigures()
	count(t, lines, func(time.Time) *Figures { return f })
	return f
}

// totals shows the figures that the traps are about.
func totals(f *Figures) string {
	var words []string
	for _, figure := range [...]struct {
		name string
		n    int
	}{
		{"received", f.Received()},
		{"delivered", f.Delivered()},
		{"requeued", f.Requeued},
		{"forwarded", f.Forwarded},
		{"deferred", len(f.Deferred)},
		{"deferrals", f.Deferrals},
		{"bounced", f.Bounced},
		{"expired", f.Expired},
		{"rejected", f.Rejected()},
		{"temporary", f.RejectedTemporary},
		{"warnings", f.RejectWarnings},
		{"held", f.Held},
		{"discarded", f.Discarded},
		{"by filter", f.DiscardedByFilter},
		{"incomplete", f.NotCompleted},
		{"unsized", f.Unsized},
		{"bytes", int(f.BytesReceived)},
		{"out", int(f.BytesDelivered)},
	} {
		if figure.n != 0 {
			words = append(words, fmt.Sprintf("%s %d", figure.name, figure.n))
		}
	}
	return strings.Join(words, ", ")
}

// Each trap is a set-up where counting lines counts wrong.
var traps = map[string]struct{ log, want string }{
	"one mail": {
		`
		09:00:00 smtpd[1]: connect from a.example[203.0.113.7]
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 lmtp[4]: AAAAAA1: to=<bob@example.org>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 saved)
		09:00:02 qmgr[3]: AAAAAA1: removed
		09:00:02 smtpd[1]: disconnect from a.example[203.0.113.7] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5`,
		"received 1, delivered 1, bytes 1000, out 1000",
	},
	"after-queue filter, two recipients": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:03 10025/smtpd[5]: BBBBBB2: client=localhost[127.0.0.1]
		09:00:03 cleanup[2]: BBBBBB2: message-id=<1@a.example>
		09:00:03 qmgr[3]: BBBBBB2: from=<s@a.example>, size=1500, nrcpt=2 (queue active)
		09:00:03 amavis/smtp[4]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBBB2)
		09:00:03 amavis/smtp[4]: AAAAAA1: to=<eve@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBBB2)
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 lmtp[6]: BBBBBB2: to=<bob@example.org>, relay=x[private/l], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
		09:00:04 lmtp[6]: BBBBBB2: to=<eve@example.org>, relay=x[private/l], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
		09:00:04 qmgr[3]: BBBBBB2: removed`,
		"received 1, delivered 2, requeued 2, bytes 1000, out 3000",
	},
	"filter whose mail is delivered before its own line": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:03 10025/smtpd[5]: BBBBBB2: client=localhost[127.0.0.1]
		09:00:03 qmgr[3]: BBBBBB2: from=<s@a.example>, size=1500, nrcpt=1 (queue active)
		09:00:03 lmtp[6]: BBBBBB2: to=<bob@example.org>, relay=x[private/l], delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)
		09:00:03 qmgr[3]: BBBBBB2: removed
		09:00:04 amavis/smtp[4]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=3, delays=0/0/0/3, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as BBBBBB2)`,
		"received 1, delivered 1, requeued 1, bytes 1000, out 1500",
	},
	"filter that keeps the queue ID (XFORWARD)": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:03 10025/smtpd[5]: BBBBBB2: client=localhost[127.0.0.1], orig_queue_id=AAAAAA1, orig_client=a.example[203.0.113.7]
		09:00:03 qmgr[3]: BBBBBB2: from=<s@a.example>, size=1500, nrcpt=1 (queue active)
		09:00:04 smtp[4]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=3, delays=0/0/0/3, dsn=2.0.0, status=sent (250 passed on)
		09:00:05 lmtp[6]: BBBBBB2: to=<bob@example.org>, relay=x[private/l], delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)`,
		"received 1, delivered 1, requeued 1, bytes 1000, out 1500",
	},
	"filter threw it away": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:03 smtp[4]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/0/2, dsn=2.7.0, status=sent (250 2.7.0 Ok, discarded, id=00123-01 - spam)`,
		"received 1, discarded 1, by filter 1, bytes 1000",
	},
	"pipe filter with sendmail": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:04 pickup[5]: BBBBBB2: uid=110 from=<s@a.example>
		09:00:04 cleanup[2]: BBBBBB2: message-id=<1@a.example>
		09:00:04 pipe[4]: AAAAAA1: to=<bob@example.org>, relay=spamassassin, delay=3, delays=0/0/0/3, dsn=2.0.0, status=sent (delivered via spamassassin service)
		09:00:04 qmgr[3]: AAAAAA1: removed
		09:00:04 qmgr[3]: BBBBBB2: from=<s@a.example>, size=1400, nrcpt=1 (queue active)
		09:00:05 local[6]: BBBBBB2: to=<bob@example.org>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)`,
		"received 1, delivered 1, requeued 1, bytes 1000, out 1400",
	},
	"mailing list through a pipe is no filter": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:04 pipe[4]: AAAAAA1: to=<list@example.org>, relay=mailman, delay=3, delays=0/0/0/3, dsn=2.0.0, status=sent (delivered via mailman service)
		09:00:05 smtpd[7]: BBBBBB2: client=localhost[127.0.0.1]
		09:00:05 cleanup[2]: BBBBBB2: message-id=<1@a.example>
		09:00:05 qmgr[3]: BBBBBB2: from=<list-bounces@example.org>, size=1400, nrcpt=1 (queue active)
		09:00:06 smtp[6]: BBBBBB2: to=<carol@example.com>, relay=mx.example.com[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok queued as 77777777)`,
		"received 2, delivered 2, bytes 2400, out 2400",
	},
	"client gave up after RCPT": {
		`
		09:00:01 smtpd[1]: connect from a.example[203.0.113.7]
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:02 smtpd[1]: lost connection after RCPT from a.example[203.0.113.7]
		09:00:02 smtpd[1]: disconnect from a.example[203.0.113.7] ehlo=1 mail=1 rcpt=1 commands=3`,
		"incomplete 1",
	},
	"canceled by Postfix 3.10": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:02 cleanup[2]: AAAAAA1: removed (canceled)`,
		"incomplete 1",
	},
	"two milter rejects at END-OF-MESSAGE": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:02 cleanup[2]: AAAAAA1: milter-reject: END-OF-MESSAGE from a.example[203.0.113.7]: 5.7.1 spam; from=<s@a.example> to=<bob@example.org> proto=ESMTP helo=<a>
		09:00:03 smtpd[1]: BBBBBB1: client=a.example[203.0.113.7]
		09:00:04 cleanup[2]: BBBBBB1: milter-reject: END-OF-MESSAGE from a.example[203.0.113.7]: 4.7.1 later; from=<s@a.example> to=<bob@example.org> proto=ESMTP helo=<a>`,
		"rejected 2, temporary 1, incomplete 2",
	},
	"one bad recipient of two": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 smtpd[1]: AAAAAA1: reject: RCPT from a.example[203.0.113.7]: 550 5.1.1 <nope@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<s@a.example> to=<nope@example.org> proto=ESMTP helo=<a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)`,
		"received 1, rejected 1, bytes 1000",
	},
	"a held mail and a normal one": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: hold: header Subject: wait from a.example[203.0.113.7]; from=<s@a.example> to=<bob@example.org> proto=ESMTP helo=<a.example>: checked by hand
		09:00:05 smtpd[1]: BBBBBB2: client=a.example[203.0.113.7]
		09:00:05 qmgr[3]: BBBBBB2: from=<s@a.example>, size=500, nrcpt=1 (queue active)`,
		"received 2, held 1, bytes 500",
	},
	"held before it has a queue ID": {
		`
		09:00:00 smtpd[1]: connect from a.example[203.0.113.7]
		09:00:01 smtpd[1]: NOQUEUE: hold: RCPT from a.example[203.0.113.7]: <bob@example.org>: Recipient address triggers HOLD action; from=<s@a.example> to=<bob@example.org> proto=ESMTP helo=<a>
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]`,
		"received 1, held 1",
	},
	"discard(8)": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 discard[4]: AAAAAA1: to=<bob@example.org>, relay=none, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (example.org)`,
		"received 1, discarded 1, bytes 1000",
	},
	"submissions, a name of one's own": {
		`
		09:00:01 submissions/smtpd[1]: AAAAAA1: client=a.example[203.0.113.7], sasl_method=PLAIN, sasl_username=bob@example.org
		09:00:01 qmgr[3]: AAAAAA1: from=<bob@example.org>, size=1000, nrcpt=1 (queue active)
		09:00:01 submissions/smtpd[1]: NOQUEUE: milter-reject: RCPT from b.example[203.0.113.8]: 550 5.7.1 no; from=<> to=<x@example.org> proto=ESMTP helo=<b>`,
		"received 1, rejected 1, bytes 1000",
	},
	"soft bounce, expired": {
		`
		09:00:01 smtp[1]: AAAAAA1: to=<x@example.com>, relay=none, delay=1, delays=1/0/0/0, dsn=5.0.0, status=SOFTBOUNCE (no such user)
		09:00:02 smtp[1]: AAAAAA1: to=<y@example.com>, relay=none, delay=1, delays=1/0/0/0, dsn=4.0.0, status=deferred (timeout)
		09:00:03 qmgr[3]: AAAAAA1: from=<s@a.example>, status=expired, returned to sender`,
		"deferred 1, deferrals 2, expired 1",
	},
	"proxy filter": {
		`
		09:00:00 smtpd[1]: connect from a.example[203.0.113.7]
		09:00:01 smtpd[1]: NOQUEUE: client=a.example[203.0.113.7]
		09:00:01 smtpd[8]: AAAAAA1: client=localhost[127.0.0.1]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 smtpd[1]: proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id=1 - spam; from=<s@a.example> to=<bob@example.org> proto=ESMTP helo=<a>`,
		"received 1, rejected 1, bytes 1000",
	},
	"postscreen's first contact": {
		`
		09:00:00 postscreen[1]: CONNECT from [203.0.113.7]:4711 to [192.0.2.1]:25
		09:00:06 postscreen[1]: NOQUEUE: reject: RCPT from [203.0.113.7]:4711: 450 4.3.2 Service currently unavailable; from=<s@a.example>, to=<bob@example.org>, proto=ESMTP, helo=<a.example>
		09:00:07 postscreen[1]: NOQUEUE: reject: CONNECT from [203.0.113.8]:4712: all server ports busy`,
		"rejected 2, temporary 2",
	},
	"a queue ID used again": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 qmgr[3]: AAAAAA1: removed
		10:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		10:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)`,
		"received 2, bytes 2000",
	},
	"a remote server's queue ID that is one of this host's": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:30:01 pickup[1]: BBBBBB1: uid=0 from=<root>
		09:30:01 qmgr[3]: BBBBBB1: from=<root@example.org>, size=300, nrcpt=1 (queue active)
		09:30:02 smtp[4]: BBBBBB1: to=<x@example.com>, relay=mx[198.51.100.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 ok queued as AAAAAA1)`,
		"received 2, delivered 1, bytes 1300, out 300",
	},
	"a filter on another host, whose mail waits before the line of the delivery to it": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:04 smtpd[1]: BBBBBB1: client=scan.example[198.51.100.20]
		09:00:04 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:04 smtp[4]: BBBBBB1: to=<x@example.com>, relay=none, delay=0, delays=0/0/0/0, dsn=4.0.0, status=deferred (connect to mx.example.com[198.51.100.1]:25: Connection refused)
		09:00:05 smtp[5]: AAAAAA1: to=<x@example.com>, relay=scan.example[198.51.100.20]:10024, delay=4, delays=0/0/0/4, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as BBBBBB1)
		09:10:04 smtp[4]: BBBBBB1: to=<x@example.com>, relay=none, delay=600, delays=600/0/0/0, dsn=4.0.0, status=deferred (connect to mx.example.com[198.51.100.1]:25: Connection refused)`,
		"received 1, requeued 1, deferred 1, deferrals 2, bytes 1000",
	},
	"a filter that names no queue ID": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:03 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1], orig_client=a.example[203.0.113.7]
		09:00:03 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:03 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=2 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<x@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 lmtp[6]: AAAAAA1: to=<y@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:40 smtp[7]: BBBBBB1: to=<x@example.org>, relay=mx[10.0.0.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
		09:00:40 smtp[7]: BBBBBB1: to=<y@example.org>, relay=mx[10.0.0.5]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (550 no)`,
		"received 1, delivered 1, requeued 2, bounced 1, bytes 1000, out 1300",
	},
	"a filter that names no queue ID, whose mail is delivered before its own line": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:03 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1], orig_client=a.example[203.0.113.7]
		09:00:03 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:03 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=2 (queue active)
		09:00:03 smtp[7]: BBBBBB1: to=<x@example.org>, relay=mx[10.0.0.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
		09:00:03 smtp[7]: BBBBBB1: to=<y@example.org>, relay=mx[10.0.0.5]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (550 no)
		09:00:03 lmtp[6]: AAAAAA1: to=<x@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 lmtp[6]: AAAAAA1: to=<y@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 qmgr[3]: AAAAAA1: removed`,
		"received 1, delivered 1, requeued 2, bounced 1, bytes 1000, out 1300",
	},
	"a filter that names no queue ID, whose mail waits": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:03 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1], orig_client=a.example[203.0.113.7]
		09:00:03 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:03 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=2 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<x@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 lmtp[6]: AAAAAA1: to=<y@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 smtp[7]: BBBBBB1: to=<x@example.org>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (timeout)
		09:00:04 smtp[7]: BBBBBB1: to=<y@example.org>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (timeout)
		10:30:04 smtp[7]: BBBBBB1: to=<x@example.org>, relay=none, delay=5401, delays=5400/0/0/1, dsn=4.0.0, status=deferred (timeout)`,
		"received 1, requeued 2, deferred 1, deferrals 3, bytes 1000",
	},
	"LMTP on a port of this host, and a redirect": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:03 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1], orig_client=a.example[203.0.113.7]
		09:00:03 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:03 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=2 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<x@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.0.0 <x@example.org> saved)
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 smtp[7]: BBBBBB1: to=<far@example.com>, relay=mx[198.51.100.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)`,
		"received 2, delivered 2, bytes 2300, out 2300",
	},
	"a redirect to another recipient": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:02 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1]
		09:00:02 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:02 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<alice@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.0.0 <alice@example.org> 4+ABCDEF Saved)
		09:00:03 lmtp[6]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.0.0 <bob@example.org> 4+ABCDEF Saved)
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 lmtp[7]: BBBBBB1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.0.0 <bob@example.org> 4+ABCDEF Saved)`,
		"received 2, delivered 3, bytes 2300, out 3300",
	},
	"a redirect to another recipient, whose delivery is logged first": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:02 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1]
		09:00:02 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:02 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.0.0 <bob@example.org> 4+ABCDEF Saved)
		09:00:03 lmtp[6]: AAAAAA1: to=<alice@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.0.0 <alice@example.org> 4+ABCDEF Saved)
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 lmtp[7]: BBBBBB1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.0.0 <bob@example.org> 4+ABCDEF Saved)`,
		"received 2, delivered 3, bytes 2300, out 3300",
	},
	"a redirect by Cyrus to another recipient": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:02 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1]
		09:00:02 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:02 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<alice@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.1.5 Ok SESSIONID=<mx1-alice-1>)
		09:00:03 lmtp[6]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.1.5 Ok SESSIONID=<mx1-bob-1>)
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 lmtp[7]: BBBBBB1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.1.5 Ok SESSIONID=<mx1-bob-1>)`,
		"received 2, delivered 3, bytes 2300, out 3300",
	},
	"a redirect by Zimbra of a mail from this host": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=b.example[10.0.0.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:02 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1]
		09:00:02 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:02 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<alice@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.1.5 Delivery OK)
		09:00:03 lmtp[6]: AAAAAA1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2.1, delays=0/0/0/2.1, dsn=2.0.0, status=sent (250 2.1.5 Delivery OK)
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 lmtp[7]: BBBBBB1: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.1.5 Delivery OK)`,
		"received 2, delivered 3, bytes 2300, out 3300",
	},
	"LMTP on a port of this host, and a mailing list": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=2 (queue active)
		09:00:03 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1], orig_client=a.example[203.0.113.7]
		09:00:03 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:03 qmgr[3]: BBBBBB1: from=<list-bounces@example.org>, size=1300, nrcpt=2 (queue active)
		09:00:03 lmtp[6]: AAAAAA1: to=<list@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 lmtp[6]: AAAAAA1: to=<y@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.1, delays=0/0/0/2.1, dsn=2.5.0, status=sent (250 2.5.0 OK (1A0FF98765))
		09:00:03 qmgr[3]: AAAAAA1: removed
		09:00:04 smtp[7]: BBBBBB1: to=<x@example.org>, relay=mx[10.0.0.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
		09:00:04 smtp[7]: BBBBBB1: to=<y@example.org>, relay=mx[10.0.0.5]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (550 no)`,
		"received 2, delivered 3, bounced 1, bytes 2300, out 3300",
	},
	"the same mail once more after its delivery": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 lmtp[6]: AAAAAA1: to=<x@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 saved)
		09:00:09 smtpd[5]: BBBBBB1: client=localhost[127.0.0.1]
		09:00:09 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:09 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:10 lmtp[6]: BBBBBB1: to=<x@example.org>, relay=127.0.0.1[127.0.0.1]:24, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 saved)`,
		"received 2, delivered 2, bytes 2300, out 2300",
	},
	"a filter by sendmail(1), whose mail bounces": {
		`
		09:00:01 smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 cleanup[2]: AAAAAA1: message-id=<1@a.example>
		09:00:01 qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 pickup[8]: BBBBBB1: uid=99 from=<s@a.example>
		09:00:02 cleanup[2]: BBBBBB1: message-id=<1@a.example>
		09:00:02 qmgr[3]: BBBBBB1: from=<s@a.example>, size=1300, nrcpt=1 (queue active)
		09:00:02 pipe[6]: AAAAAA1: to=<x@example.org>, relay=spamassassin, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered via spamassassin service)
		09:00:03 smtp[7]: BBBBBB1: to=<x@example.org>, relay=mx[198.51.100.5]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (550 no)`,
		"received 1, requeued 1, bounced 1, bytes 1000",
	},
	"a queue ID used again by a bounce": {
		`
		09:00:01 pickup[1]: AAAAAA1: uid=0 from=<root>
		09:00:01 qmgr[3]: AAAAAA1: from=<root@a.example>, size=5000, nrcpt=1 (queue active)
		09:00:02 local[1]: AAAAAA1: to=<x@example.org>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)
		09:00:02 qmgr[3]: AAAAAA1: removed
		09:30:05 qmgr[3]: AAAAAA1: from=<>, size=300, nrcpt=1 (queue active)
		09:30:06 smtp[1]: AAAAAA1: to=<q@example.com>, relay=mx[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)`,
		"received 1, delivered 2, bytes 5000, out 5300",
	},
	"a recipient that imitates a filter's answer": {
		`
		09:00:03 lmtp[6]: AAAAAA1: to=<bob+DISCARD@example.org>, relay=d[private/l], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 <bob+DISCARD@example.org> kX3 Saved)
		09:00:04 smtp[6]: AAAAAA1: to=<"Ok, discarded"@example.org>, relay=mx[198.51.100.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 "Ok, discarded"@example.org: Ok, DISCARD)
		09:00:05 smtp[6]: AAAAAA2: to=<bob@example.org>, relay=f[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.5.0, status=sent (250 2.5.0 Ok, id=7-1, DISCARD(bounce.suppressed))
		09:00:05 smtp[6]: AAAAAA3: to=<bob@example.org>, relay=f[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.7.0, status=sent (250 2.7.0 Ok, discarded, id=7-1 - spam)`,
		"delivered 2, discarded 2, by filter 2, unsized 2",
	},
	"postsuper -r": { // recorded
		`
		23:40:30 pickup[4]: 3FFD3A106B3: uid=0 from=<a@b.example>
		23:40:30 cleanup[5]: 3FFD3A106B3: message-id=<20261129234030.3FFD3A106B3@mx1.example>
		23:40:30 qmgr[6]: 3FFD3A106B3: from=<a@b.example>, size=243, nrcpt=1 (queue active)
		23:40:30 error[7]: 3FFD3A106B3: to=<x@far.example>, relay=none, delay=0.04, delays=0.03/0.01/0/0.01, dsn=4.0.0, status=deferred (wait)
		23:40:50 postsuper[8]: Requeued: 1 message
		23:40:50 pickup[4]: 48C6DA1011C: uid=102 from=<a@b.example> orig_id=3FFD3A106B3
		23:40:50 cleanup[5]: 48C6DA1011C: message-id=<20261129234030.3FFD3A106B3@mx1.example>
		23:40:50 qmgr[6]: 48C6DA1011C: from=<a@b.example>, size=352, nrcpt=1 (queue active)
		23:40:50 error[7]: 48C6DA1011C: to=<x@far.example>, relay=none, delay=20, delays=20/0/0/0, dsn=4.0.0, status=deferred (wait)
		23:45:50 smtp[7]: 48C6DA1011C: to=<x@far.example>, relay=mx.far.example[198.51.100.1]:25, delay=320, delays=320/0/0/0, dsn=2.0.0, status=sent (250 ok)`,
		"received 1, delivered 1, deferred 1, deferrals 2, bytes 243, out 352",
	},
	"a local mail that a header check refuses": { // recorded
		`
		23:41:20 pickup[4]: CE1FEA10179: uid=0 from=<a@b.example>
		23:41:20 cleanup[5]: CE1FEA10179: message-id=<20261129234120.CE1FEA10179@mx1.example>
		23:41:20 cleanup[5]: CE1FEA10179: reject: header Subject: reje from local; from=<a@b.example> to=<x@far.example>: 5.7.1 message content rejected
		23:41:20 cleanup[5]: CE1FEA10179: to=<x@far.example>, relay=none, delay=0.01, delays=0.01/0/0/0, dsn=5.7.1, status=bounced (message content rejected)`,
		"bounced 1, rejected 1, incomplete 1",
	},
	"a reply that imitates another status": {
		`
		09:00:02 smtp[1]: AAAAAA1: to=<x@example.com>, relay=mx[198.51.100.1]:25, delay=1, delays=1/0/0/0, dsn=5.0.0, status=bounced (550 to=<y@example.com>, relay=none, status=sent (250 ok))`,
		"bounced 1",
	},
	"repeated": {
		`
		09:00:02 smtp[1]: message repeated 3 times: [ AAAAAA1: to=<y@example.com>, relay=none, delay=1, delays=1/0/0/0, dsn=4.0.0, status=deferred (timeout)]`,
		"deferred 1, deferrals 3",
	},
	"a recipient that imitates a delivery is not read": {
		`
		09:00:02 local[1]: AAAAAA1: to=<x>, relay=none, delay=1, delays=1/0/0/0, dsn=5.0.0, status=bounced (no)@example.org>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok)`,
		"",
	},
}

func TestTraps(t *testing.T) {
	for name, tt := range traps {
		t.Run(name, func(t *testing.T) {
			if got := totals(figuresOf(t, linesOf(tt.log))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A mail through a filter has been under way since it came, not since the filter
// brought it back.
func TestDelayHoldsTheFiltersTime(t *testing.T) {
	for _, name := range []string{"after-queue filter, two recipients", "filter whose mail is delivered before its own line"} {
		f := figuresOf(t, linesOf(traps[name].log))
		got := f.DeliveryDomains["example.org"]
		mean := got.DelaySum / time.Duration(got.Count)
		if want := 2 * time.Second; got.DelayMax < want || mean < want {
			t.Errorf("%s: got mean %s and maximum %s, want at least %s", name, mean, got.DelayMax, want)
		}
	}
}

// A client of a submission service that did not log in, as one in mynetworks, submits, too.
func TestReceivedBy(t *testing.T) {
	for tag, want := range map[string]string{
		"postfix/submission/smtpd": "submission", "postfix/submissions/smtpd": "submission", "postfix/smtps/smtpd": "submission", "postfix/smtps-app/smtpd": "submission",
		"submission/smtpd": "submission", "postfix/smtpd": "mx", "postfix-in/smtpd": "mx", "mx/smtpd": "mx", "postfix/10025/smtpd": "mx",
	} {
		f := figuresOf(t, []string{
			"2026-11-28T09:00:00+00:00 mx1 " + tag + "[1]: AAAAAA1: client=a.example[203.0.113.7]",
			"2026-11-28T09:00:00+00:00 mx1 postfix/qmgr[1]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)",
		})
		if f.ReceivedBy[want] == nil || *f.ReceivedBy[want] != 1 {
			t.Errorf("%s: got %v, want 1 by %s", tag, f.ReceivedBy.Plain(), want)
		}
	}
}

// Where a log has no process IDs, a refusal by a proxy filter has no client, and the length
// of connections is unknown.
func TestLogWithoutProcessIDs(t *testing.T) {
	var lines []string
	for i, text := range []string{
		"connect from a.example[203.0.113.7]", "connect from b.example[203.0.113.8]",
		"proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, spam; from=<s@a.example> to=<bob@example.org> proto=ESMTP helo=<a>",
		"disconnect from a.example[203.0.113.7] ehlo=1 quit=1 commands=2", "disconnect from b.example[203.0.113.8] ehlo=1 quit=1 commands=2",
	} {
		lines = append(lines, fmt.Sprintf("2026-11-28T09:00:%02d+00:00 mx1 postfix/smtpd: %s", 5*i, text))
	}
	f := figuresOf(t, lines)
	if f.Rejected() != 1 || len(f.RejectedClients) != 0 || f.SMTPDConnections != 2 || f.SMTPDSeconds != 0 || len(f.Connected) != 0 {
		t.Errorf("got %d refusals of %v, %d connections of %d seconds, hosts %v; want 1 of none, 2 of 0", f.Rejected(), f.RejectedClients, f.SMTPDConnections, f.SMTPDSeconds, f.Connected)
	}
}

// The delays of a mail that was put back into the queue begin with its arrival.
func TestDelayOfRequeuedMail(t *testing.T) {
	f := figuresOf(t, linesOf(traps["postsuper -r"].log))
	if got, want := f.DeliveryDomains["far.example"].DelayMax, 320*time.Second; got != want {
		t.Errorf("got a delay of %s, want %s", got, want)
	}
}

// The text of a log is used again for the next block of it, so nothing of it may
// be kept.
func TestNoTextOfTheLogIsKept(t *testing.T) {
	figures := NewFigures()
	tracker := NewTracker(Options{At: func(time.Time) *Figures { return figures }})
	lines := []struct{ program, message string }{
		{"postfix/submission/smtpd", "AABBCC1: client=a.example[203.0.113.7], sasl_method=PLAIN, sasl_username=bob"},
		{"postfix/cleanup", "AABBCC1: message-id=<1@a.example>"},
		{"postfix/qmgr", "AABBCC1: from=<bob@a.example>, size=1000, nrcpt=1 (queue active)"},
		{"postfix/lmtp", "AABBCC1: to=<carol@b.example>, relay=b.example[198.51.100.1]:24, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"},
		{"postfix/smtp", "AABBCC1: to=<dave@c.example>, relay=c.example[198.51.100.2]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host c said: 450 later)"},
		{"postfix/smtp", "AABBCC1: to=<erin@d.example>, relay=d.example[198.51.100.3]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (host d said: 550 no)"},
		{"postfix/smtpd", "NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 550 5.1.1 <x@y.example>: Recipient address rejected: User unknown; from=<q@r.example> to=<x@y.example> proto=ESMTP helo=<h>"},
		{"postfix/smtpd", "NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 450 4.1.8 <q@r.example>: Sender address rejected: Domain not found; from=<q@r.example> to=<x@y.example> proto=ESMTP helo=<h>"},
		{"postfix/anvil", "warning: database is locked"},
		{"postfix/master", "reload -- version 3.7.11"},
		{"postfix/smtpd", "Anonymous TLS connection established from a.example[203.0.113.7]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"},
	}
	var texts [][]byte
	lent := func(text string) string {
		b := []byte(text)
		texts = append(texts, b)
		return unsafe.String(&b[0], len(b))
	}
	for range 3 { // a map takes over the key of a later assignment, too
		for _, l := range lines {
			var f event.Flow
			if !postfix.ParseFlow(lent(l.program), lent(l.message), &f) {
				t.Fatalf("%s: %s is not read", l.program, l.message)
			}
			tracker.Add(&event.Logged{Time: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Host: lent("mx1"), PID: 7}, &f)
		}
		NewLogins(Options{At: func(time.Time) *Figures { return figures }}).Add(&event.Record{Event: event.Event{Kind: event.LoginOK, Service: event.Dovecot, User: lent("carol@b.example"), Session: lent("s1"), Attempts: 1}})
	}
	before, err := json.Marshal(figures)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		for i := range text {
			text[i] = '#'
		}
	}
	after, err := json.Marshal(figures)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("text of the log was kept:\n%s\nwas\n%s", after, before)
	}
}

// Clients make up the names in warnings: past some thousand different texts the others
// are counted together, and none is lost.
func TestTroubleTextsAreBounded(t *testing.T) {
	const more = 7
	var lines []string
	for n := range maxTexts + more {
		lines = append(lines, linesOf(fmt.Sprintf("09:00:00 smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: u%d", n))...)
	}
	texts := figuresOf(t, lines).Trouble["warning"]["smtpd"]
	sum := 0
	for _, n := range texts {
		sum += *n
	}
	if len(texts) != maxTexts+1 || texts[others] == nil || *texts[others] != more || sum != maxTexts+more {
		t.Errorf("got %d texts with %d warnings, want %d with %d", len(texts), sum, maxTexts+1, maxTexts+more)
	}
}
