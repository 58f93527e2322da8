package logline

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Who is believed to be the program that an entry names.
func TestDoubt(t *testing.T) {
	type entry struct{ program, uid, command, executable, unit string }
	for name, tt := range map[string]struct {
		entry
		trusted string
		believe bool
	}{
		"postfix":                    {entry{"postfix/smtpd", "107", "smtpd", "/usr/lib/postfix/sbin/smtpd", "postfix@-.service"}, "", true},
		"postfix, submission":        {entry{"postfix/submission/smtpd", "107", "smtpd", "/usr/libexec/postfix/smtpd", "postfix.service"}, "", true},
		"postfix, started by root":   {entry{"postfix/smtpd", "89", "smtpd", "/usr/libexec/postfix/smtpd", "session-3.scope"}, "", true},
		"postfix, gone already":      {entry{"postfix/smtpd", "107", "smtpd", "", "postfix@-.service"}, "", true},
		"postfix's master":           {entry{"postfix/master", "0", "master", "/usr/lib/postfix/sbin/master", "postfix@-.service"}, "", true},
		"dovecot's log":              {entry{"dovecot", "0", "log", "/usr/lib/dovecot/log", "dovecot.service"}, "", true},
		"dovecot's log as a user":    {entry{"dovecot", "110", "log", "/usr/lib/dovecot/log", "dovecot.service"}, "", true},
		"pam in dovecot's auth":      {entry{"auth", "110", "auth", "/usr/lib/dovecot/auth", "dovecot.service"}, "", true},
		"sshd":                       {entry{"sshd", "0", "sshd", "/usr/sbin/sshd", "ssh.service"}, "", true},
		"docker":                     {entry{"1a2b3c4d5e6f", "0", "dockerd", "/usr/bin/dockerd", "docker.service"}, "", true},
		"rsyslog passes it on":       {entry{"postfix/smtpd", "104", "rsyslogd", "/usr/sbin/rsyslogd", "rsyslog.service"}, "", true},
		"no trusted fields":          {entry{"postfix/smtpd", "", "", "", ""}, "", true},
		"root's logger":              {entry{"postfix/smtpd", "0", "logger", "/usr/bin/logger", "cron.service"}, "", true},
		"logger":                     {entry{"postfix/smtpd", "1000", "logger", "/usr/bin/logger", "session-3.scope"}, "", false},
		"logger, gone already":       {entry{"postfix/smtpd", "1000", "", "", ""}, "", false},
		"a name that it took":        {entry{"postfix/smtpd", "1000", "smtpd", "/home/a/smtpd", "session-3.scope"}, "", false},
		"the true smtpd, preloaded":  {entry{"postfix/smtpd", "1000", "smtpd", "/usr/lib/postfix/sbin/smtpd", "user@1000.service"}, "", false},
		"~/.forward":                 {entry{"postfix/smtpd", "1000", "logger", "/usr/bin/logger", "postfix@-.service"}, "", false},
		"an alias's pipe":            {entry{"postfix/smtpd", "65534", "smtpd", "/usr/lib/postfix/sbin/smtpd", "postfix@-.service"}, "", false},
		"a web application":          {entry{"postfix/smtpd", "33", "smtpd", "/usr/lib/postfix/sbin/smtpd", "apache2.service"}, "", false},
		"a filter in postfix":        {entry{"postfix/smtpd", "110", "logger", "/usr/bin/logger", "postfix@-.service"}, "", false},
		"sieve's script":             {entry{"dovecot", "110", "logger", "/usr/bin/logger", "dovecot.service"}, "", false},
		"another daemon of dovecot":  {entry{"postfix/smtpd", "110", "auth", "/usr/lib/dovecot/auth", "dovecot.service"}, "", false},
		"a unit with a like name":    {entry{"postfix/smtpd", "107", "smtpd", "/usr/lib/postfix/sbin/smtpd", "postfixadmin.service"}, "", false},
		"a negative user ID":         {entry{"postfix/smtpd", "-1", "smtpd", "/usr/lib/postfix/sbin/smtpd", "postfix.service"}, "", false},
		"podman without root":        {entry{"mail", "1000", "conmon", "/usr/bin/conmon", "user@1000.service"}, "", false},
		"podman, listed":             {entry{"mail", "1000", "conmon", "/usr/bin/conmon", "user@1000.service"}, "_UID=1000", true},
		"listed by its unit":         {entry{"postfix/smtpd", "5000", "smtpd", "/opt/smtpd", "mail.service"}, "_SYSTEMD_UNIT=mail.service", true},
		"listed by its executable":   {entry{"postfix/smtpd", "5000", "smtpd", "/opt/smtpd", "mail.service"}, "_EXE=/opt/smtpd", true},
		"another is listed":          {entry{"postfix/smtpd", "1001", "logger", "/usr/bin/logger", "x.service"}, "_UID=1000", false},
		"all are listed":             {entry{"postfix/smtpd", "1001", "logger", "/usr/bin/logger", "x.service"}, "all", true},
		"a program without its name": {entry{"", "1001", "logger", "/usr/bin/logger", "x.service"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			line := Line{Zone: time.UTC, Text: `{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"x"`}
			for field, value := range map[string]string{
				"SYSLOG_IDENTIFIER": tt.program, "_UID": tt.uid, "_COMM": tt.command, "_EXE": tt.executable, "_SYSTEMD_UNIT": tt.unit,
			} {
				if value != "" {
					line.Text += fmt.Sprintf(",%q:%q", field, value)
				}
			}
			line.Text += "}"
			if tt.trusted != "" {
				m, err := ParseMatch(tt.trusted)
				if err != nil {
					t.Fatal(err)
				}
				line.Reading = &Reading{Trusted: []Match{m}}
			}
			h, _, ok := Split(line)
			if !ok || (h.Doubt == "") != tt.believe {
				t.Errorf("got doubt %q, want believed %t", h.Doubt, tt.believe)
			}
			if !tt.believe && !strings.Contains(h.Doubt, "_UID="+tt.uid) {
				t.Errorf("got doubt %q, want the user ID in it", h.Doubt)
			}
		})
	}
}

// A doubt is about one line: the next one is read anew, by comparison too.
func TestDoubtEnds(t *testing.T) {
	var s Splitter
	var h Header
	plain := Line{Text: "Jun  3 04:11:09 mail a[1]: x", Zone: time.UTC}
	doubted := Line{Text: `{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"a","_UID":"1000","MESSAGE":"x"}`, Zone: time.UTC}
	s.Split(&plain, &h)
	s.Split(&doubted, &h)
	if h.Doubt == "" {
		t.Fatal("got no doubt")
	}
	if s.Split(&plain, &h); h.Doubt != "" {
		t.Errorf("got doubt %q about a line without a writer", h.Doubt)
	}
}

func TestParseMatchRefuses(t *testing.T) {
	for _, text := range []string{"", "1000", "_UID", "_UID=", "UID=1000", "_COMM=smtpd", "SYSLOG_IDENTIFIER=a", "MESSAGE=x", "ALL"} {
		if m, err := ParseMatch(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, m)
		}
	}
}
