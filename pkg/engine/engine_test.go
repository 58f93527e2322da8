package engine

import (
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

func parse(text string) event.Record {
	r := event.Record{Outcome: event.Noted, Event: event.Event{User: "left over"}}
	Parse(logline.Line{Text: text, Received: time.Date(2026, 6, 4, 0, 0, 0, 0, time.UTC), Zone: time.UTC, Number: 7}, &r)
	return r
}

func TestParse(t *testing.T) {
	const head = "Jun  3 04:11:09 mail "
	tests := map[string]struct {
		outcome event.Outcome
		kind    event.Kind
		n       int
	}{
		"noise":                      {event.NoHeader, event.NoKind, 0},
		head + "kernel: x":           {event.Foreign, event.NoKind, 0},
		head + "postfix/qmgr[1]: x":  {event.Benign, event.NoKind, 0},
		head + "postfix/smtpd[1]: x": {event.Missed, event.NoKind, 0},
		head + "postfix/smtpd[1]: connect from a[192.0.2.1]":                                                                         {event.Witness, event.NoKind, 0},
		head + "logger: postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x":                          {event.Foreign, event.NoKind, 0},
		head + "postfix/smtpd[1]: message repeated 3 times: [ warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x]":     {event.Noted, event.AuthFailed, 3},
		head + "dovecot: imap-login: Disconnected (auth failed, 2 attempts in 3 secs): user=<a>, method=PLAIN, rip=192.0.2.1, lip=x": {event.Noted, event.AuthFailed, 2},
		head + "dovecot: imap-login: Disconnected (auth failed, 2 attempts in 3 secs): user=<a, rip=203.0.113.6>, rip=192.0.2.1":     {event.Ambiguous, event.NoKind, 0},
	}
	for text, want := range tests {
		r := parse(text)
		if r.Outcome != want.outcome || r.Kind != want.kind || r.Attempts != want.n || r.Line != 7 {
			t.Errorf("%s: %s, %s, %d, line %d", text, r.Outcome, r.Kind, r.Attempts, r.Line)
		}
		if r.Outcome < event.Witness && r.Addr.IsValid() || r.User == "left over" {
			t.Errorf("%s: address %s, user %q", text, r.Addr, r.User)
		}
	}
}

// The journal gives an entry of ours without text as null.
func TestEmptyMessages(t *testing.T) {
	for program, want := range map[string]event.Outcome{
		"postfix/smtpd": event.Benign, "postfix/postscreen": event.Benign, "dovecot": event.Benign, "auth": event.Benign, "sshd": event.Benign, "kernel": event.Foreign,
	} {
		for _, text := range []string{
			`{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"` + program + `","MESSAGE":null}`,
			`{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"` + program + `","MESSAGE":""}`,
		} {
			if r := parse(text); r.Outcome != want || r.Addr.IsValid() {
				t.Errorf("%s: %s, %s", text, r.Outcome, r.Addr)
			}
		}
	}
}

func TestParseFills(t *testing.T) {
	r := parse("Jun  3 04:11:09 mail postfix/submission/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x")
	if r.Host != "mail" || r.Program != "postfix/submission/smtpd" || r.PID != 42 || r.Service != event.Postfix ||
		r.Message != "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x" ||
		!r.Time.Equal(time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)) {
		t.Errorf("got %+v", r)
	}
}

func TestBenignLinesDoNotAllocate(t *testing.T) {
	const elements = ": user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>"
	for _, text := range []string{
		"postfix/qmgr[1]: 4Zk1Yq2Lz3z9v: removed",
		"postfix/smtpd[1]: discarding EHLO keywords: CHUNKING",
		"postfix/smtpd[1]: warning: lmdb:/etc/postfix/access lookup error for \"x\"",
		"dovecot: imap(u)<12><s>: Disconnected: Logged out in=1 out=2",
		"dovecot: imap-login: Disconnected (disconnected while finishing login, waited 3 secs)" + elements,
		"dovecot: imap-login: Disconnected: Connection closed (disconnected before auth was ready, waited 0 secs)" + elements,
		"dovecot: imap-login: Login aborted: x (y) (process_full)" + elements,
		"dovecot: auth: sql(u,192.0.2.1,<s>): unknown user - trying the next passdb",
		"dovecot: auth(u,192.0.2.1,sasl:plain)<s>: Debug: passwd-file: x",
		"dovecot: auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(u,192.0.2.1,<s>): unknown user - trying the next passdb",
		"dovecot: auth-worker(u,192.0.2.1,sasl:login)<77><s>: request [1]: sql: unknown user - trying the next passdb",
		"sshd-session[1]: kex_exchange_identification: Connection closed by remote host",
	} {
		line := logline.Line{Text: "Jun  3 04:11:09 mail " + text, Zone: time.UTC}
		var r event.Record
		if n := testing.AllocsPerRun(100, func() { Parse(line, &r) }); n != 0 || r.Outcome != event.Benign {
			t.Errorf("%s: %s, %v allocations", text, r.Outcome, n)
		}
	}
}

func TestEachKindHasAnExample(t *testing.T) {
	for _, k := range event.Kinds() {
		if r := parse("Jun  3 04:11:09 mx1 " + k.Example()); r.Kind != k || r.Outcome != event.Noted || r.Addr.String() != "192.0.2.1" {
			t.Errorf("%s: %q gives %s, %s, %s", k, k.Example(), r.Outcome, r.Kind, r.Addr)
		}
	}
}
