package cli

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var messageIDLine = regexp.MustCompile(`(?m)^Message-ID: (<\S+>)\r?$`)

// A second report of a day has the Message-ID of the first, also if there is more in the
// log by now, of another host even; that of another day or log has not.
func TestMessageIDIsOfTheDay(t *testing.T) {
	dir := t.TempDir()
	log, other, mail, sendmail := filepath.Join(dir, "mail.log"), filepath.Join(dir, "other.log"), filepath.Join(dir, "mail"), filepath.Join(dir, "sendmail")
	line := func(day int, host string) string {
		return fmt.Sprintf("2026-11-%dT09:00:00+00:00 %s postfix/smtpd[1]: connect from a.example[203.0.113.7]\n", day, host)
	}
	write(t, sendmail, "#!/bin/sh\ncat >"+mail+"\n")
	if err := os.Chmod(sendmail, 0o700); err != nil {
		t.Fatal(err)
	}
	send := func(args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		all := append([]string{"report", "-q", "--timezone", "UTC", "--from", "a@b.example", "--mail", "admin@example.org", "--sendmail", sendmail}, args...)
		if status := Main(t.Context(), all, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 {
			t.Fatalf("%q: status %d: %s", args, status, errs.String())
		}
		text, err := os.ReadFile(mail)
		if err != nil {
			t.Fatal(err)
		}
		id := messageIDLine.FindStringSubmatch(string(text))
		if id == nil {
			t.Fatalf("the mail has no Message-ID:\n%s", text)
		}
		return id[1]
	}
	write(t, log, "")
	write(t, other, line(28, "mx1"))
	first := send("-d", "2026-11-28", log)
	write(t, log, line(27, "mx1")+line(28, "mx1"))
	if got := send("-d", "2026-11-28", log); got != first {
		t.Errorf("with a line: got %s, want %s", got, first)
	}
	write(t, log, line(27, "mx1")+line(28, "mx1")+line(28, "mx2"))
	if got := send("-d", "2026-11-28", log); got != first {
		t.Errorf("with a line of another host: got %s, want %s", got, first)
	}
	for name, args := range map[string][]string{"another day": {"-d", "2026-11-27", log}, "another log": {"-d", "2026-11-28", other}, "all of the log": {log}} {
		if got := send(args...); got == first {
			t.Errorf("%s: got the Message-ID of the first report, want one of its own", name)
		}
	}
	whole := send(log)
	if got := send(log); got != whole {
		t.Errorf("all of the log again: got %s, want %s", got, whole)
	}
}

// A report that could not be sent is an error with the server's words and a remedy, also
// with --quiet, and nothing is printed instead.
func TestUnsentReportIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "220 fake\r\n")
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			reply := "250 ok"
			if strings.HasPrefix(lines.Text(), "RCPT") {
				reply = "450 4.7.1 Greylisted"
			}
			fmt.Fprint(conn, reply+"\r\n")
		}
	}()
	log := filepath.Join(t.TempDir(), "mail.log")
	write(t, log, "2026-11-28T09:00:00+00:00 mx1 postfix/smtpd[1]: connect from a.example[203.0.113.7]\n")
	var out, errs strings.Builder
	args := []string{"report", "-q", "--from", "a@b.example", "--mail", "admin@example.org", "--smtp", listener.Addr().String(), log}
	status := Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	want := "csmail: error: sending the report to " + listener.Addr().String() + ": "
	if status != 1 || out.Len() > 0 || !strings.HasPrefix(errs.String(), want) || !strings.Contains(errs.String(), "Greylisted") ||
		!strings.Contains(errs.String(), "hint: the server wants to be asked again later") {
		t.Errorf("got status %d, output %q, errors %q; want 1, none, and %q", status, out.String(), errs.String(), want)
	}
}
