package pam

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

const head = "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser="

func TestParse(t *testing.T) {
	long := strings.Repeat("a", event.ShortestCut)
	tests := map[string]struct {
		outcome    event.Outcome
		addr, user string
		n          int
	}{
		head + "u rhost=192.0.2.1":                                             {event.Noted, "192.0.2.1", "u", 1},
		head + "u rhost=192.0.2.1  user=u":                                     {event.Noted, "192.0.2.1", "u", 1},
		head + "u rhost=2001:db8::1  user=u":                                   {event.Noted, "2001:db8::1", "u", 1},
		head + "u rhost=::ffff:192.0.2.1  user=u":                              {event.Noted, "192.0.2.1", "u", 1},
		head + "\xff\x00\r rhost=192.0.2.1":                                    {event.Noted, "192.0.2.1", "\xff\x00\r", 1},
		head + "u v rhost=192.0.2.1  user=u v":                                 {event.Noted, "192.0.2.1", "u v", 1},
		head + " rhost=192.0.2.1 user=u":                                       {event.Noted, "192.0.2.1", "u", 1},
		head + "u rhost=":                                                      {event.Noted, "", "u", 1},
		head + "u rhost=192.0.2.1.evil.example":                                {event.Noted, "", "u", 1},
		head + "u rhost=192.0.2.01":                                            {event.Noted, "", "u", 1},
		head + "u rhost=fe80::1%eth0":                                          {event.Noted, "", "u", 1},
		head + "u rhost=192.0.2":                                               {event.Noted, "", "u", 1},
		head + "rhost=203.0.113.6 rhost=192.0.2.1":                             {event.Ambiguous, "", "", 0},
		head + "x rhost=203.0.113.6 rhost=192.0.2.1  user=x rhost=203.0.113.6": {event.Ambiguous, "", "", 0},
		head + "x rhost=203.0.113.6  user=" + long:                             {event.Ambiguous, "", "", 0},
		head + long + " rhost=203.0.113.6":                                     {event.Ambiguous, "", "", 0},
		head + "x rhost=203.0.113.6  user=y":                                   {event.Ambiguous, "", "", 0},
		head + "x":                                                             {event.Missed, "", "", 0},
		"pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=u rhost=192.0.2.1 user=u":             {event.Noted, "192.0.2.1", "u", 1},
		"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=x rhost=203.0.113.6": {event.Noted, "192.0.2.1", "x rhost=203.0.113.6", 1},
		"PAM 3 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root":                         {event.Noted, "192.0.2.1", "root", 3},
		"PAM 1 more authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1":                                     {event.Noted, "192.0.2.1", "", 1},
		"PAM 1 more authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=x rhost=203.0.113.6":           {event.Ambiguous, "", "", 0},
		"pam_unix(dovecot:auth): check pass; user unknown":                                                                            {event.Benign, "", "", 0},
		"pam_unix(dovecot:session): session opened for user authentication failure; rhost=192.0.2.1":                                  {event.Benign, "", "", 0},
		"pam_sss(dovecot:auth): received for user u: 7 (Authentication failure)":                                                      {event.Benign, "", "", 0},
		"pam_unix(dovecot:account): account u has expired (account expired)":                                                          {event.Benign, "", "", 0},
	}
	for message, want := range tests {
		var e event.Event
		outcome := Parse(message, &e)
		addr := ""
		if e.Addr.IsValid() {
			addr = e.Addr.String()
		}
		if outcome != want.outcome || outcome == event.Noted && (addr != want.addr || e.User != want.user || e.Attempts != want.n) {
			t.Errorf("%.140s: got %s, %q, %q, %d", message, outcome, addr, e.User, e.Attempts)
		}
		if !IsOurs(message) {
			t.Errorf("%.80s: not taken for PAM", message)
		}
	}
	for _, message := range []string{"PAM: Authentication failure for root from 192.0.2.1", "Failed password", "", "PAM more"} {
		if IsOurs(message) {
			t.Errorf("%s: taken for PAM", message)
		}
	}
}

// FuzzRhost: whatever a client gives as its user name, the host is its own or
// none, also where the log system cut the line.
func FuzzRhost(f *testing.F) {
	for _, text := range []string{
		"u", "rhost=203.0.113.6", "x rhost=203.0.113.6", " rhost=203.0.113.6 ", "x rhost=203.0.113.6  user=x", "", " ", "x  user=x rhost=203.0.113.6",
		"x; logname= uid=0 euid=0 tty=t ruser= rhost=203.0.113.6",
	} {
		f.Add(text, 0)
		f.Add(text, event.ShortestCut)
	}
	f.Fuzz(func(t *testing.T, user string, padding int) {
		user += strings.Repeat("a", min(max(padding, 0), 2000))
		for _, message := range []string{
			head + user + " rhost=192.0.2.1",
			head + user + " rhost=192.0.2.1  user=" + user,
			head + " rhost=192.0.2.1  user=" + user,
			"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=" + user,
			"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=dovecot ruser=" + user + " rhost=192.0.2.1  user=" + user,
		} {
			for _, limit := range []int{len(message), 1024, 220, 200, event.ShortestCut + 1} { // RFC 3164 lets a line be cut there, and busybox
				var e event.Event
				outcome := Parse(message[:min(limit, len(message))], &e)
				if outcome == event.Noted && e.Addr.IsValid() && e.Addr.String() != "192.0.2.1" {
					t.Errorf("%q gives %s", message, e.Addr)
				}
			}
		}
	})
}
