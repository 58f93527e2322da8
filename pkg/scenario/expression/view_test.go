package expression

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"csmail/pkg/event"
)

func TestView(t *testing.T) {
	ev := func(service event.Service, program string, kind event.Kind, message string) *event.Event {
		return &event.Event{Time: start, Service: service, Program: program, Kind: kind, Message: message, Addr: netip.MustParseAddr("2001:db8::5"), User: "Bob@Example.com"}
	}
	tests := map[string]struct {
		ev   *event.Event
		want map[string]string
	}{
		"SASL failure": {
			ev(event.Postfix, "postfix/smtpd", event.AuthFailed, "warning: unknown[2001:db8::5]: SASL login authentication failed: x"),
			map[string]string{
				"log_type": "postfix", "log_type_enh": "spam-attempt", "action": "", "username": "bob@example.com", "account": "bob",
				"source_ip": "2001:db8::5", "source_block": "2001:db8::/64", "source_range": "2001:db8::/64", "kind": "auth-failed", "class": "hostile", "service": "postfix",
			},
		},
		"SASL mechanism that the hub does not know": {
			ev(event.Postfix, "postfix/smtpd", event.AuthFailed, "warning: unknown[2001:db8::5]: SASL XOAUTH2 authentication failed: x"),
			map[string]string{"log_type": "", "log_type_enh": ""},
		},
		"SASL failure with a port":     {ev(event.Postfix, "postfix/smtpd", event.AuthFailed, "warning: unknown[2001:db8::5]:4711: SASL LOGIN authentication failed: x"), map[string]string{"log_type": ""}},
		"lost connection of 3.10":      {ev(event.Postfix, "postfix/smtps/smtpd", event.LostConnection, "NOQUEUE: lost connection after AUTH from unknown[2001:db8::5]"), map[string]string{"log_type_enh": "spam-attempt"}},
		"non-SMTP":                     {ev(event.Postfix, "postfix/smtpd", event.NonSMTP, event.NonSMTP.Example()[len("postfix/smtpd[42]: "):]), map[string]string{"log_type_enh": "non-smtp-command", "service": "postfix"}},
		"reject":                       {ev(event.Postfix, "postfix/smtpd", event.RelayDenied, event.RelayDenied.Example()[len("postfix/smtpd[42]: "):]), map[string]string{"log_type": "postfix", "action": "reject"}},
		"reject with a queue ID":       {ev(event.Postfix, "postfix/smtpd", event.RelayDenied, "4Zk1Yq2Lz3z9v: reject: RCPT from unknown[2001:db8::5]: 554"), map[string]string{"log_type": "", "action": ""}},
		"cleanup":                      {ev(event.Postfix, "postfix/cleanup", event.ContentRejected, "4Zk1Yq2Lz3z9v: reject: header"), map[string]string{"log_type": ""}},
		"pregreet":                     {ev(event.Postscreen, "postfix/postscreen", event.Pregreet, event.Pregreet.Example()[len("postfix/postscreen[42]: "):]), map[string]string{"pregreet": "PREGREET", "service": "postscreen", "log_type": ""}},
		"dovecot login":                {ev(event.Dovecot, "dovecot/imap-login", event.AuthFailed, "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip=2001:db8::5, lip=2001:db8::1"), map[string]string{"log_type": "dovecot_logs", "dovecot_login_result": "auth_failed", "program": "dovecot/imap-login"}},
		"dovecot login without a user": {ev(event.Dovecot, "dovecot/imap-login", event.AuthFailed, "imap-login: Disconnected (auth failed): method=PLAIN, rip=2001:db8::5, lip=2001:db8::1"), map[string]string{"log_type": ""}},
		"dovecot without a result":     {ev(event.Dovecot, "dovecot/imap-login", event.NoAuth, event.NoAuth.Example()[len("dovecot: "):]), map[string]string{"log_type": "dovecot_logs", "dovecot_login_result": ""}},
		"dovecot worker":               {ev(event.Dovecot, "dovecot/auth", event.AuthFailed, "auth-worker(7): conn unix:auth-worker (pid=5,uid=9): auth-worker<3>: sql(bob,2001:db8::5,<s>): unknown user"), map[string]string{"dovecot_login_result": "auth_failed"}},
		"dovecot passwd-file":          {ev(event.Dovecot, "dovecot/auth", event.AuthFailed, "auth: passwd-file(bob,2001:db8::5): Password mismatch"), map[string]string{"dovecot_login_result": "auth_failed"}},
		"dovecot 2.4":                  {ev(event.Dovecot, "dovecot/auth", event.AuthFailed, "auth(bob,2001:db8::5,sasl:plain)<s>: passwd-file: Password mismatch"), map[string]string{"log_type": ""}},
		"ssh":                          {ev(event.SSHD, "sshd", event.AuthFailed, "Failed password for bob from 2001:db8::5 port 1 ssh2"), map[string]string{"log_type": "ssh_failed-auth", "target_user": "Bob@Example.com"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			meta, parsed := View(test.ev)
			for key, want := range test.want {
				if meta[key] != want {
					t.Errorf("evt.Meta.%s is %q, want %q", key, meta[key], want)
				}
			}
			if parsed["message"] != test.ev.Message || parsed["program"] != strings.TrimSuffix(strings.TrimSuffix(test.ev.Program, "/auth"), "/imap-login") {
				t.Errorf("evt.Parsed is %v", parsed)
			}
			for value := range maps.Values(meta) {
				if value == "" {
					t.Errorf("an empty value in %v, want some value", meta)
				}
			}
		})
	}
}
