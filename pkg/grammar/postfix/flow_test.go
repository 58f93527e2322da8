package postfix

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"csmail/pkg/event"
)

func TestParseFlow(t *testing.T) {
	client := netip.MustParseAddr("203.0.113.7")
	for _, tt := range []struct {
		program, message string
		want             event.Flow
	}{
		{"postfix/smtpd", "connect from a.example[203.0.113.7]", event.Flow{Kind: event.FlowConnect, Client: "a.example", Addr: client}},
		{
			"postfix/smtpd", "disconnect from a.example[203.0.113.7] ehlo=1 auth=1/3 quit=1 commands=3/5",
			event.Flow{Kind: event.FlowDisconnect, Client: "a.example", Addr: client, HasCounts: true, AuthOK: 1, AuthTotal: 3},
		},
		{"postfix/smtpd", "disconnect from a.example[203.0.113.7]", event.Flow{Kind: event.FlowDisconnect, Client: "a.example", Addr: client}},
		{
			"postfix/smtpd", "Anonymous TLS connection established from a.example[203.0.113.7]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
			event.Flow{Kind: event.FlowTLS, Client: "a.example", Addr: client, Version: "TLSv1.3"},
		},
		{
			"postfix/submission/smtpd", "4F1cXy0zQ1z3: client=a.example[203.0.113.7], sasl_method=PLAIN, sasl_username=bob, jr",
			event.Flow{Kind: event.FlowReceived, QueueID: "4F1cXy0zQ1z3", Client: "a.example", Addr: client, User: "bob, jr"},
		},
		{
			"postfix/smtpd", "AABBCC1: client=localhost[127.0.0.1], orig_queue_id=AABBCC0, orig_client=a.example[203.0.113.7]",
			event.Flow{Kind: event.FlowReceived, QueueID: "AABBCC1", Client: "localhost", Addr: netip.MustParseAddr("127.0.0.1"), ID: "AABBCC0"},
		},
		{"postfix/pickup", "AABBCC1: uid=0 from=<root>", event.Flow{Kind: event.FlowSubmitted, QueueID: "AABBCC1", Sender: "root", HasSender: true}},
		{"postfix/cleanup", "AABBCC1: message-id=<1@a.example>", event.Flow{Kind: event.FlowMessageID, QueueID: "AABBCC1", ID: "<1@a.example>"}},
		{"postfix/cleanup", "AABBCC1: removed (canceled)", event.Flow{Kind: event.FlowRemoved, QueueID: "AABBCC1"}},
		{
			"postfix/cleanup", "AABBCC1: reject: header Subject: x from b[198.51.100.1]; from=<q> helo=<y>: no from a.example[203.0.113.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<h>: 5.7.1 not this",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.Reject, Stage: "header", Sender: "a@b", HasSender: true, Text: "5.7.1 not this"},
		},
		{ // a line of a log in the body
			"postfix/cleanup", "AABBCC1: hold: body NOQUEUE: reject: RCPT from b[198.51.100.1]: 450 4.7.1 <x>: no; from=<q@r> to=<s@t> from a.example[203.0.113.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<h>",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.HoldMail, Stage: "body", Sender: "a@b", HasSender: true},
		},
		{
			"postfix/cleanup", "AABBCC1: warning: header Subject: x>: 450 4.7.1 forged from a.example[203.0.113.7]; from=<> to=<c@d> proto=ESMTP helo=<h?:?forged?>",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.RejectWarning, Stage: "header", HasSender: true},
		},
		{
			"postfix/cleanup", `AABBCC1: reject: header Subject: x from local; from=<"a> b; from=<z>"@c.example> to=<"c> d"@d>: 5.7.1 <b>: 4.7.1 later`,
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.Reject, Stage: "header", Sender: `"a> b; from=<z>"@c.example`, HasSender: true, Text: "5.7.1 <b>: 4.7.1 later"},
		},
		{
			"postfix/cleanup", "AABBCC1: hold: header Subject: x from local; from=<a@b>: wait > here",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.HoldMail, Stage: "header", Sender: "a@b", HasSender: true, Text: "wait > here"},
		},
		{ // cut off
			"postfix/cleanup", "AABBCC1: hold: header Subject: x from local; from=<a@b> to=<c",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.HoldMail, Stage: "header"},
		},
		{
			"postfix/cleanup", "AABBCC1: to=<x@far.example>, relay=none, delay=0.01, delays=0.01/0/0/0, dsn=5.7.1, status=bounced (message content rejected)",
			event.Flow{Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: "x@far.example", Relay: "none", Delay: 10 * time.Millisecond, Status: "bounced", Text: "message content rejected"},
		},
		{
			"postfix/qmgr", "AABBCC1: to=<x@far.example>, relay=none, delay=2, delays=2/0/0/0, dsn=4.3.0, status=deferred (mail transport unavailable)",
			event.Flow{Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: "x@far.example", Relay: "none", Delay: 2 * time.Second, Status: "deferred", Text: "mail transport unavailable"},
		},
		{"postfix/pickup", "AABBCC1: uid=102 from=<a@b> orig_id=AABBCC0", event.Flow{Kind: event.FlowSubmitted, QueueID: "AABBCC1", Sender: "a@b", HasSender: true, ID: "AABBCC0"}},
		{"postfix/pickup", "AABBCC1: uid=102 from=<a> orig_id=AABBCC0>", event.Flow{Kind: event.FlowSubmitted, QueueID: "AABBCC1", Sender: "a> orig_id=AABBCC0", HasSender: true}},
		{
			"postfix/smtpd", `NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 450 4.1.1 <"a> b; from=<q@z>"@c.example>: no; from=<"a> b; from=<q@z>"@c.example> to=<"x> y"@d.example> proto=SMTP`,
			event.Flow{
				Kind: event.FlowRefusal, Client: "a.example", Addr: client, Action: event.Reject, Stage: "RCPT", Sender: `"a> b; from=<q@z>"@c.example`, HasSender: true, Recipient: `"x> y"@d.example`,
				Text: `450 4.1.1 <"a> b; from=<q@z>"@c.example>: no; from=<"a> b; from=<q@z>"@c.example> to=<"x> y"@d.example> proto=SMTP`,
			},
		},
		{
			"postfix/cleanup", "AABBCC1: discard: header Subject: x from a.example[203.0.113.7]; from=<a@b> to=<c@d> proto=SMTP: bulk",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.DiscardMail, Stage: "header", Sender: "a@b", HasSender: true, Text: "bulk"},
		},
		{
			"postfix/cleanup", "AABBCC1: warning: header Subject: x from local; from=<root@b>: odd",
			event.Flow{Kind: event.FlowRefusal, QueueID: "AABBCC1", Action: event.RejectWarning, Stage: "header", Sender: "root@b", HasSender: true, Text: "odd"},
		},
		{
			"postfix/qmgr", "AABBCC1: from=<a>, size=1, nrcpt=9 (queue active)@b.example>, size=1000, nrcpt=1 (queue active)",
			event.Flow{Kind: event.FlowQueued, QueueID: "AABBCC1", Sender: "a>, size=1, nrcpt=9 (queue active)@b.example", HasSender: true, Size: 1000},
		},
		{
			"postfix/qmgr", "AABBCC1: from=<a@b.example>, status=expired, returned to sender",
			event.Flow{Kind: event.FlowExpired, QueueID: "AABBCC1", Sender: "a@b.example", HasSender: true},
		},
		{"postfix/qmgr", "AABBCC1: removed", event.Flow{Kind: event.FlowRemoved, QueueID: "AABBCC1"}},
		{
			"postfix/smtp", "AABBCC1: to=<c@d.example>, orig_to=<root>, relay=mx.d.example[198.51.100.1]:25, conn_use=2, delay=1.5, delays=0/0/1/0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77)",
			event.Flow{Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: "c@d.example", Original: "root", Relay: "mx.d.example", Delay: 1500 * time.Millisecond, Status: "sent", Text: "250 2.0.0 Ok: queued as 77"},
		},
		{ // a reply that names another relay
			"postfix/smtp", "AABBCC1: to=<c@d.example>, relay=mx.d.example[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (host mx said: 550 to=<c@e.example>, relay=none, no such user)",
			event.Flow{Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: "c@d.example", Relay: "mx.d.example", Delay: time.Second, Status: "bounced", Text: "host mx said: 550 to=<c@e.example>, relay=none, no such user"},
		},
		{ // a reply that imitates a delivery, but for a part
			"postfix/smtp", "AABBCC1: to=<c@d.example>, relay=mx.d.example[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=4.0.0, status=deferred (host mx said: 450 to=<c@e.example>, relay=none, delay=1, delays=0/0/0/0, status=sent (ok))",
			event.Flow{
				Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: "c@d.example", Relay: "mx.d.example", Delay: time.Second, Status: "deferred",
				Text: "host mx said: 450 to=<c@e.example>, relay=none, delay=1, delays=0/0/0/0, status=sent (ok)",
			},
		},
		{ // a recipient that names another relay
			"postfix/smtp", `AABBCC1: to=<"x>, relay=none, status=sent (ok)"@d.example>, relay=mx.d.example[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (no)`,
			event.Flow{Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: `"x>, relay=none, status=sent (ok)"@d.example`, Relay: "mx.d.example", Delay: time.Second, Status: "bounced", Text: "no"},
		},
		{
			"postfix/lmtp", "AABBCC1: to=<c@d.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0, dsn=2.0.0, status=deferred (x)",
			event.Flow{Kind: event.FlowDelivery, QueueID: "AABBCC1", Recipient: "c@d.example", Relay: "127.0.0.1", Local: true, Delay: time.Second, Status: "deferred", Text: "x"},
		},
		{
			"postfix/smtpd", "NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 554 5.7.1 <c@d.example>: Relay access denied; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>",
			event.Flow{
				Kind: event.FlowRefusal, Client: "a.example", Addr: client, Action: event.Reject, Stage: "RCPT", Sender: "a@b.example", HasSender: true, Recipient: "c@d.example",
				Text: "554 5.7.1 <c@d.example>: Relay access denied; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>",
			},
		},
		{
			"postfix/postscreen", "NOQUEUE: reject: RCPT from [203.0.113.7]:4711: 450 4.3.2 Service currently unavailable; from=<>, to=<c@d.example>, proto=ESMTP, helo=<x>",
			event.Flow{
				Kind: event.FlowRefusal, Addr: client, Action: event.Reject, Stage: "RCPT", HasSender: true, Recipient: "c@d.example",
				Text: "450 4.3.2 Service currently unavailable; from=<>, to=<c@d.example>, proto=ESMTP, helo=<x>",
			},
		},
		{"postfix/postscreen", "CONNECT from [203.0.113.7]:4711 to [192.0.2.1]:25", event.Flow{Kind: event.FlowScreened, Addr: client}},
		{"postfix/smtpd", "proxy-reject: END-OF-MESSAGE: 554 5.7.0 spam", event.Flow{Kind: event.FlowRefusal, Action: event.Reject, Proxied: true, Stage: "proxy END-OF-MESSAGE", Text: "554 5.7.0 spam"}},
		{"postfix/anvil", "warning: database is locked", event.Flow{Kind: event.FlowTrouble, Level: event.Warning, Text: "database is locked"}},
		{"postfix/master", "reload -- version 3.7.11", event.Flow{Kind: event.FlowMaster, Text: "reload -- version 3.7.11"}},
	} {
		var got event.Flow
		if !ParseFlow(tt.program, tt.message, &got) {
			t.Errorf("%s: %s\nis not read", tt.program, tt.message)
			continue
		}
		if !MayFlow(tt.program, tt.message) {
			t.Errorf("%s: %s\nmay be no line about the way of a mail, but is one", tt.program, tt.message)
		}
		tt.want.Daemon, tt.want.Service = got.Daemon, got.Service
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: %s\n(-want +got):\n%s", tt.program, tt.message, diff)
		}
	}
}

func TestParseFlowReadsNothing(t *testing.T) {
	for program, message := range map[string]string{
		"dovecot/imap-login":     "Login: user=<bob>",
		"sshd":                   "connect from a[203.0.113.7]",
		"postfix/smtp":           "connect to mx[198.51.100.1]:25: Connection refused",
		"postfix/qmgr":           "AABBCC1: from=<a>, size=x, nrcpt=1 (queue active)",
		"postfix/lmtp":           "AABBCC1: to=<c@d>, relay=x, delay=-1, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)",
		"postfix/smtpd":          "NOQUEUE: client=a.example[203.0.113.7]",
		"postfix/postgrey":       "warning: x",
		"postfix/cleanup":        "AABBCC1: info: header Subject: x from a[203.0.113.7]; from=<a>",
		"postfix/postfix-script": "starting the Postfix mail system",
		"postfix/policy-spfx":    "connect from a[203.0.113.7]",
		"postfix/local":          "AABBCC1: to=<x>, relay=a, delay=0, delays=0, dsn=2.0.0, status=sent (a)>, relay=b, delay=0, delays=0, dsn=2.0.0, status=sent (b)",
	} {
		var f event.Flow
		if ParseFlow(program, message, &f) {
			t.Errorf("%s: %s\nis read as %+v", program, message, f)
		}
	}
}

// Usual lines without a figure, which are not kept.
func TestMayFlowLeavesOut(t *testing.T) {
	for _, tt := range [][2]string{
		{"postfix/postscreen", "PASS OLD [203.0.113.7]:4711"},
		{"postfix/postscreen", "DISCONNECT [203.0.113.7]:4711"},
		{"postfix/dnsblog", "addr 203.0.113.7 listed by domain zen.example as 127.0.0.2"},
		{"postfix/smtp", "Trusted TLS connection established to mx.example[198.51.100.9]:25: TLSv1.3 with cipher X (256/256 bits)"},
		{"postfix/smtpd", "lost connection after AUTH from a.example[203.0.113.7]"},
		{"postfix/anvil", "statistics: max connection rate 1/60s for (smtpd:203.0.113.7) at Nov 28 10:00:00"},
		{"postfix/qmgr", ""},
		{"dovecot", "warning: x"},
	} {
		if MayFlow(tt[0], tt[1]) {
			t.Errorf("%s: %q is kept", tt[0], tt[1])
		}
	}
}

// Each line that ParseFlow reads is one that MayFlow keeps, whichever daemon wrote it.
func TestMayFlowKeepsAll(t *testing.T) {
	daemons := []string{
		"smtpd", "qmqpd", "postscreen", "pickup", "cleanup", "qmgr", "oqmgr", "smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "master", "postfix-script",
		"tlsproxy", "anvil", "bounce", "postgrey", "none",
	}
	begins := []string{"", "AABBCC1: ", "4Cxyz2B1: ", "lostcon: ", "NOQUEUE: ", "warning: ", "panic: ", "fatalq1: "}
	words := append([]string{
		"connect from a.example[203.0.113.7]", "CONNECT from [203.0.113.7]:1 to [192.0.2.1]:25", "disconnect from a.example[203.0.113.7] auth=1", "removed",
		"reject: RCPT from a.example[203.0.113.7]: 554 no", "milter-reject: RCPT from a.example[203.0.113.7]: 554 no", "hold: RCPT from a.example[203.0.113.7]: x",
		"reject_warning: RCPT from a.example[203.0.113.7]: 554 no", "discard: RCPT from a.example[203.0.113.7]: x", "proxy-reject: DATA: 554 no", "reject: connect from [203.0.113.7]:1: all screening ports busy",
		"Trusted TLS connection established from a.example[203.0.113.7]: TLSv1.3 with cipher X", "Untrusted TLS connection established from a.example[203.0.113.7]: TLSv1.3 with cipher X",
		"Verified TLS connection established from a.example[203.0.113.7]: TLSv1.3 with cipher X", "Anonymous TLS connection established from a.example[203.0.113.7]: TLSv1.3 with cipher X",
		"from=<a>, status=expired, returned to sender",
	}, hostileFlowTexts()...)
	read := 0
	for _, daemon := range daemons {
		for _, begin := range begins {
			for _, word := range words {
				var f event.Flow
				program, message := "postfix/"+daemon, begin+word
				if !ParseFlow(program, message, &f) {
					continue
				}
				if read++; !MayFlow(program, message) {
					t.Errorf("%s: %q is left out", program, message)
				}
			}
		}
	}
	if read < 500 {
		t.Errorf("only %d lines are read", read)
	}
}

// Each number is the one that strconv reads, to the last bit.
func TestDecimal(t *testing.T) {
	texts := []string{"", ".", "0", "0.51", "1.5", "12.", ".5", "-1", "+1", "1.2.3", "1e3", "0x1p2", "Inf", "1_0", "432000.123456", "99999999999999", "0.0000000000001", "123456789012345678", " 1"}
	for i := range 2000 {
		texts = append(texts, strconv.Itoa(i)+"."+strconv.Itoa(i*7919%1000), "0.0"+strconv.Itoa(i))
	}
	for _, text := range texts {
		want, err := strconv.ParseFloat(text, 64)
		got, ok := decimal(text)
		if ok != (err == nil) || ok && got != want {
			t.Errorf("decimal(%q) is %v, %v; want %v, %v", text, got, ok, want, err)
		}
	}
}

// flowTemplates have CLIENT where a client or a remote server writes.
var flowTemplates = []struct{ program, message string }{
	{"postfix/smtpd", "AABBCC1: client=a.example[203.0.113.7], sasl_method=PLAIN, sasl_username=CLIENT"},
	{"postfix/smtpd", "NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 554 5.7.1 <CLIENT>: Relay access denied; from=<CLIENT> to=<CLIENT> proto=ESMTP helo=<CLIENT>"},
	{"postfix/postscreen", "NOQUEUE: reject: RCPT from [203.0.113.7]:4711: 550 5.7.1 Service unavailable; from=<CLIENT>, to=<CLIENT>, proto=ESMTP, helo=<CLIENT>"},
	{"postfix/cleanup", "AABBCC1: reject: header CLIENT from a.example[203.0.113.7]; from=<CLIENT> to=<CLIENT> proto=ESMTP helo=<CLIENT>: no"},
	{"postfix/cleanup", "AABBCC1: milter-reject: END-OF-MESSAGE from a.example[203.0.113.7]: 5.7.1 CLIENT; from=<CLIENT> to=<CLIENT> proto=ESMTP helo=<CLIENT>"},
	{"postfix/cleanup", "AABBCC1: message-id=CLIENT"},
	{"postfix/qmgr", "AABBCC1: from=<CLIENT>, size=1000, nrcpt=1 (queue active)"},
	{"postfix/pickup", "AABBCC1: uid=0 from=<CLIENT>"},
	{"postfix/smtp", "AABBCC1: to=<CLIENT>, relay=mx[198.51.100.9]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (CLIENT)"},
	{"postfix/smtpd", "warning: non-SMTP command from a.example[203.0.113.7]: CLIENT"},
	{"postfix/smtpd", "proxy-reject: END-OF-MESSAGE: 554 CLIENT"},
}

// Whatever a client or a remote server writes, the address is the client's or
// none, and the queue file is the one of the line.
func checkFlowText(t *testing.T, hostile string) {
	t.Helper()
	client := netip.MustParseAddr("203.0.113.7")
	for _, tt := range flowTemplates {
		message := strings.ReplaceAll(tt.message, "CLIENT", hostile)
		var f event.Flow
		if !ParseFlow(tt.program, message, &f) {
			continue
		}
		if !MayFlow(tt.program, message) {
			t.Errorf("%s: %q\nmay be no line about the way of a mail, but is one", tt.program, message)
		}
		if f.Addr.IsValid() && f.Addr != client {
			t.Errorf("%s: %q\ngives the address %s, want %s", tt.program, message, f.Addr, client)
		}
		if f.QueueID != "" && f.QueueID != "AABBCC1" {
			t.Errorf("%s: %q\ngives the queue ID %q", tt.program, message, f.QueueID)
		}
		if f.Kind == event.FlowDelivery && f.Status != "bounced" || f.Kind == event.FlowQueued && f.Size != 1000 {
			t.Errorf("%s: %q\ngives status %q and size %d", tt.program, message, f.Status, f.Size)
		}
	}
}

func hostileFlowTexts() []string {
	texts := []string{
		"x[198.51.100.1]", "b.example[198.51.100.1]: 554", "a>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (ok", ">, size=7, nrcpt=1 (queue active)",
		"; from=<a>: x", ">: Relay access denied", "RCPT from b.example[198.51.100.1]: 554", ", orig_queue_id=BBBBBBB", "from b[198.51.100.1]: ",
	}
	for _, tt := range flowTemplates {
		texts = append(texts, strings.ReplaceAll(strings.ReplaceAll(tt.message, "203.0.113.7", "198.51.100.1"), "AABBCC1", "BBBBBBB"))
	}
	return texts
}

func TestFlowTextIsData(t *testing.T) {
	for _, text := range hostileFlowTexts() {
		checkFlowText(t, text)
	}
}

func FuzzFlowText(f *testing.F) {
	for _, text := range hostileFlowTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r\n\x00") {
			return
		}
		checkFlowText(t, text)
	})
}
