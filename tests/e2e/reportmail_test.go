//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A report goes through a real Postfix, by sendmail(1) and by SMTP, and arrives whole;
// what Postfix refuses is csmail's error, in Postfix's words. Each mail is put on hold, so
// that the queue file can be read.
func TestReportMail(t *testing.T) {
	program := buildProgram(t)
	dir, err := os.MkdirTemp("", "csmail-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{dir: dir}
	t.Cleanup(func() { _ = l.close(nil) })
	if err := l.start(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "report.log", pageLog(time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)))
	write(t, dir, "csmail.yaml", []byte("socket: "+dir+"/none.sock\nstate: "+dir+"/none.db\n"))
	inside := func(args ...string) (string, error) {
		cmd := exec.Command("nsenter", append([]string{fmt.Sprintf("--target=%d", l.server.cmd.Process.Pid), "--mount", "--net", "--uts", "--ipc", "--pid", "--"}, args...)...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "LC_ALL=C"}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := inside(args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s\nlog:\n%s", strings.Join(args, " "), err, out, l.text())
		}
		return out
	}
	report := []string{program, "report", "-q", "-c", filepath.Join(dir, "csmail.yaml"), "--day", "2026-11-28", "--from", "csmail@" + domain}
	must("postconf", "-e", "header_checks = regexp:{{/^Auto-Submitted:/ HOLD}}")
	must("postfix", "reload")

	for name, way := range map[string][]string{"sendmail": nil, "SMTP": {"--smtp", "127.0.0.1:25"}} {
		must(append(append(report, way...), "--mail", "alice@"+domain, filepath.Join(dir, "report.log"))...)
		var id string
		within(t, name+": a mail is on hold", func() bool {
			var entry struct {
				QueueName string `json:"queue_name"`
				QueueID   string `json:"queue_id"`
			}
			if json.Unmarshal([]byte(must("postqueue", "-j")), &entry) != nil || entry.QueueName != "hold" {
				return false
			}
			id = entry.QueueID
			return true
		})
		checkReportMail(t, name, must("postcat", "-qhb", id))
		must("postsuper", "-d", id)
	}

	must("postconf", "-M", "465/inet=465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes")
	must("postconf", "-P", "submission/inet/smtpd_tls_security_level=encrypt")
	must("postfix", "reload")
	time.Sleep(time.Second)
	for _, tt := range []struct{ name, mail, want string }{ // want "" for a mail
		{"a server that demands TLS", "smtp: '127.0.0.1:587', username: alice@" + domain + ", password: " + passwords["alice"], ""},
		{"TLS from the first byte", "smtp: '127.0.0.1:465', username: alice@" + domain + ", password: " + passwords["alice"], ""},
		{"no TLS where it is demanded", "smtp: '127.0.0.1:587', tls: none", "hint: the server wants TLS"},
		{"a wrong password", "smtp: '127.0.0.1:587', username: alice@" + domain + ", password: other", "hint: report.mail.username and report.mail.password"},
		{"a certificate that this host does not trust", "smtp: '127.0.0.1:587', tls: required", "hint: this host does not trust the issuer|hint: write a name into report.mail.smtp"},
	} {
		write(t, dir, "login.yaml", []byte("socket: "+dir+"/none.sock\nstate: "+dir+"/none.db\nreport: {mail: {"+tt.mail+"}}\n"))
		args := []string{program, "report", "-q", "-c", filepath.Join(dir, "login.yaml"), "--day", "2026-11-28", "--from", "alice@" + domain, "--mail", "alice@" + domain, filepath.Join(dir, "report.log")}
		out, err := inside(args...)
		queue := must("postqueue", "-j")
		if tt.want != "" {
			if exitCode(err) != 1 || !regexp.MustCompile(tt.want).MatchString(out) || queue != "" {
				t.Errorf("%s: status %d, queue %q, want 1 and none, %q\n%s", tt.name, exitCode(err), queue, tt.want, out)
			}
			continue
		}
		if err != nil || strings.Count(queue, "queue_id") != 1 {
			t.Errorf("%s: %v, queue %q, want a mail\n%s\nlog:\n%s", tt.name, err, queue, out, l.text())
		}
		must("postsuper", "-d", "ALL")
	}

	out, err := inside(append(report, "--smtp", "127.0.0.1:25", "--mail", "nobody-of-that-name@"+domain, filepath.Join(dir, "report.log"))...)
	if code := exitCode(err); code != 1 || !strings.Contains(out, "User unknown in virtual mailbox table") {
		t.Errorf("SMTP refuses: status %d\n%s", code, out)
	}
	must("postconf", "-e", "message_size_limit = 2000", "virtual_mailbox_limit = 2000", "mailbox_size_limit = 2000")
	must("postfix", "reload")
	time.Sleep(time.Second)
	out, err = inside(append(report, "--mail", "alice@"+domain, filepath.Join(dir, "report.log"))...)
	if code := exitCode(err); code != 1 || !strings.Contains(out, "message file too big") && !strings.Contains(out, "File too large") {
		t.Errorf("sendmail refuses: status %d\n%s", code, out)
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}

func checkReportMail(t *testing.T, name, text string) {
	t.Helper()
	message, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "mx1: ") || !strings.Contains(subject, " banned, ") {
		t.Errorf("%s: subject %q, %v", name, subject, err)
	}
	for header, want := range map[string]string{
		"Auto-Submitted": "auto-generated", "List-Id": "<report.csmail.", "Message-Id": "<report-", "From": "csmail@" + domain, "To": "alice@" + domain,
	} {
		if got := message.Header.Get(header); !strings.Contains(got, want) {
			t.Errorf("%s: %s: %q, want %q in it", name, header, got, want)
		}
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %s, %v", name, kind, err)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for _, want := range []struct{ kind, start, end string }{
		{"text/plain", "csmail report for mx1\n", "lines read"}, {"text/html", "<!doctype html>", "</html>"},
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatalf("%s: %s: %v", name, want.kind, err)
		}
		body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		got := strings.ReplaceAll(string(body), "\r\n", "\n")
		if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want.kind) || !strings.HasPrefix(strings.ToLower(got), strings.ToLower(want.start)) || !strings.Contains(got, want.end) {
			t.Errorf("%s: a part of %s, %v:\n%s", name, part.Header.Get("Content-Type"), err, got)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("%s: more than two parts: %v", name, err)
	}
}
