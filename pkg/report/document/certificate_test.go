package document

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/report"
)

func TestCertificates(t *testing.T) {
	const alert = "warning: TLS library problem: error:14094415:SSL routines:ssl3_read_bytes:%s:../ssl/record/rec_layer_s3.c:1543:SSL alert number 45:"
	for name, tt := range map[string]struct {
		tag, text string
		lines     int
		severity  Severity // "": no finding
		says      string
	}{
		"expired":                             {"postfix/smtpd[7]", strings.Replace(alert, "%s", "sslv3 alert certificate expired", 1), 5, Warn, "has expired"},
		"expired, OpenSSL 3":                  {"postfix/submission/smtpd[7]", strings.Replace(alert, "%s", "ssl/tls alert certificate expired", 1), 5, Warn, "has expired"},
		"expired, two lines":                  {"postfix/smtpd[7]", strings.Replace(alert, "%s", "sslv3 alert certificate expired", 1), 2, "", ""},
		"the key is missing":                  {"postfix/smtpd[7]", "warning: cannot get RSA private key from file \"/etc/ssl/private/mx.key\": disabling TLS support", 1, Urgent, "cannot be loaded"},
		"the file is missing":                 {"postfix/smtpd[7]", "warning: cannot get RSA certificate from file \"/etc/ssl/mx.pem\": disabling TLS support", 1, Urgent, "cannot be loaded"},
		"a chain that clients do not know":    {"postfix/smtpd[7]", strings.Replace(alert, "%s", "tlsv1 alert unknown ca", 1), 5, Warn, "do not accept"},
		"a client that does not like it":      {"postfix/smtpd[7]", strings.Replace(alert, "%s", "sslv3 alert bad certificate", 1), 5, Warn, "do not accept"},
		"a scanner without a common version":  {"postfix/smtpd[7]", strings.Replace(alert, "%s", "unsupported protocol", 1), 50, "", ""},
		"a scanner that offers no cipher":     {"postfix/smtpd[7]", strings.Replace(alert, "%s", "no shared cipher", 1), 50, "", ""},
		"another server's certificate":        {"postfix/smtp[7]", "warning: TLS library problem: error:0A000086:SSL routines::certificate verify failed:ssl/statem/statem_clnt.c:1889:", 50, "", ""},
		"another server's that has expired":   {"postfix/smtp[7]", strings.Replace(alert, "%s", "certificate has expired", 1), 50, "", ""},
		"this host's own certificate to send": {"postfix/smtp[7]", "warning: cannot get RSA private key from file \"/etc/ssl/private/mx.key\": disabling TLS support", 1, Urgent, "cannot be loaded"},
	} {
		var lines []string
		for i := range tt.lines {
			lines = append(lines, lineAt(time.Duration(i)*minute, tt.tag, "%s", tt.text))
		}
		in := windowOf(append(lines, connects(0, 1)...), report.Scope{}).Input()
		in.Zone = time.UTC
		var got Finding
		for _, f := range New(in).Findings {
			if f.ID == "certificate" {
				got = f
			}
		}
		if got.Severity != tt.severity || !strings.Contains(got.Title, tt.says) || tt.severity != "" && got.Count != tt.lines {
			t.Errorf("%s: got %q (%s, %d), want one that says %q (%s, %d)", name, got.Title, got.Severity, got.Count, tt.says, tt.severity, tt.lines)
		}
	}
}

// brokenHandshake is Dovecot's line about a client that broke off with an alert.
func brokenHandshake(i int, says, user, client string) string {
	const end = "imap-login: Disconnected: Connection closed: SSL_accept() failed: error:0A000415:SSL routines::%[1]s: SSL alert number 45 (no auth attempts in 0 secs): user=<%[2]s>, rip=%[3]s, lip=192.0.2.1, TLS handshaking: SSL_accept() failed: error:0A000415:SSL routines::%[1]s: SSL alert number 45, session=<x%[4]d>"
	return lineAt(time.Duration(i)*minute, "dovecot", end, says, user, client, i)
}

// A client that repeats one alert adds nothing to another that many clients sent.
func TestCertificateClientsBySign(t *testing.T) {
	const expired, bad, unknown = "sslv3 alert certificate expired", "sslv3 alert bad certificate", "tlsv1 alert unknown ca"
	type alert struct{ says, client string }
	for name, tt := range map[string]struct {
		alerts []alert
		want   []Severity
		count  int
	}{
		"three clients":                   {[]alert{{expired, "198.51.100.1"}, {expired, "198.51.100.2"}, {expired, "198.51.100.3"}}, []Severity{Urgent}, 3},
		"two clients":                     {[]alert{{expired, "198.51.100.1"}, {expired, "198.51.100.2"}, {expired, "198.51.100.2"}, {expired, "198.51.100.2"}}, nil, 0},
		"many of another sign":            {[]alert{{bad, "203.0.113.1"}, {bad, "203.0.113.2"}, {bad, "203.0.113.3"}, {expired, "198.51.100.7"}, {expired, "198.51.100.7"}, {expired, "198.51.100.7"}}, []Severity{Warn}, 3},
		"one client, each sign":           {[]alert{{bad, "198.51.100.7"}, {unknown, "198.51.100.7"}, {expired, "198.51.100.7"}}, nil, 0},
		"each sign from another":          {[]alert{{bad, "198.51.100.1"}, {unknown, "198.51.100.2"}, {expired, "198.51.100.3"}}, nil, 0},
		"one /64":                         {[]alert{{expired, "2001:db8::1"}, {expired, "2001:db8::2"}, {expired, "2001:db8::3"}}, nil, 0},
		"three /64":                       {[]alert{{expired, "2001:db8:0:1::1"}, {expired, "2001:db8:0:2::1"}, {expired, "2001:db8:0:3::1"}}, []Severity{Urgent}, 3},
		"the same client in both forms":   {[]alert{{expired, "198.51.100.1"}, {expired, "::ffff:198.51.100.1"}, {expired, "198.51.100.2"}}, nil, 0},
		"the fourth client counts as one": {[]alert{{expired, "198.51.100.1"}, {expired, "198.51.100.2"}, {expired, "198.51.100.3"}, {expired, "198.51.100.4"}, {expired, "198.51.100.1"}}, []Severity{Urgent}, 5},
	} {
		var lines []string
		for i, a := range tt.alerts {
			lines = append(lines, brokenHandshake(i, a.says, "", a.client))
		}
		since, until := day("2026-11-28")
		k, r := newKeeper(t), newReader()
		for _, line := range lines {
			k.read(r, line)
			k.restart()
		}
		var got []Severity
		count := 0
		for _, f := range k.report(since, until).Findings {
			if f.ID == "certificate" {
				got, count = append(got, f.Severity), f.Count
			}
		}
		if !slices.Equal(got, tt.want) || count != tt.count {
			t.Errorf("%s: got %q (%d), want %q (%d)", name, got, count, tt.want, tt.count)
		}
	}
}

// Thousands of clients leave the table of reasons small, so that another sign has room.
func TestCertificateCrowd(t *testing.T) {
	var lines []string
	for i := range 2000 {
		lines = append(lines, brokenHandshake(0, "sslv3 alert bad certificate", "", fmt.Sprintf("198.51.%d.%d", i/200, i%200+1)))
	}
	for i := range manyClients {
		lines = append(lines, brokenHandshake(1, "sslv3 alert certificate expired", "", fmt.Sprintf("203.0.113.%d", i+1)))
	}
	in := windowOf(lines, report.Scope{}).Input()
	in.Zone = time.UTC
	var got []int
	for _, f := range New(in).Findings {
		if f.ID == "certificate" {
			got = append(got, f.Count)
		}
	}
	if want := []int{3, 2000}; !slices.Equal(got, want) {
		t.Errorf("got the counts %v, want %v", got, want)
	}
}

// The command asks the daemon that is complained of.
func TestCertificateAdvice(t *testing.T) {
	const (
		dovecot = "openssl s_client -connect localhost:993 </dev/null 2>/dev/null | openssl x509 -noout -dates"
		smtpd   = "openssl s_client -starttls smtp -connect localhost:25 </dev/null 2>/dev/null | openssl x509 -noout -dates"
		text    = "warning: TLS library problem: error:14094415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired:../ssl/record/rec_layer_s3.c:1543:SSL alert number 45:"
	)
	var byDovecot, bySMTPD []string
	for i := range 3 {
		byDovecot = append(byDovecot, brokenHandshake(i, "sslv3 alert certificate expired", "", fmt.Sprintf("198.51.100.%d", i+1)))
		bySMTPD = append(bySMTPD, lineAt(time.Duration(i)*minute, "postfix/smtpd[7]", "%s", text))
	}
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"dovecot":                         {byDovecot, dovecot},
		"smtpd":                           {bySMTPD, smtpd},
		"both":                            {slices.Concat(byDovecot, bySMTPD), dovecot + "; " + smtpd},
		"smtpd and one client of dovecot": {slices.Concat(byDovecot[:1], bySMTPD), smtpd},
		"no key":                          {[]string{lineAt(0, "postfix/smtpd[7]", "warning: cannot get RSA private key from file \"/etc/ssl/private/mx.key\": disabling TLS support")}, "postconf -n | grep _tls_"},
	} {
		in := windowOf(tt.lines, report.Scope{}).Input()
		in.Zone = time.UTC
		got := ""
		for _, f := range New(in).Findings {
			if f.ID == "certificate" {
				got = f.Advice
			}
		}
		if got != tt.want {
			t.Errorf("%s\ngot  %q\nwant %q", name, got, tt.want)
		}
	}
}

// Dovecot names the client, so that one that tries again and again is none.
func TestCertificatesOfDovecot(t *testing.T) {
	for name, tt := range map[string]struct {
		says, user string
		clients    int
		want       Severity
	}{
		"expired, many clients":          {"sslv3 alert certificate expired", "", 6, Urgent},
		"expired, one client":            {"sslv3 alert certificate expired", "", 1, ""},
		"unknown ca, many clients":       {"tlsv1 alert unknown ca", "", 6, Warn},
		"wrong version, many clients":    {"wrong version number", "", 6, ""},
		"a client's words, many clients": {"wrong version number", "SSL_accept() failed: error: alert certificate expired", 6, ""},
	} {
		var lines []string
		for i := range 12 {
			lines = append(lines, brokenHandshake(i, tt.says, tt.user, fmt.Sprintf("198.51.%d.7", i%tt.clients)))
		}
		since, until := day("2026-11-28")
		k, r := newKeeper(t), newReader()
		for _, line := range lines {
			k.read(r, line)
			k.restart()
		}
		d := k.report(since, until)
		at := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.ID == "certificate" })
		switch {
		case at < 0 && tt.want == "":
		case at < 0 || d.Findings[at].Severity != tt.want:
			t.Errorf("%s: got %+v, want %q", name, d.Findings, tt.want)
		case d.Findings[at].Count != 12 || !d.Findings[at].Since.Equal(since) || !d.Findings[at].Until.Equal(since.Add(11*minute)):
			t.Errorf("%s: got %d from %s to %s, want 12 within the first 11 minutes", name, d.Findings[at].Count, d.Findings[at].Since, d.Findings[at].Until)
		}
	}
}
