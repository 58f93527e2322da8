package dovecot

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// A password file that is not there is an unknown user if its name holds the
// user's, and an outage if it does not.
func TestMissingFile(t *testing.T) {
	const gone = " failed: No such file or directory"
	long := strings.Repeat("example.", 12) + "net"
	tests := map[string]struct {
		outcome    event.Outcome
		kind       event.Kind
		addr, user string
	}{
		"auth: Error: passwd-file(info,192.0.2.1,<s>): stat(/etc/dovecot/users//passwd)" + gone:                                             {event.Noted, event.AuthFailed, "192.0.2.1", "info"},
		"auth: Error: passwd-file(info@example.net,192.0.2.1,<s>): stat(/etc/dovecot/users/example.net/passwd)" + gone:                      {event.Noted, event.AuthFailed, "192.0.2.1", "info@example.net"},
		"auth: Error: passwd-file(Info@Example.NET,192.0.2.1): stat(/etc/mail/passwd.example.net)" + gone:                                   {event.Noted, event.AuthFailed, "192.0.2.1", "Info@Example.NET"},
		"auth: Error: passwd-file(bob,192.0.2.1,<s>): open(/home/bob/.passwd)" + gone:                                                       {event.Noted, event.AuthFailed, "192.0.2.1", "bob"},
		"auth: Error: passwd-file(bob@x.example,192.0.2.1,<s>): stat(/etc/users/x.example/passwd) failed: Not a directory":                  {event.Noted, event.AuthFailed, "192.0.2.1", "bob@x.example"},
		"auth: Error: passwd-file(bob@x.example,192.0.2.1,<s>): stat(/etc/users/x.example/passwd) failed: File name too long":               {event.Noted, event.AuthFailed, "192.0.2.1", "bob@x.example"},
		"auth-worker(7): Error: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: passwd-file(bob,2001:db8::1,<s>): stat(/u/bob)" + gone: {event.Noted, event.AuthFailed, "2001:db8::1", "bob"},
		"auth: Error: passwd-file(info@example.net): stat(/etc/users/example.net)" + gone:                                                   {event.Noted, event.AuthFailed, "invalid IP", "info@example.net"},
		"auth: Error: passwd-file(a@" + long[:62] + ",192.0.2.1): stat(/etc/users/" + long + "/passwd)" + gone:                              {event.Noted, event.AuthFailed, "192.0.2.1", "a@" + long[:62]},
		// nobody can log in
		"auth: Error: passwd-file(info@example.net,192.0.2.1,<s>): stat(/etc/dovecot/users)" + gone:                            {event.Noted, event.AuthFault, "192.0.2.1", "info@example.net"},
		"auth: Error: passwd-file(user@example.net,192.0.2.1,<s>): stat(/etc/dovecot/users)" + gone:                            {event.Noted, event.AuthFault, "192.0.2.1", "user@example.net"},
		"auth: Error: passwd-file(info@example.net,192.0.2.1,<s>): stat(/etc/dovecot/example.net) failed: Permission denied":   {event.Noted, event.AuthFault, "192.0.2.1", "info@example.net"},
		"auth: Error: passwd-file(info@example.net,192.0.2.1,<s>): stat(/etc/dovecot/example.net) failed: Stale file handle":   {event.Noted, event.AuthFault, "192.0.2.1", "info@example.net"},
		"auth: Error: passwd-file(info@example.net,192.0.2.1,<s>): stat(/etc/dovecot/example.net) failed: Too many open files": {event.Noted, event.AuthFault, "192.0.2.1", "info@example.net"},
		"auth: Error: sql(info@example.net,192.0.2.1,<s>): connect(/run/example.net)" + gone:                                   {event.Noted, event.AuthFault, "192.0.2.1", "info@example.net"},
		"auth: Error: sql(info@example.net,192.0.2.1,<s>): stat(/run/example.net)" + gone:                                      {event.Noted, event.AuthFault, "192.0.2.1", "info@example.net"},
		"auth: Error: stat(/etc/dovecot/users)" + gone:                                                                         {event.Noted, event.AuthFault, "invalid IP", ""},
		"auth: Error: passwd-file /etc/dovecot/users: open(/etc/dovecot/users)" + gone:                                         {event.Noted, event.AuthFault, "invalid IP", ""},
		// the user's name imitates a request
		"auth: Error: passwd-file(a,203.0.113.6): stat(//x)" + gone + ",192.0.2.1,<s>): stat(/etc/users//passwd)" + gone: {event.Ambiguous, event.NoKind, "", ""},
		"auth: Error: passwd-file(a@b,203.0.113.6,192.0.2.1,<s>): stat(/etc/users//passwd)" + gone:                       {event.Ambiguous, event.NoKind, "", ""},
	}
	for message, want := range tests {
		var e event.Event
		outcome, _ := Parse(message, &e)
		if outcome != want.outcome || outcome == event.Noted && (e.Kind != want.kind || e.Addr.String() != want.addr || e.User != want.user || e.Attempts != 1) {
			t.Errorf("%s: got %s, %s, %s, user %q, want %+v", message, outcome, e.Kind, e.Addr, e.User, want)
		}
	}
}

// What a client brings about, or a setting, is no fault of the login service.
func TestProvokedTrouble(t *testing.T) {
	for message, want := range map[string]event.Outcome{
		"auth: Error: auth client 0 disconnected with 1 pending requests: EOF":                                                   event.Benign,
		"auth: Error: auth client 12 disconnected with 30 pending requests: Connection reset by peer":                            event.Benign,
		"auth: Warning: auth client 0 disconnected with 1 pending requests: EOF":                                                 event.Benign,
		"auth: Error: conn unix:auth-client (pid=8,uid=101): auth client 8 disconnected with 1 pending requests: EOF":            event.Benign,
		"Error: auth(default): auth client 0 disconnected with 1 pending requests: EOF":                                          event.Benign,
		"auth: Error: net_connect_unix(anvil-auth-penalty) failed: Permission denied":                                            event.Benign,
		"auth: Error: net_connect_unix(/run/dovecot/anvil-auth-penalty) failed: No such file or directory":                       event.Benign,
		"auth: Error: net_connect_unix(anvil-auth-penalty) failed: Connection refused":                                           event.Benign,
		"auth: Error: net_connect_unix(auth-worker) failed: Permission denied":                                                   event.Noted,
		"auth: Error: net_connect_unix(anvil) failed: Permission denied":                                                         event.Noted,
		"auth: Error: auth client 0 disconnected":                                                                                event.Noted,
		"auth: Error: passwd-file(auth client 0 disconnected with 1 pending requests: EOF,192.0.2.1,<s>): fstat() failed: Fault": event.Noted,
	} {
		var e event.Event
		if outcome, _ := Parse(message, &e); outcome != want || outcome == event.Noted && e.Kind != event.AuthFault {
			t.Errorf("%s: got %s, %s, want %s", message, outcome, e.Kind, want)
		}
	}
}
