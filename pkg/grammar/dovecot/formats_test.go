package dovecot

import (
	"fmt"
	"strings"
	"testing"

	"csmail/pkg/event"
)

// addresses are the forms in which Dovecot prints a client.
var addresses = map[string]string{"192.0.2.123": "192.0.2.123", "2001:db8::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1"}

// badAddresses are what no client may be taken from.
var badAddresses = []string{"192.0.2", "192.0.2.01", "fe80::1%eth0", "192.0.2.1.evil.example", "unknown", "192.0.2.1\x00", "192.0.2.1\r", "\xff", "192.0.2.1/24", "[192.0.2.1]"}

// farewells are the reasons of client-common.c, WHY of 2.2 and 2.3 and the event
// reason of 2.4.
var farewells = []struct {
	why, code string
	kind      event.Kind
	n         int
}{
	{"auth failed, 3 attempts in 12 secs", "auth_failed", event.AuthFailed, 3},
	{"auth failed, 1 attempts", "auth_failed", event.AuthFailed, 1},
	{"auth failed, 3 attempts in 12 secs, last failure: x", "auth_failed", event.AuthFailed, 3},
	{"proxy dest auth failed, 2 attempts in 12 secs", "proxy_dest_auth_failed", event.AuthFailed, 2},
	{"no auth attempts in 0 secs", "no_auth_attempts", event.NoAuth, 1},
	{"no auth attempts", "no_auth_attempts", event.NoAuth, 1},
	{"tried to use disallowed plaintext auth", "cleartext_auth_disabled", event.LoginRefused, 1},
	{"tried to use disabled plaintext auth", "cleartext_auth_disabled", event.LoginRefused, 1},
	{"tried to use disallowed cleartext auth", "cleartext_auth_disabled", event.LoginRefused, 1},
	{"tried to use unsupported auth mechanism", "invalid_mech", event.LoginRefused, 1},
	{"sent invalid base64 in response", "invalid_base64", event.LoginRefused, 1},
	{"authorization failed, 2 attempts in 3 secs", "authorization_failed", event.LoginRefused, 2},
	{"user disabled, 1 attempts in 3 secs", "user_disabled", event.LoginRefused, 1},
	{"password expired, 1 attempts in 3 secs", "password_expired", event.LoginRefused, 1},
	{"login disabled, 1 attempts in 3 secs", "login_disabled", event.LoginRefused, 1},
	{"client didn't finish SASL auth, waited 3 secs", "auth_waiting_client", event.AuthAborted, 1},
	{"aborted authentication", "auth_aborted_by_client", event.AuthAborted, 1},
	{"auth aborted by client", "auth_aborted_by_client", event.AuthAborted, 1},
	{"disconnected during TLS handshake", "tls_handshake_not_finished", event.TLSError, 1},
	{"auth service reported temporary failure", "temp_fail", event.AuthFault, 1},
	{"auth process communication failure", "auth_process_comm_fail", event.AuthFault, 1},
	{"internal failure, 1 successful auths", "internal_failure", event.AuthFault, 1},
	{"disconnected before auth was ready, waited 2 secs", "auth_process_not_ready", event.NoKind, 0},
	{"disconnected while authenticating, waited 2 secs", "auth_aborted_by_client", event.AuthAborted, 1},
	{"disconnected while authenticating, waited 10 secs", "auth_aborted_by_client", event.AuthAborted, 1},
	{"disconnected while authenticating, waited 11 secs", "shutting_down", event.NoKind, 0},
	{"disconnected while finishing login, waited 2 secs", "process_full", event.NoKind, 0},
	{"cert required, client didn't start TLS", "client_ssl_cert_missing", event.NoKind, 0},
	{"client sent an invalid cert", "client_ssl_cert_untrusted", event.NoKind, 0},
	{"client didn't send a cert", "client_ssl_not_started", event.NoKind, 0},
	{"proxy x", "proxy_dest_redirected", event.NoKind, 0},
	{"x, 1 attempts in 2 secs", "invalid_credentials", event.LoginRefused, 1},
	{"x", "anonymous_auth_disabled", event.LoginRefused, 1},
	{"x", "connection_limit", event.NoKind, 0},
	{"x", "auth_nologin_referral", event.NoKind, 0},
}

// loginForms are the wordings around WHY: 2.2-2.3.13, 2.3.16-2.3.21, 2.4.
var loginForms = []string{
	"Disconnected (%[1]s)",
	"Disconnected: Inactivity (%[1]s)",
	"Disconnected: Too many invalid commands (%[1]s)",
	"Aborted login (%[1]s)",
	"Disconnected: Connection closed (%[1]s)",
	"Disconnected: Connection closed: read(size=595) failed: Connection reset by peer (%[1]s)",
	"Disconnected: Connection closed: SSL_accept() failed: error:0A00010B:SSL routines::wrong version number (%[1]s)",
	"Disconnected: Aborted login by logging out (%[1]s)",
	"Disconnected: Disconnected: Too many bad commands (%[1]s)",
	"Client has quit the connection (%[1]s)",
	"Remote closed connection (%[1]s)",
}

var loginForms24 = []string{
	"Login aborted: Connection closed (%[1]s) (%[2]s)",
	"Login aborted: Logged out (%[1]s) (%[2]s)",
	"Login aborted: Connection closed: read(size=595) failed: Connection reset by peer (%[1]s) (%[2]s)",
}

func TestLoginFormats(t *testing.T) {
	for _, f := range farewells {
		forms := loginForms24
		if f.why[0] != 'x' && !strings.HasPrefix(f.why, "proxy x") {
			forms = append(forms[:len(forms):len(forms)], loginForms...)
		}
		for _, form := range forms {
			var said string
			if strings.Contains(form, "%[2]s") {
				said = fmt.Sprintf(form, f.why, f.code)
			} else {
				said = fmt.Sprintf(form, f.why)
			}
			for _, process := range []string{"imap-login: ", "pop3-login: Info: ", "managesieve-login: ", "submission-login: "} {
				checkLogin(t, process+said, f.kind, f.n)
			}
		}
	}
}

func checkLogin(t *testing.T, said string, kind event.Kind, n int) {
	t.Helper()
	for printed, want := range addresses {
		for _, elements := range []string{
			"user=<u>, method=PLAIN, rip=%s, lip=198.51.100.1, session=<s>",
			"user=<u>, method=PLAIN, rip=%s, lip=198.51.100.1, mpid=7, TLS, session=<s>",
			"user=<u>, method=PLAIN, rip=%s, lip=198.51.100.1, TSL, session=<s>",
			"user=<u>, rip=%s, lip=198.51.100.1, TLS handshaking: SSL_accept() failed: error:1, session=<s>",
			"user=<u>, method=PLAIN, rip=%s, lip=198.51.100.1, secured",
			"method=PLAIN, rip=%s, lip=198.51.100.1",
			"rip=%s",
		} {
			line := said + ": " + fmt.Sprintf(elements, printed)
			if elements == "rip=%s" && len(line) > event.ShortestCut {
				continue // it may be cut
			}
			kind := kind
			if kind == event.AuthFailed && strings.HasPrefix(elements, "user=<u>, rip=") {
				kind = event.LoginRefused // no login was begun
			}
			var e event.Event
			outcome, _ := Parse(line, &e)
			if kind == event.NoKind {
				if outcome != event.Benign {
					t.Errorf("%s: got %s, %s, want %s", line, outcome, e.Kind, event.Benign)
				}
				continue
			}
			program, _, _ := strings.Cut(said, ": ")
			if e.Program != "dovecot/"+program || e.Service != event.Dovecot {
				t.Errorf("%s: got %s, %s, want Program %s, Service %s", line, e.Service, e.Program, "dovecot/"+program, event.Dovecot)
			}
			if outcome != event.Noted || e.Kind != kind || e.Attempts != n || e.Addr.String() != want {
				t.Errorf("%s: got %s, %s, %d, %s, want outcome %s, Kind %s, Attempts %d, Addr %v",
					line, outcome, e.Kind, e.Attempts, e.Addr, event.Noted, kind, n, want)
			}
		}
	}
	for _, printed := range badAddresses {
		var e event.Event
		if outcome, _ := Parse(said+": user=<u>, method=PLAIN, rip="+printed+", lip=198.51.100.1", &e); outcome == event.Noted {
			t.Errorf("%q gives %s, want other than %v", printed, e.Addr, event.Noted)
		}
	}
}

// answersTold are what a password database says, and who says it.
var answersTold = []struct {
	driver, text string
	kind         event.Kind
}{
	{"pam", "pam_authenticate() failed: Authentication failure (Password mismatch?)", event.AuthFailed},
	{"pam", "pam_authenticate() failed: User not known to the underlying authentication module", event.AuthFailed},
	{"pam", "pam_authenticate() failed: User not known to the underlying authentication module: 2 Time(s)", event.AuthFailed},
	{"pam", "pam_authenticate() failed: Permission denied", event.AuthFailed},
	{"pam", "pam_authenticate() failed: Module is unknown", event.AuthFault},
	{"pam", "pam_acct_mgmt() failed: User account has expired", event.LoginRefused},
	{"pam", "pam_authenticate() failed: Have exhausted maximum number of retries for service", event.AuthFailed},
	{"pam", "pam_start() failed: Critical error - immediate abort", event.AuthFault},
	{"pam", "unknown user", event.AuthFailed},
	{"lua", "Unknown user", event.AuthFailed},
	{"plain", "Invalid username: a b", event.LoginRefused},
	{"foo", "Unsupported authentication mechanism", event.LoginRefused},
	{"sql", "User disabled", event.LoginRefused},
	{"sql", "user disabled", event.LoginRefused},
	{"sql", "Password expired", event.LoginRefused},
	{"imap", "Request timed out", event.AuthFault},
	{"plain", "Aborted", event.NoKind},
	{"policy", "Policy server HTTP error: 9000 Connection refused", event.AuthFault},
	{"sql", "Empty password returned without nopassword", event.AuthFault},
	{"cache", "Falling back to expired data from cache", event.AuthFault},
	{"sql", "username changed u -> v", event.NoKind},
	{"sql", "unknown user", event.AuthFailed},
	{"sql", "unknown user (given password: x)", event.AuthFailed},
	{"sql", "unknown user (SHA1 of given password: 0123ab)", event.AuthFailed},
	{"sql", "Password mismatch", event.AuthFailed},
	{"sql", "password mismatch", event.AuthFailed},
	{"sql", "Password mismatch (given password: x)", event.AuthFailed},
	{"sql", "unknown user - trying the next passdb", event.NoKind},
	{"sql", "Password mismatch - trying the next passdb", event.NoKind},
	{"ldap", "Password mismatch (for LDAP bind)", event.AuthFailed},
	{"ldap", "invalid credentials", event.AuthFailed},
	{"ldap", "invalid credentials (given password: x)", event.AuthFailed},
	{"ldap", "ldap_bind() failed: Server is down", event.AuthFault},
	{"passwd-file", "unknown user", event.AuthFailed},
	{"passwd-file", "Password mismatch", event.AuthFailed},
	{"passwd", "unknown user", event.AuthFailed},
	{"shadow", "Password mismatch", event.AuthFailed},
	{"static", "Password mismatch", event.AuthFailed},
	{"lua", "unknown user", event.AuthFailed},
	{"lua", "Password mismatch", event.AuthFailed},
	{"imap", "unknown user", event.AuthFailed},
	{"oauth2", "oauth2 failed: Introspection failed: token invalid", event.LoginRefused},
	{"checkpassword", "Login failed (status=1)", event.AuthFailed},
	{"my_passdb", "unknown user", event.AuthFailed},
	{"plain", "Login attempt with empty password", event.AuthFailed},
	{"plain", "Attempted login with password having illegal chars", event.AuthFailed},
	{"plain", "invalid input", event.LoginRefused},
	{"plain", "Request timed out waiting for client to continue authentication (150 secs)", event.AuthAborted},
	{"passwd-file", "User found from deny passdb", event.LoginRefused},
	{"plain", "All password databases were skipped", event.AuthFault},
	{"sql", "nopassword set but password is non-empty", event.AuthFault},
	{"sql", "Password data is not valid for scheme SSHA: Input isn't valid base64", event.AuthFault},
	{"sql", "Unknown scheme X", event.AuthFault},
	{"plain", "Request 12.3 timed out after 150 secs, state=3", event.AuthFault},
	{"oauthbearer", "Username or token missing", event.LoginRefused},
	{"oauthbearer", "Missing username or token", event.LoginRefused},
	{"oauth2", "oauth2 failed: Username 'b' did not match 'a'", event.LoginRefused},
	{"oauth2", "Username 'b' did not match 'a'", event.LoginRefused},
	{"plain", "SSL certificate didn't contain username", event.NoKind},
	{"plain", "Client didn't present valid SSL certificate", event.NoKind},
	{"plain", "Master user login attempted without master passdbs", event.LoginRefused},
	{"plain", "Attempted master login with no master passdbs (trying to log in as user: b)", event.LoginRefused},
	{"plain", "Master user lookup for login: b", event.NoKind},
	{"policy", "Authentication failure due to policy server refusal", event.LoginRefused},
	{"policy", "Authentication failure due to policy server refusal: no", event.LoginRefused},
	{"policy", "Authentication failure due to policy server refusal: CrowdSec decision", event.OwnRefusal},
	{"policy", "Policy check action is continue", event.NoKind},
	{"passwd-file", "allow_nets check failed: IP 192.0.2.123 not in allowed networks", event.LoginRefused},
	{"passwd-file", "allow_real_nets check failed: IP 192.0.2.123 not in allowed networks", event.LoginRefused},
	{"passwd-file", "allow_nets check failed: Remote IP not known and 'local' missing", event.LoginRefused},
	{"sql", "local_name check failed: x does not match client certificate", event.LoginRefused},
	{"sql", "allow_nets: Invalid network '192.0.2.0/33'", event.NoKind},
	{"sql", "No password returned (and no nopassword)", event.AuthFailed},
	{"sql", "Cached NULL password access", event.AuthFailed},
	{"sql", "Requested SCRAM-SHA-1 scheme, but we have a NULL password", event.AuthFailed},
	{"sql", "Requested CRAM-MD5 scheme, but we have only SHA512-CRYPT", event.AuthFailed},
	{"passwd-file", "Requested DIGEST-MD5 scheme, but we have only PLAIN-MD5 (input: x)", event.AuthFailed},
	{"ldap", "Requested SCRAM-SHA-256 scheme, but we have only SSHA", event.AuthFailed},
	{"checkpassword", "User unknown", event.AuthFailed},
	{"checkpassword", "Username+password combination too long (600 bytes)", event.LoginRefused},
	{"shadow", "invalid password field '*'", event.AuthFailed},
	{"passwd-file", "missing passwd file: /etc/x", event.AuthFailed},
	{"winbind", "user not authenticated: NT_STATUS_WRONG_PASSWORD", event.AuthFailed},
	{"winbind", "ntlm_auth reports broken helper: x", event.AuthFault},
	{"external", "Username not known", event.LoginRefused},
	{"external", "login user: u", event.NoKind},
	{"anonymous", "login", event.NoKind},
	{"anonymous", "anonymous login", event.NoKind},
	{"apop", "invalid challenge", event.LoginRefused},
	{"apop", "malformed data", event.LoginRefused},
	{"cram-md5", "NULs in response", event.LoginRefused},
	{"cram-md5", "invalid hex in digest", event.LoginRefused},
	{"cram-md5", "missing digest", event.LoginRefused},
	{"gssapi", "While processing incoming data: x", event.LoginRefused},
	{"gssapi", "User not authorized to log in as x", event.LoginRefused},
	{"gssapi", "authn_name: x", event.NoKind},
	{"oauthbearer", "Invalid gs2-header in request: x", event.LoginRefused},
	{"oauthbearer", "Missing token", event.LoginRefused},
	{"oauthbearer", "Client requested and used channel-binding", event.LoginRefused},
	{"policy", "Policy check action 'x' ignored", event.NoKind},
	{"lua", "db-lua: x", event.NoKind},
}

// authForms are the prefixes of 1.x, 2.0-2.2, 2.3 and 2.4: driver, user and
// address, text.
var authForms = []string{
	"auth: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth: Info: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth: %[1]s(u,%[2]s): %[3]s",
	"auth: %[1]s(u,%[2]s,master): %[3]s",
	"auth: %[1]s(u,%[2]s,master,<s+/>): %[3]s",
	"auth(default): %[1]s(u,%[2]s): %[3]s",
	"auth-worker: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth-worker(7): %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth-worker(7): Info: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth-worker(7): Info: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth-worker(7): conn unix:auth-worker (uid=143): auth-worker<13247>: %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth-worker(7): conn unix:auth-worker (pid=8,uid=9): %[1]s(u,%[2]s,<s+/>): %[3]s",
	"auth(u,%[2]s)<s+/>: %[1]s: %[3]s",
	"auth(u,%[2]s,sasl:plain)<s+/>: %[1]s: %[3]s",
	"auth(u,%[2]s,sasl:plain,master)<s+/>: %[1]s: %[3]s",
	"auth(u,%[2]s,sasl:plain)<s+/>: Info: %[1]s: %[3]s",
	"auth(u,%[2]s,sasl:plain): %[1]s: %[3]s",
	"auth-worker(u,%[2]s,sasl:login)<77><s+/>: request [1]: %[1]s: %[3]s",
	"auth-worker(u,%[2]s,sasl:login)<77><s+/>: Info: request [1]: %[1]s: %[3]s",
}

func TestAuthFormats(t *testing.T) {
	for _, a := range answersTold {
		for _, form := range authForms {
			for printed, want := range addresses {
				line := fmt.Sprintf(form, a.driver, printed, a.text)
				var e event.Event
				outcome, _ := Parse(line, &e)
				if a.kind == event.NoKind {
					if outcome != event.Benign {
						t.Errorf("%s: got %s, %s, want %s", line, outcome, e.Kind, event.Benign)
					}
					continue
				}
				if outcome != event.Noted || e.Kind != a.kind || e.Addr.String() != want || e.User != "u" || e.Program != "dovecot/auth" {
					t.Errorf("%s: got %s, %s, %s, %q, want outcome %s, Kind %s, Addr %v, User \"u\", Program dovecot/auth",
						line, outcome, e.Kind, e.Addr, e.User, event.Noted, a.kind, want)
				}
				if strings.Contains(line, "sasl:") && e.Mechanism != "plain" && e.Mechanism != "login" {
					t.Errorf("%s: mechanism %q", line, e.Mechanism)
				}
				if strings.Contains(line, "<s+/>") && e.Session != "s+/" {
					t.Errorf("%s: session %q", line, e.Session)
				}
			}
			for _, printed := range badAddresses {
				line := fmt.Sprintf(form, a.driver, printed, a.text)
				var e event.Event
				if outcome, _ := Parse(line, &e); outcome == event.Noted && e.Addr.IsValid() {
					t.Errorf("%q gives %s", line, e.Addr)
				}
			}
		}
	}
}

// The same under the tag of the process itself.
func TestOwnTag(t *testing.T) {
	for _, message := range []string{
		"pam(u,192.0.2.1,<s>): pam_authenticate() failed: Authentication failure (Password mismatch?)",
		"conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(u,192.0.2.1,<s>): unknown user",
		"pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=u rhost=192.0.2.1",
	} {
		var e event.Event
		if outcome := ParseAuth(message, &e); outcome != event.Noted || e.Kind != event.AuthFailed || e.Addr.String() != "192.0.2.1" || e.User != "u" {
			t.Errorf("%s: got %s, %s, %s, want outcome %s, Kind %s, Addr 192.0.2.1, User u",
				message, outcome, e.Kind, e.Addr, event.Noted, event.AuthFailed)
		}
	}
	for message, want := range map[string]event.Outcome{
		"": event.Missed, "x": event.Missed, "Warning: x": event.Benign, "Debug: sql(u,192.0.2.1,<s>): unknown user": event.Benign,
		"conn unix:auth-worker (": event.Missed, "pam_unix(dovecot:session): x": event.Benign,
	} {
		var e event.Event
		if outcome := ParseAuth(message, &e); outcome != want {
			t.Errorf("%q: got %s, %s, want %s", message, outcome, e.Kind, want)
		}
	}
}

// A line that ends anywhere gives the whole address or none. Where the address
// is the last of a line, as in a format of the admin's own, nobody can tell.
func TestCutLines(t *testing.T) {
	var lines []string
	for _, form := range authForms {
		lines = append(lines, fmt.Sprintf(form, "sql", "192.0.2.123", "unknown user"))
	}
	for _, form := range loginForms {
		lines = append(lines, "imap-login: "+fmt.Sprintf(form, "auth failed, 3 attempts in 12 secs")+": user=<u>, method=PLAIN, rip=192.0.2.123, lip=198.51.100.1, session=<s>")
	}
	for _, line := range lines {
		last := strings.Index(line, "192.0.2.123") + len("192.0.2.123")
		for end := range len(line) {
			if end > last-3 && end < last {
				continue
			}
			var e event.Event
			if outcome, _ := Parse(line[:end], &e); outcome == event.Noted && e.Addr.IsValid() && e.Addr.String() != "192.0.2.123" {
				t.Errorf("%q gives %s", line[:end], e.Addr)
			}
		}
	}
}

func TestDirtyBytes(t *testing.T) {
	for _, user := range []string{"\xff\xfe", "a\x00b", "a\rb", "é", strings.Repeat("a", 3000)} {
		for _, line := range []string{
			"imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<" + user + ">, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
			"auth: sql(" + user + ",192.0.2.1,<s>): unknown user",
			"auth(" + user + ",192.0.2.1,sasl:plain)<s>: sql: unknown user",
		} {
			if len(user) > longestName && strings.HasPrefix(line, "auth") {
				continue // Dovecot cuts it
			}
			var e event.Event
			if outcome, _ := Parse(line, &e); outcome != event.Noted || e.Addr.String() != "192.0.2.1" || e.User != user {
				t.Errorf("%.80q: got %s, %s, want outcome %s, Addr 192.0.2.1, User %v", line, outcome, e.Addr, event.Noted, user)
			}
		}
	}
}
