package document

import (
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
		"expired":                             {"postfix/smtpd[7]", strings.Replace(alert, "%s", "sslv3 alert certificate expired", 1), 5, Urgent, "has expired"},
		"expired, OpenSSL 3":                  {"postfix/submission/smtpd[7]", strings.Replace(alert, "%s", "ssl/tls alert certificate expired", 1), 5, Urgent, "has expired"},
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
