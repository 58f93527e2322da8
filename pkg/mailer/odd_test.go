package mailer

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
)

// as returns options for a server under a name that is not of this host, with what the
// host trusts.
func (f *fake) as(name string, o Options, trusted ...*tls.Certificate) Options {
	_, port, _ := net.SplitHostPort(f.addr)
	o.SMTP, o.at, o.roots = net.JoinHostPort(name, port), f.addr, trusting(trusted...)
	return o
}

// Servers that demand something get it, and the report arrives once.
func TestDemandingServers(t *testing.T) {
	good := certificateOf(t, "mail.example.org", time.Now().AddDate(0, 1, 0))
	const login = "csmail:geheim"
	with := Options{Username: "csmail", Password: "geheim"}
	for name, tt := range map[string]struct {
		server  *fake
		options Options
	}{
		"refuses before STARTTLS":              {&fake{certificate: good, needsTLS: true}, Options{}},
		"refuses before STARTTLS, required":    {&fake{certificate: good, needsTLS: true}, Options{TLS: "required"}},
		"TLS from the first byte":              {&fake{certificate: good, tlsFirst: true}, Options{tlsFirst: true}},
		"STARTTLS and login":                   {&fake{certificate: good, needsTLS: true, login: login}, with},
		"TLS from the first byte and login":    {&fake{certificate: good, tlsFirst: true, login: login}, Options{tlsFirst: true, Username: "csmail", Password: "geheim"}},
		"an error after the mail":              {&fake{replies: map[string]string{"RSET": "421 4.3.2 going down", "QUIT": "500 what?"}}, Options{}},
		"closes the connection after the mail": {&fake{closesAt: "RSET"}, Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			server := tt.server.start(t)
			if err := Send(t.Context(), server.as("mail.example.org", tt.options, good), report("admin@example.org")); err != nil {
				t.Errorf("got %v (hint %q), want the mail to be taken", err, hint.Of(err))
			}
			if got := server.taken(); len(got) != 1 || !strings.Contains(got[0], "Message-ID: <report-1@mx1.example.org>") {
				t.Errorf("the server has the mails %q, want one", got)
			}
		})
	}
}

// Each way to fail is an error with the server's words and a remedy, and the server has
// no mail.
func TestOddServers(t *testing.T) {
	t.Parallel()
	good := certificateOf(t, "mail.example.org", time.Now().AddDate(0, 1, 0))
	other := certificateOf(t, "other.example.org", time.Now().AddDate(0, 1, 0))
	old := certificateOf(t, "mail.example.org", time.Now().AddDate(0, -1, 0))
	reply := func(word, text string) *fake { return &fake{replies: map[string]string{word: text}} }
	for name, tt := range map[string]struct {
		server     *fake
		options    Options
		want, hint string
	}{
		"demands TLS, but none is allowed":  {&fake{certificate: good, needsTLS: true}, Options{TLS: "none"}, "Must issue a STARTTLS command first", "report.mail.tls: required"},
		"offers no TLS, but it is required": {&fake{}, Options{TLS: "required"}, "does not support STARTTLS", "report.mail.tls: none"},
		"TLS fails for now":                 {&fake{certificate: good, replies: map[string]string{"STARTTLS": "454 4.7.0 TLS not available due to local problem"}}, Options{}, "TLS not available", "asked again later"},
		"a certificate of nobody":           {&fake{certificate: other}, Options{}, "certificate", "write a name into report.mail.smtp that the server's certificate has; it has not mail.example.org"},
		"a certificate that nobody trusts":  {&fake{certificate: certificateOf(t, "mail.example.org", time.Now().AddDate(0, 1, 0))}, Options{}, "certificate signed by unknown authority", "update-ca-certificates"},
		"a certificate of last month":       {&fake{certificate: old}, Options{}, "expired", "renew it"},
		"TLS begins later":                  {&fake{certificate: good}, Options{tlsFirst: true}, "does not look like a TLS handshake", "587 and 25 begin without it"},
		"wants a login":                     {&fake{login: "a:b"}, Options{}, "Authentication required", "report.mail.username and report.mail.password"},
		"wants another password":            {&fake{certificate: good, login: "csmail:other"}, Options{Username: "csmail", Password: "geheim"}, "authentication failed", "does not take this login"},
		"offers a login only without TLS":   {&fake{login: "csmail:geheim"}, Options{Username: "csmail", Password: "geheim"}, "autodiscover", "report.mail.tls: required"},
		"offers no login":                   {&fake{certificate: good}, Options{Username: "csmail", Password: "geheim"}, "does not support SMTP AUTH", "port 587 or 465"},
		"greylists":                         {reply("RCPT", "450 4.7.1 <admin@example.org>: Recipient address rejected: Greylisted"), Options{}, "Greylisted", "asked again later, as csmail-report.service does"},
		"refuses the recipient":             {reply("RCPT", "550 5.1.1 <admin@example.org>: User unknown"), Options{}, "User unknown", "does the recipient exist"},
		"refuses to relay after a login":    {&fake{certificate: good, login: "csmail:geheim", replies: map[string]string{"RCPT": "554 5.7.1 Relay access denied"}}, Options{Username: "csmail", Password: "geheim"}, "Relay access denied", "the server's words say why"},
		"refuses the sender":                {reply("MAIL", "553 5.7.1 sender not owned"), Options{Username: ""}, "sender not owned", "report.mail"},
		"refuses the text":                  {reply(".", "554 5.7.1 no such texts"), Options{}, "no such texts", "report.mail"},
		"has no room":                       {reply(".", "452 4.3.1 Insufficient system storage"), Options{}, "Insufficient system storage", "asked again later"},
		"takes no large mail":               {reply(".", "552 5.3.4 Message too big"), Options{}, "Message too big", "--top 3"},
		"is too busy":                       {&fake{replies: map[string]string{"EHLO": "421 4.3.2 try later", "HELO": "421 4.3.2 try later"}}, Options{}, "try later", "asked again later"},
		"closes at once":                    {&fake{closesAt: "EHLO"}, Options{}, "EOF", "the server closed the connection"},
		"closes in the middle of DATA":      {&fake{closesAt: "in DATA"}, Options{}, "sending the report to", "the server closed the connection"},
		"closes at the end of DATA":         {&fake{closesAt: "."}, Options{}, "EOF", "the server closed the connection"},
		"says nothing at all":               {&fake{silentAt: "greeting"}, Options{Within: 300 * time.Millisecond}, "no end within 300ms", "does not answer"},
		"says nothing to DATA":              {&fake{silentAt: "DATA"}, Options{Within: 300 * time.Millisecond}, "no end within 300ms", "does not answer"},
		"says nothing to a handshake":       {&fake{silentAt: "greeting"}, Options{tlsFirst: true, Within: 300 * time.Millisecond}, "no end within 300ms", "465 with it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tt.server.start(t)
			trusted := []*tls.Certificate{good, other, old}
			if strings.HasPrefix(name, "a certificate that nobody") {
				trusted = nil
			}
			err := Send(t.Context(), server.as("mail.example.org", tt.options, trusted...), report("admin@example.org"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("got error %v with hint %q, want %q and %q", err, hint.Of(err), tt.want, tt.hint)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "sending the report to mail.example.org:") {
				t.Errorf("got %q, want it to name the server", err)
			}
			if got := server.taken(); len(got) > 0 {
				t.Errorf("the server has the mails %q, want none", got)
			}
		})
	}
}

// With two recipients, of whom the server refuses one, neither gets the report: the next
// try would send it a second time.
func TestNoHalfOfTheRecipients(t *testing.T) {
	server := (&fake{replies: map[string]string{"RCPT": "550 5.1.1 no such user"}}).start(t)
	m := report("admin@example.org")
	m.To = append(m.To, "gone@example.org")
	if err := Send(t.Context(), Options{SMTP: server.addr}, m); err == nil {
		t.Error("got no error, want one")
	}
	if got := server.taken(); len(got) > 0 {
		t.Errorf("the server has the mails %q, want none", got)
	}
}

// What sendmail(1) writes and its exit status say whether the mail is in the queue.
func TestOddSendmails(t *testing.T) {
	for name, tt := range map[string]struct{ script, want, hint string }{
		"a full disk":                     {"cat >/dev/null; echo 'postdrop: warning: mail_queue_enter: create file maildrop/1.2: No space left on device' >&2; exit 75", "exit status 75: postdrop: warning: mail_queue_enter", "df -h /var/spool/postfix"},
		"a disk that is full without end": {"echo 'postdrop: warning: mail_queue_enter: create file maildrop/1.2: No space left on device' >&2; : >\"$0.waits\"; exec sleep 60", "no end within 1m0s: postdrop: warning", "df -h /var/spool/postfix"},
		"no right":                        {"echo 'sendmail: warning: mail_queue_enter: create file maildrop/1.2: Permission denied' >&2; exit 75", "Permission denied", "may not use sendmail(1)"},
		"a mail too large":                {"cat >/dev/null; echo 'sendmail: fatal: csmail@mx1(0): message file too big' >&2; exit 75", "message file too big", "--top 3"},
		"an unknown error":                {"exit 67", "exit status 67", "try it by hand: echo test | "},
		"ends before it reads":            {"exec <&-; exit 1", "exit status 1", "try it by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sendmail")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go endOnce(ctx, path+".waits", cancel)
			err := Send(ctx, Options{Sendmail: path, Within: time.Minute}, report("admin@example.org"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("got error %v with hint %q, want %q and %q", err, hint.Of(err), tt.want, tt.hint)
			}
		})
	}
}

// endOnce calls end once a file exists, unless the context ends before.
func endOnce(ctx context.Context, path string, end func()) {
	for ctx.Err() == nil {
		if _, err := os.Stat(path); err == nil {
			end()
		}
		time.Sleep(5 * time.Millisecond)
	}
}
