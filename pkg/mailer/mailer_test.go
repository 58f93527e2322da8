package mailer

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
)

// server speaks as much SMTP as a client needs, once, and returns what it got.
// refuse is its answer to RCPT, if it is not empty.
func server(t *testing.T, refuse string) (addr string, got func() string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	done := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- ""
			return
		}
		defer conn.Close()
		done <- converse(conn, refuse)
	}()
	return listener.Addr().String(), func() string {
		select {
		case text := <-done:
			return text
		case <-time.After(10 * time.Second):
			t.Fatal("the server got no mail within 10 s")
			return ""
		}
	}
}

func converse(conn net.Conn, refuse string) string {
	var all strings.Builder
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 test ESMTP")
	lines := bufio.NewScanner(conn)
	inData := false
	for lines.Scan() {
		line := lines.Text()
		all.WriteString(line + "\n")
		word := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		switch {
		case inData && line == ".":
			inData = false
			say("250 taken")
		case inData:
		case word == "DATA":
			inData = true
			say("354 go on")
		case word == "RCPT" && refuse != "":
			say(refuse)
		case word == "QUIT":
			say("221 bye")
			return all.String()
		default:
			say("250 ok")
		}
	}
	return all.String()
}

func report(to string) Mail {
	return Mail{
		From: "csmail@mx1.example.org", To: []string{to}, Subject: "mx1: 14 banned, 1 finding: alice's password was guessed",
		Text: "text\n", HTML: "<p>page</p>", MessageID: "report-1@mx1.example.org", ListID: "report.csmail.mx1.example.org", Date: time.Unix(1_800_000_000, 0).UTC(),
	}
}

func TestSendBySMTP(t *testing.T) {
	addr, got := server(t, "")
	if err := Send(t.Context(), Options{SMTP: addr}, report("admin@example.org")); err != nil {
		t.Fatal(err)
	}
	text := got()
	for _, want := range []string{
		"MAIL FROM:<csmail@mx1.example.org>", "RCPT TO:<admin@example.org>", "Auto-Submitted: auto-generated", "List-Id: <report.csmail.mx1.example.org>",
		"Message-ID: <report-1@mx1.example.org>", "multipart/alternative", "text/plain", "text/html", "Content-Transfer-Encoding: base64",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail lacks %q:\n%s", want, text)
		}
	}
}

// A header of the report cannot be made by what a subject holds.
func TestSubjectMakesNoHeader(t *testing.T) {
	addr, got := server(t, "")
	m := report("admin@example.org")
	m.Subject = "x\r\nBcc: evil@example.com\r\n\r\nbody"
	if err := Send(t.Context(), Options{SMTP: addr}, m); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(got(), "\n") {
		if strings.HasPrefix(line, "Bcc:") || strings.HasPrefix(line, "body") {
			t.Errorf("got the line %q, want the subject to be one encoded header", line)
		}
	}
}

func TestSendFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()
	refusing, _ := server(t, "550 5.1.1 no such user here")
	for name, tt := range map[string]struct {
		options    Options
		want, hint string
	}{
		"nobody listens":     {Options{SMTP: nobody}, "sending the report to " + nobody, "is a mail server there?"},
		"the server refuses": {Options{SMTP: refusing}, "no such user here", "does the recipient exist"},
		"no port":            {Options{SMTP: "localhost"}, `mail server "localhost"`, "write it like localhost:25"},
		"a port of letters":  {Options{SMTP: "localhost:smtp"}, "the port is no number", "write it like localhost:25"},
		"no sendmail":        {Options{Sendmail: t.TempDir() + "/sendmail"}, "sending the report through sendmail", "--smtp localhost:25"},
		"sendmail that dies": {Options{Sendmail: "/bin/false"}, "sending the report through /bin/false", "try it by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Send(t.Context(), tt.options, report("admin@example.org"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("got error %v with hint %q, want %q and %q", err, hint.Of(err), tt.want, tt.hint)
			}
		})
	}
}

// A server that takes the connection and says nothing, and a sendmail that does not end,
// are given up, so that the timer's unit can try again.
func TestSendEndsInTime(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	sleeper := filepath.Join(t.TempDir(), "sendmail")
	if err := os.WriteFile(sleeper, []byte("#!/bin/sh\nsleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"a silent server": {SMTP: listener.Addr().String()}, "a sendmail that sleeps": {Sendmail: sleeper}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- Send(ctx, o, report("admin@example.org")) }()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("got no error, want one")
				}
			case <-time.After(timeout / 2):
				t.Error("got no end half a minute after the time was over")
			}
		})
	}
}
