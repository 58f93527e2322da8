package postfix

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// The daemons and tools of Postfix that say nothing about a client (master.cf(5)).
func TestQuietDaemons(t *testing.T) {
	for name := range strings.FieldsSeq(`qmgr oqmgr smtp lmtp local virtual pipe bounce trace defer error retry discard pickup master
		trivial-rewrite anvil dnsblog proxymap proxywrite scache showq flush verify spawn qmqpd postfix-script postlogd postlog postqueue
		postsuper postalias postmap postdrop sendmail tlsmgr relay dane`) {
		if e, outcome := readAs(t, "postfix/"+name, "connect from a.example[192.0.2.1]"); outcome != event.Benign || e.Addr.IsValid() {
			t.Errorf("%s: %s, %s", name, outcome, e.Addr)
		}
	}
}

// What smtpd says of itself, of its tables and of names that are no client's.
func TestSMTPDOfItself(t *testing.T) {
	for _, message := range []string{
		"error: open /etc/postfix/access.db: No such file or directory",
		"fatal: no SASL authentication mechanisms",
		"panic: myfree: corrupt or unallocated memory block",
		"statistics: max connection rate 1/60s",
		"initializing the server-side TLS engine",
		"sql_select option missing",
		"SSL_accept:before SSL initialization",
		"SSL3 alert read:fatal:unknown CA",
		"table hash:/etc/postfix/access(0,lock|fold_fix) has changed -- restarting",
		"XFORWARD ADDR=203.0.113.6",
		"warning: TLS library problem: error:0A000126:SSL routines::unexpected eof while reading:../ssl/record/rec_layer_s3.c:320:",
		"warning: connect to private/policy: No such file or directory",
		"warning: problem talking to server private/policy: Connection timed out",
		"warning: timeout on private/policy while reading input attribute name",
		"warning: premature end-of-input on private/anvil while reading input attribute name",
		"warning: dict_nis_init: NIS domain name not set - NIS lookups disabled",
		"warning: proxy:mysql:/etc/postfix/mailbox.cf lookup error for \"r@example.org\"",
		"warning: hash:/etc/postfix/access is unavailable. open database /etc/postfix/access.db: No such file or directory",
		"warning: mysql:/etc/postfix/mailbox.cf: table lookup problem",
		"warning: pgsql:/etc/postfix/mailbox.cf: table lookup problem",
		"warning: ldap:/etc/postfix/mailbox.cf: table lookup problem",
		"warning: sqlite:/etc/postfix/mailbox.cf: table lookup problem",
		"warning: sqlite: table lookup problem",
		"warning: milter inet:127.0.0.1:11332: can't read SMFIC_CONNECT reply packet header: Connection timed out",
		"warning: cannot load Certification Authority data, CAfile=\"x\": disabling TLS support",
		"warning: TLS has been disabled due to previous errors",
		"warning: database /etc/postfix/access.db is older than source file /etc/postfix/access",
		"warning: run-time library vs. compile-time header version mismatch: OpenSSL 3.1.0 may not be compatible with OpenSSL 3.0.0",
		"warning: unknown smtpd restriction: \"x\"",
		"warning: restriction `reject_unknown_client' after `permit' is ignored",
		"warning: access table hash:/etc/postfix/access: empty lookup result",
		"warning: xsasl_cyrus_server_get_mechanism_list: no mechanism available",
		"warning: unable to look up host x.example: Host not found",
		"warning: do not list domain example.org in BOTH mydestination and virtual_alias_domains",
		"warning: No server certs available. TLS won't be enabled",
		"warning: No TLS certificate",
		"warning: haproxy read: EOF",
		"warning: SASL per-process initialization failed: generic failure",
		"warning: SASL library error",
		"warning: support for restriction \"reject_maps_rbl\" will be removed from Postfix; use \"reject_rbl_client domain-name\" instead",
		"warning: XFORWARD ADDR=203.0.113.6 from a.example[192.0.2.1]",
		"warning: a.example[192.0.2.1]: XFORWARD ADDR=203.0.113.6",
		"warning: NOQUEUE: queue file size limit exceeded",
		"00ADB3C0899: to=<r@example.org>, relay=none, delay=1, status=deferred",
		"00ADB3C0899: warning: header From: x",
		"00ADB3C0899: queue file size limit exceeded",
	} {
		if e, outcome, _ := read(t, message); outcome != event.Benign || e.Kind != event.NoKind {
			t.Errorf("%s: %s, %s of %s, want outcome %s, Kind %s", message, outcome, e.Kind, e.Addr, event.Benign, event.NoKind)
		}
	}
}

// What an access table, a filter or a debug rule did without refusing the client.
func TestQuietActions(t *testing.T) {
	for action := range strings.FieldsSeq(`reject_warning filter redirect info warn prepend permit bcc replace delay proxy-accept abort trigger`) {
		message := "NOQUEUE: " + action + ": RCPT from a.example[192.0.2.1]: <r@example.net>: Relay access denied" + envelope
		if e, outcome, _ := read(t, message); outcome != event.Benign || e.Kind != event.NoKind {
			t.Errorf("%s: got %s, %s, want outcome %s, Kind %s", action, outcome, e.Kind, event.Benign, event.NoKind)
		}
	}
}

// What an access table or a milter throws away or puts on hold is no offence, and no mail
// that was taken.
func TestPutAside(t *testing.T) {
	for _, message := range []string{
		"NOQUEUE: discard: RCPT from a.example[192.0.2.1]: <s@example.com>: Sender address triggers DISCARD action" + envelope,
		"NOQUEUE: hold: MAIL from a.example[192.0.2.1]: <s@example.com>: Sender address triggers HOLD action" + envelope,
		"00ADB3C0899: discard: END-OF-MESSAGE from a.example[192.0.2.1]: <END-OF-MESSAGE>: End-of-data triggers DISCARD action" + envelope,
		"00ADB3C0899: milter-discard: RCPT from a.example[192.0.2.1]: milter triggers DISCARD action" + envelope,
		"NOQUEUE: milter-hold: RCPT from a.example[192.0.2.1]: milter triggers HOLD action;",
		"00ADB3C0899: milter-reject: DATA from a.example[192.0.2.1]: 451 4.7.1 Try again later" + envelope,
		"00ADB3C0899: reject: END-OF-MESSAGE from a.example[192.0.2.1]: 450 4.2.0 <END-OF-MESSAGE>: End-of-data rejected: Greylisted" + envelope,
	} {
		var e event.Event
		outcome, got, _ := Parse("postfix/smtpd", message, &e)
		if outcome != event.Witness || got != event.Discarded || e.Addr.String() != "192.0.2.1" || e.Kind != event.NoKind {
			t.Errorf("%s: got %s, testimony %d, %s of %s, want %d of 192.0.2.1", message, outcome, got, e.Kind, e.Addr, event.Discarded)
		}
	}
	for _, message := range []string{
		"NOQUEUE: discard: RCPT from a b[192.0.2.1]: x", "00ADB3C0899: milter-hold: x",
		"NOQUEUE: milter-reject: RCPT from a.example[192.0.2.1]: 451 4.7.1 Try again later;",
	} {
		if _, outcome, _ := read(t, message); outcome != event.Benign {
			t.Errorf("%s: got %s, want %s", message, outcome, event.Benign)
		}
	}
}

// A content filter behind the queue throws a message away, or refuses it.
func TestFilteredBehindTheQueue(t *testing.T) {
	const near, far = "relay=127.0.0.1[127.0.0.1]:10024", "relay=mx.example.net[192.0.2.77]:25"
	const discarded, refused = "status=sent (250 2.7.0 Ok, discarded, id=7-1 - spam)",
		"status=bounced (host 127.0.0.1[127.0.0.1] said: 554 5.7.0 Reject, id=7-1 - spam (in reply to end of DATA command))"
	const delays = ", delay=2.1, delays=0.1/0/0/2, dsn=2.7.0, "
	for message, want := range map[string]event.Testimony{
		"00ADB3C0899: to=<r@example.org>, " + near + delays + discarded:                                                                           event.Discarded,
		"00ADB3C0899: to=<r@example.org>, " + near + ", conn_use=2" + delays + refused:                                                            event.Discarded,
		"00ADB3C0899: to=<r@example.org>, " + near + delays + "status=sent (250 2.7.0 BLOCKED (1B2C3D4E5F))":                                      event.Discarded,
		"00ADB3C0899: to=<r@example.org>, relay=localhost[::1]:10024" + delays + "status=sent (250 2.5.0 Ok, id=7-1, DISCARD(bounce.suppressed))": event.Discarded,
		"00ADB3C0899: to=<r@example.org>, " + far + delays + discarded:                                                                            event.NoTestimony,
		"00ADB3C0899: to=<r@example.org>, " + near + delays + "status=sent (250 2.0.0 Ok: queued as 4A)":                                          event.NoTestimony,
		"00ADB3C0899: to=<r@example.org>, " + near + delays + "status=deferred (250 2.7.0 Ok, discarded, id=7-1)":                                 event.NoTestimony,
		`00ADB3C0899: to=<">, ` + near + delays + discarded + `"@example.net>, ` + far + delays + "status=sent (250 2.0.0)":                       event.NoTestimony,
	} {
		for _, program := range []string{"postfix/smtp", "postfix/lmtp", "postfix/amavis/smtp"} {
			var e event.Event
			if _, got, _ := Parse(program, message, &e); got != want || e.Addr.IsValid() || want != event.NoTestimony && e.Session != "00ADB3C0899" {
				t.Errorf("%s: %s: got testimony %d of %q, %s, want %d", program, message, got, e.Session, e.Addr, want)
			}
		}
	}
}

// A content filter before the queue: the line names no client.
func TestProxyReject(t *testing.T) {
	const spam = "proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id=7-1 - spam from a[203.0.113.6]" + envelope
	for message, want := range map[string]event.Outcome{
		spam: event.Noted, "NOQUEUE: " + spam: event.Noted, "00ADB3C0899: " + spam: event.Noted,
		"proxy-reject: END-OF-MESSAGE: 451 4.3.0 Try again" + envelope:            event.Benign,
		"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 4A" + envelope:     event.Benign,
		"NOQUEUE: proxy-accept: END-OF-MESSAGE: 554 5.7.0 in its text" + envelope: event.Benign,
		"proxy-reject: END-OF-MESSAGE":                                            event.Missed,
	} {
		e, outcome, _ := read(t, message)
		if outcome != want || e.Addr.IsValid() || want == event.Noted && (e.Kind != event.ContentRejected || !strings.HasPrefix(e.Reason, "554 5.7.0 Reject")) {
			t.Errorf("%s: got %s, %s of %s, %q, want %s of nobody", message, outcome, e.Kind, e.Addr, e.Reason, want)
		}
	}
}

// A refusal of DATA, or at the end of a message, is of a message that smtpd has logged.
func TestWholeMessage(t *testing.T) {
	for command, want := range map[string]event.Cause{
		"RCPT": event.NoCause, "MAIL": event.NoCause, "DATA": event.WholeMessage, "BDAT": event.WholeMessage, "END-OF-MESSAGE": event.WholeMessage,
	} {
		e, _, _ := read(t, "00ADB3C0899: reject: "+command+" from a.example[192.0.2.1]: 554 5.7.1 <"+command+">: x rejected: spam"+envelope)
		if e.Cause != want {
			t.Errorf("%s: got cause %d, want %d", command, e.Cause, want)
		}
	}
}

// A message that a filter threw away or put on hold was not taken.
func TestDiscarded(t *testing.T) {
	for message, want := range map[string]event.Testimony{
		"00ADB3C0899: discard: header Subject: x from a[203.0.113.6]" + envelope + ": spam":                          event.Discarded,
		"00ADB3C0899: discard: body x from a.example[192.0.2.1]" + envelope + ": spam":                               event.Discarded,
		"00ADB3C0899: milter-discard: END-OF-MESSAGE from a.example[192.0.2.1]: milter triggers DISCARD" + envelope:  event.Discarded,
		"00ADB3C0899: warning: header Subject: discard: x from a[203.0.113.6]" + envelope:                            event.NoTestimony,
		"00ADB3C0899: hold: header Subject: x from a[203.0.113.6]" + envelope + ": spam":                             event.Discarded,
		"00ADB3C0899: milter-hold: END-OF-MESSAGE from a.example[192.0.2.1]: milter triggers HOLD action" + envelope: event.Discarded,
		"00ADB3C0899: hold: header Received: from a.example (a.example [192.0.2.1])??by b from a.example[192.0.2.1]": event.NoTestimony, // MailScanner
	} {
		var e event.Event
		_, got, _ := Parse("postfix/cleanup", message, &e)
		if got != want || e.Addr.IsValid() {
			t.Errorf("%s: got testimony %d of %s, want %d of nobody", message, got, e.Addr, want)
		}
	}
}

func TestPostscreenOfItself(t *testing.T) {
	for _, message := range []string{
		"WHITELISTED [192.0.2.1]:4711", "ALLOWLIST VETO [192.0.2.1]:4711", "error: open x", "fatal: open x", "panic: x", "close database x: No such file",
		"entering STRESS mode with 90 connections", "leaving STRESS mode with 70 connections", "statistics: x", "dnsblog reply timeout 10s for bl.example",
		"lookup error for [192.0.2.1]:4711", "psc_cache_update: btree:x update average delay is 200 ms", "close cache x",
	} {
		if e, outcome := readAs(t, "postfix/postscreen", message); outcome != event.Benign || e.Addr.IsValid() {
			t.Errorf("%s: %s, %s", message, outcome, e.Kind)
		}
	}
}

// What the lines tell besides an event. An offence may stand in one.
func TestTestimonies(t *testing.T) {
	tests := map[string]struct {
		outcome   event.Outcome
		testimony event.Testimony
	}{
		"connect from a.example[192.0.2.1]":                                                      {event.Witness, event.Connected},
		"4Zk1Yq2Lz3z9v: client=a.example[192.0.2.1]":                                             {event.Witness, event.MailAccepted},
		"4Zk1Yq2Lz3z9v: client=a.example[192.0.2.1], sasl_method=PLAIN":                          {event.Witness, event.MailAccepted},
		"4Zk1Yq2Lz3z9v: client=a.example[192.0.2.1], sasl_method=PLAIN, sasl_username=u":         {event.Noted, event.MailAccepted},
		"disconnect from a.example[192.0.2.1]":                                                   {event.Witness, event.Disconnected},
		"disconnect from a.example[192.0.2.1] ehlo=1 auth=0/1 quit=1 commands=2/3":               {event.Noted, event.Disconnected},
		"disconnect from a.example[192.0.2.1] ehlo=1 auth=1 mail=1 rcpt=1 data=0/1 commands=4/5": {event.Noted, event.Undelivered},
		"warning: a.example[192.0.2.1]: SASL LOGIN authentication failed: x":                     {event.Noted, event.NoTestimony},
		"lost connection after RCPT from a.example[192.0.2.1]":                                   {event.Benign, event.NoTestimony},
	}
	for message, want := range tests {
		e, outcome, testimony := read(t, message)
		if outcome != want.outcome || testimony != want.testimony {
			t.Errorf("%s: got %s, %d, want outcome %s, testimony %d", message, outcome, testimony, want.outcome, want.testimony)
		}
		if outcome != event.Benign && (e.Addr.String() != "192.0.2.1" || e.ClientName != "a.example") {
			t.Errorf("%s: %s, %q", message, e.Addr, e.ClientName)
		}
	}
}

// Rarer replies, with a first digit of 5 and of 4.
func TestRareRejects(t *testing.T) {
	tests := map[string]struct{ hard, soft string }{
		"50 5.7.1 <c.example[192.0.2.1]>: Unverified Client host rejected: Access denied":          {"access-denied", "policy-rejected"},
		"50 5.5.3 <END-OF-MESSAGE>: End-of-data rejected: Multi-recipient bounce":                  {"protocol-error", "protocol-error"},
		"50 5.7.1 <DATA>: Data command rejected: not today":                                        {"policy-rejected", ""},
		"50 5.7.1 <r@x>: Recipient address rejected: Try again later":                              {"", ""},
		"50 5.1.8 <d>: Helo command rejected: Malformed DNS server reply":                          {"helo-deferred", "helo-deferred"},
		"50 5.1.0 <b@x>: Sender address rejected: User unknown in local recipient table":           {"sender-rejected", "sender-rejected"},
		"50 5.1.0 <b@x>: Sender address rejected: need fully-qualified address":                    {"sender-rejected", "sender-rejected"},
		"50 5.1.0 <b@x>: Sender address rejected: undeliverable address: no":                       {"sender-rejected", "sender-rejected"},
		"50 Message size exceeds fixed limit":                                                      {"", ""},
		"50 5.7.1 <a>: b>: Recipient address rejected: come again":                                 {"policy-rejected", "policy-rejected"},
		"50 5.1.1 <r@x>: Recipient address rejected: unverified address: host m said: 450 <r>: no": {"policy-rejected", ""},
	}
	for text, want := range tests {
		for digit, want := range map[string]string{"5": want.hard, "4": want.soft} {
			reply := digit + strings.Replace(text, " 5.", " "+digit+".", 1)
			if e, outcome, _ := read(t, "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: "+reply+envelope); e.Kind.String() != want || (outcome == event.Noted) != (want != "") {
				t.Errorf("%s: %s, %q, want %q", reply, outcome, e.Kind, want)
			}
		}
	}
}

// The reason is the server's own words, the code its reply.
func TestReasons(t *testing.T) {
	const client = "c.example[192.0.2.1]"
	const reject = "NOQUEUE: reject: RCPT from " + client + ": "
	tests := map[string]struct{ code, reason string }{
		reject + "554 5.7.1 <r@x>: Relay access denied":                                   {"554 5.7.1", "Relay access denied"},
		reject + "554 <r@x>: Relay access denied":                                         {"554", "Relay access denied"},
		reject + "554 5.7 go away":                                                        {"554", "5.7 go away"},
		reject + "554 5.77 go away":                                                       {"554", "5.77 go away"},
		reject + "554 4.7.1 go away":                                                      {"554", "4.7.1 go away"},
		reject + "554 5x7.1 go away":                                                      {"554", "5x7.1 go away"},
		reject + "550 5.7.1 <r@x> is not wanted":                                          {"550 5.7.1", "<r@x> is not wanted"},
		reject + "bare <LF> received":                                                     {"", "bare <LF> received"},
		"NOQUEUE: hangup: RCPT from " + client + ": <r@x>: x" + envelope:                  {"", "<r@x>: x"},
		"NOQUEUE: milter-reject: DATA from " + client + ": 550 5.7.1 Spam;":               {"", "550 5.7.1 Spam"},
		"disconnect from " + client + " ehlo=1 auth=0/3 commands=1/4":                     {"", "session ended with auth=0/3"},
		"lost connection after AUTH from " + client:                                       {"", "lost connection after AUTH"},
		"bare <LF> received after DATA (12 bytes) from " + client:                         {"", "bare <LF> received after DATA"},
		"warning: " + client + ": request longer than 2048: x...":                         {"", "request longer than 2048: x..."},
		"warning: Illegal address syntax from " + client + " in MAIL command: <x":         {"", "illegal address syntax in MAIL command: <x"},
		"warning: NOQUEUE: BDAT request from " + client + " exceeds message size limit":   {"", "BDAT request"},
		"warning: " + client + ": SASL LOGIN authentication failed: x, sasl_username=u":   {"", "x"},
		"warning: non-SMTP command from " + client + ": GET / HTTP/1.1":                   {"", "GET / HTTP/1.1"},
		"warning: hostname c.example does not resolve to address 192.0.2.1: no such name": {"", "no such name"},
	}
	for message, want := range tests {
		if e, _, _ := read(t, message); e.Code != want.code || e.Reason != want.reason {
			t.Errorf("%s: code %q, reason %q, want Code %q, Reason %q", message, e.Code, e.Reason, want.code, want.reason)
		}
	}
}

// What a client of postscreen's claimed stays in its field.
func TestScreenedEnvelope(t *testing.T) {
	for envelope, want := range map[string]string{
		"from=<a>, to=<b>, proto=ESMTP, helo=<h>": "a b h",
		"from=<>, to=<b>, proto=SMTP, helo=<h>":   " b h",
		"from=<a>, to=<b>, proto=SMTP":            "a b ",
	} {
		e, outcome := readAs(t, "postfix/postscreen", "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 550 5.5.1 Protocol error; "+envelope)
		if got := strings.Join([]string{e.Sender, e.Recipient, e.Helo}, " "); outcome != event.Noted || got != want || e.Attempts != 1 || e.Code != "550 5.5.1" || e.Reason != "Protocol error" {
			t.Errorf("%s: %s, %q, want %q", envelope, outcome, got, want)
		}
	}
	for message, reason := range map[string]string{
		"PREGREET 11 after 0.05 from [192.0.2.1]:4711: EHLO x\\r\\n": "EHLO x\\r\\n", "DENYLISTED [192.0.2.1]:4711": "",
		"BARE NEWLINE from [192.0.2.1]:4711 after EHLO": "after EHLO",
	} {
		if e, _ := readAs(t, "postfix/postscreen", message); e.Attempts != 1 || e.Reason != reason {
			t.Errorf("%s: %d attempts, %q, want Attempts 1, Reason %q", message, e.Attempts, e.Reason, reason)
		}
	}
}

// A sender that speaks a block list's words does not turn another refusal into a
// listing.
func TestListWordsOfASender(t *testing.T) {
	const sender = "x blocked using y blocked using z"
	e, _, _ := read(t, "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <r@example.net>: Relay access denied; from=<"+sender+"> to=<r@example.net> proto=SMTP helo=<h>")
	if e.Kind != event.RelayDenied || e.Sender != sender {
		t.Errorf("got %s from %q", e.Kind, e.Sender)
	}
}
