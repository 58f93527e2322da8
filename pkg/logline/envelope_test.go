package logline

import (
	"testing"
	"time"
)

// A line inside another is read where the configuration says so, and nowhere else.
func TestEnvelope(t *testing.T) {
	const message = "connect from unknown[192.0.2.1]"
	const inner = "Jun  3 02:11:09 mail postfix/smtpd[400]: " + message
	read := headerOf{"mx", "postfix/smtpd", 400, message}
	for text, want := range map[string]headerOf{
		"Jun  3 04:11:09 mx docker[32360]: " + inner:                                                    read,
		"Jun  3 04:11:09 mx 1a2b3c4d5e6f[7]: " + inner:                                                  read,
		"Jun  3 04:11:09 mx mailserver/1a2b3c4d5e6f[7]: " + inner:                                       read,
		"2026-06-03T04:11:09Z mx docker[7]: 2026-06-03T02:11:09.5Z mail postfix/smtpd[400]: " + message: read,
		"Jun  3 04:11:09 mx docker[7]: INFO    postfix/smtpd[400]: " + message:                          {"mx", "docker", 7, "INFO    postfix/smtpd[400]: " + message},
		"Jun  3 04:11:09 mx docker[7]: Jun  3 02:11:09 INFO    postfix/smtpd[400]: " + message:          read,
		"Jun  3 04:11:09 mx docker[7]: mailserver-1  | " + inner:                                        read,
		"Jun  3 04:11:09 mx docker[7]: postfix/smtpd[400]: " + message:                                  read,
		"Jun  3 04:11:09 mx docker[7]: auth: Info: x":                                                   {"mx", "dovecot", 0, "auth: Info: x"},
		"Jun  3 04:11:09 mx dovecot[7]: Jun  3 02:11:09 auth: Info: x":                                  {"mx", "dovecot", 0, "auth: Info: x"},
		"Jun  3 04:11:09 mx dovecot[7]: Jun  3 02:11:09 imap-login: Info: x":                            {"mx", "dovecot", 0, "imap-login: Info: x"},
		"<22>1 2026-06-03T04:11:09Z mx docker 7 - - " + inner:                                           read,
		`{"__REALTIME_TIMESTAMP":"1780459869000000","_HOSTNAME":"mx","_UID":"0","_COMM":"dockerd","CONTAINER_NAME":"mail","SYSLOG_IDENTIFIER":"1a2b","_PID":"7","MESSAGE":"` + inner + `"}`: read,
		"Jun  3 04:11:09 mx auth[7]: pam(postfix/smtpd[1]: x,192.0.2.1,<s>): unknown user":                                                                                                  {"mx", "auth", 7, "pam(postfix/smtpd[1]: x,192.0.2.1,<s>): unknown user"},
		"Jun  3 04:11:09 mx docker[7]: pam(postfix/smtpd[1]: x,192.0.2.1,<s>): unknown user":                                                                                                {"mx", "docker", 7, "pam(postfix/smtpd[1]: x,192.0.2.1,<s>): unknown user"},
		"Jun  3 04:11:09 mx postfix/smtpd[7]: postfix/smtpd[1]: connect from unknown[192.0.2.6]":                                                                                            {"mx", "postfix/smtpd", 7, "postfix/smtpd[1]: connect from unknown[192.0.2.6]"},
		// One envelope is taken off, and what is no line stays as it is.
		"Jun  3 04:11:09 mx docker[7]: Jun  3 02:11:09 mail docker[8]: " + inner: {"mx", "docker", 8, inner},
		"Jun  3 04:11:09 mx postfix/smtpd[7]: warning: " + inner:                 {"mx", "postfix/smtpd", 7, "warning: " + inner},
		"Jun  3 04:11:09 mx docker[7]: x " + inner:                               {"mx", "docker", 7, "x " + inner},
		"Jun  3 04:11:09 mx docker[7]: postfix/smtpd: " + message:                {"mx", "docker", 7, "postfix/smtpd: " + message},
		"Jun  3 04:11:09 mx dovecot: imap-login: x":                              {"mx", "dovecot", 0, "imap-login: x"},
	} {
		line := Line{Text: text, Received: time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC), Zone: time.UTC, Reading: &Reading{Envelope: true}}
		h, got, ok := Split(line)
		if header := (headerOf{h.Host, h.Program, h.PID, got}); !ok || header != want {
			t.Errorf("%q: got %+v, want %+v", text, header, want)
		}
		if at := h.Time(line).UTC().Format("15:04:05"); at != "04:11:09" {
			t.Errorf("%q: got %s, want the time of the outer line", text, at)
		}
		var s Splitter
		for range 2 { // the second line is compared with the first
			var again Header
			if message, ok := s.Split(&line, &again); !ok || message != got || again.Program != h.Program || again.PID != h.PID || again.Host != h.Host {
				t.Errorf("%q: a Splitter gets %+v, %q, want ok true, message %q, Program %v, PID %v, Host %v",
					text, again, message, got, h.Program, h.PID, h.Host)
			}
		}
		line.Reading = nil
		if plain, message, _ := Split(line); plain.Program == want.program && plain.PID == want.pid && message != got {
			t.Errorf("%q: unasked it is read as %+v", text, plain)
		}
	}
}

// Inner recognises a whole line in a message, which must begin there.
func TestInner(t *testing.T) {
	for message, want := range map[string]string{
		"Jun  3 02:11:09 mail postfix/smtpd[400]: x":        "postfix/smtpd",
		"Jun  3 02:11:09 auth: Info: passwd-file(a): x":     "dovecot",
		"2026-06-03T02:11:09Z mail postfix/smtpd[400]: x":   "postfix/smtpd",
		"mail-1  | Jun  3 02:11:09 mail postfix/smtpd[4]: ": "postfix/smtpd",
		"<22>Jun  3 02:11:09 mail postfix/smtpd[400]: x":    "postfix/smtpd",
		"1780459869.123456 mail postfix/smtpd[400]: x":      "postfix/smtpd",
		"a Jun  3 02:11:09 mail postfix/smtpd[400]: x":      "",
		"warning: Jun  3 02:11:09 mail postfix/smtpd[4]: x": "",
		"postfix/smtpd[400]: x":                             "",
		"":                                                  "",
		"a | b":                                             "",
	} {
		h, _, ok := Inner(message)
		if ok != (want != "") || h.Program != want && ok {
			t.Errorf("%q: got %q, %t, want %q", message, h.Program, ok, want)
		}
	}
}
