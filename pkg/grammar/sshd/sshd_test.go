package sshd

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

const peerText = "192.0.2.1 port 4711"

// noise is a user name that imitates the end of a line. It holds no colon, as
// sshd makes sure.
const noise = "x from 203.0.113.6 port 5 ssh2"

func TestEvents(t *testing.T) {
	tests := []struct {
		text string
		kind event.Kind
		user string
	}{
		{"Invalid user admin from " + peerText, event.AuthFailed, "admin"},
		{"Invalid user admin from 192.0.2.1", event.AuthFailed, "admin"},
		{"Invalid user  from " + peerText, event.AuthFailed, ""},
		{"Invalid user from " + peerText, event.AuthFailed, ""},
		{"Invalid user " + noise + " from " + peerText, event.AuthFailed, noise},
		{"Illegal user admin from 192.0.2.1", event.AuthFailed, "admin"},
		{"Failed password for root from " + peerText + " ssh2", event.AuthFailed, "root"},
		{"Failed password for invalid user admin from " + peerText + " ssh2", event.AuthFailed, "admin"},
		{"Failed password for illegal user admin from " + peerText + " ssh2", event.AuthFailed, "admin"},
		{"Failed password for invalid user " + noise + " from " + peerText + " ssh2", event.AuthFailed, noise},
		{"Failed keyboard-interactive/pam for root from " + peerText + " ssh2", event.AuthFailed, "root"},
		{"Failed publickey for invalid user a from " + peerText + " ssh2: ED25519 SHA256:abc", event.AuthFailed, "a"},
		{"error: maximum authentication attempts exceeded for root from " + peerText + " ssh2 [preauth]", event.ErrorLimit, "root"},
		{"error: maximum authentication attempts exceeded for invalid user " + noise + " from " + peerText + " ssh2 [preauth]", event.TooManyErrors, noise},
		{"Disconnecting authenticating user root " + peerText + ": Too many authentication failures [preauth]", event.ErrorLimit, "root"},
		{"Disconnecting invalid user a " + peerText + ": Change of username or service not allowed: (a,ssh-connection) -> (203.0.113.6 port 5: b,ssh-connection) [preauth]", event.AuthFailed, "a"},
		{"Disconnecting invalid user a " + peerText + ": Too many authentication failures [preauth]", event.TooManyErrors, "a"},
		{"Disconnecting " + peerText + ": Too many authentication failures [preauth]", event.ErrorLimit, ""},
		{"Connection closed by invalid user a " + peerText + " [preauth]", event.AuthAborted, "a"},
		{"Connection closed by invalid user  " + peerText + " [preauth]", event.AuthAborted, ""},
		{"Connection closed by authenticating user " + noise + " " + peerText + " [preauth]", event.AuthAborted, noise},
		{"Connection closed by invalid user " + peerText + " [preauth]", event.AuthAborted, ""},
		{"Connection closed by invalid user a 192.0.2.1 [preauth]", event.AuthAborted, "a"},
		{"Disconnecting invalid user a " + peerText + ": Protocol error [preauth]", event.AuthAborted, "a"},
		{"Connection closed by user a 192.0.2.1 [preauth]", event.AuthAborted, "a"},
		{"Disconnecting authenticating user root 192.0.2.1 port 59999: Too many authentication failures [preauth]", event.ErrorLimit, "root"},
		{"error: Received disconnect from " + peerText + ":3: com.example.ssh: Algorithm negotiation fail [preauth]", event.NoAuth, ""},
		{"Connection reset by " + peerText + " [preauth]", event.NoAuth, ""},
		{"Connection closed by 192.0.2.1 [preauth]", event.NoAuth, ""},
		{"Disconnected from authenticating user root " + peerText + " [preauth]", event.AuthAborted, "root"},
		{"Connection from authenticating user root " + peerText + " timed out [preauth]", event.AuthAborted, "root"},
		{"User a from 192.0.2.1 not allowed because not listed in AllowUsers", event.AccessDenied, "a"},
		{"User " + noise + " not allowed because not listed in AllowUsers from 192.0.2.1 not allowed because listed in DenyUsers", event.AccessDenied, noise + " not allowed because not listed in AllowUsers"},
		{"User a from 192.0.2.1 not allowed because none of user's groups are listed in AllowGroups", event.AccessDenied, "a"},
		{"User a from 192.0.2.1 not allowed because a group is listed in DenyGroups", event.AccessDenied, "a"},
		{"User a from 192.0.2.1 not allowed because not in any group", event.AccessDenied, "a"},
		{"Unable to negotiate with " + peerText + ": no matching host key type found. Their offer: from 203.0.113.6 port 5: ssh-dss [preauth]", event.SSHError, ""},
		{"fatal: Unable to negotiate with 192.0.2.1: no matching cipher found. Their offer: aes128-cbc [preauth]", event.SSHError, ""},
		{"banner exchange: Connection from " + peerText + ": invalid format", event.NonSSH, ""},
		{"error: banner exchange: Connection from " + peerText + ": could not read protocol version", event.SSHError, ""},
		{"Bad protocol version identification 'GET / from 203.0.113.6 port 5' from " + peerText, event.NonSSH, ""},
		{"Bad protocol version identification '\\003' from 192.0.2.1", event.NonSSH, ""},
		{"Did not receive identification string from " + peerText, event.NoAuth, ""},
		{"Did not receive identification string from 192.0.2.1", event.NoAuth, ""},
		{"ssh_dispatch_run_fatal: Connection from " + peerText + ": message authentication code incorrect [preauth]", event.SSHError, ""},
		{"fatal: ssh_dispatch_run_fatal: Connection from authenticating user root " + peerText + ": Broken pipe [preauth]", event.SSHError, "root"},
		{"Protocol major versions differ for " + peerText + ": SSH-2.0-OpenSSH vs. SSH-1.5-x", event.SSHError, ""},
		{"fatal: Timeout before authentication for " + peerText, event.NoAuth, ""},
		{"Timeout before authentication for 192.0.2.1", event.NoAuth, ""},
		{"Timeout before authentication for connection from 192.0.2.1, pid = 815", event.NoAuth, ""},
		{"Timeout before authentication for connection from 192.0.2.1 to 198.51.100.1, pid = 815 (early)", event.NoAuth, ""},
		{"scanned from " + peerText + " with SSH-1.0-x from 203.0.113.6 port 5.  Don't panic.", event.SSHError, ""},
		{"probed from " + peerText + " with SSH-1.0-x.  Don't panic. [preauth]", event.SSHError, ""},
		{"fatal: Username too long from " + peerText + " [preauth]", event.LoginRefused, ""},
		{"Timeout before authentication for connection from 192.0.2.1 to 198.51.100.1, pid = 815", event.NoAuth, ""},
		{"drop connection #7 from [192.0.2.1]:4711 on [198.51.100.1]:22 penalty: failed authentication", event.Penalised, ""},
		{"drop connection #0 from [192.0.2.1]:4711 on [198.51.100.1]:22 penalty: connections without attempting authentication", event.Penalised, ""},
		{"drop connection #0 from [192.0.2.1]:4711 on [198.51.100.1]:22 PerSourcePenalties", event.Penalised, ""},
		{"srclimit_penalise: ipv4: new 192.0.2.1/32 active penalty of 5.000 seconds for penalty: failed authentication", event.Penalised, ""},
		{"srclimit_penalise: ipv4: new 192.0.2.1/32 active penalty of 5 seconds for penalty: failed authentication", event.Penalised, ""},
		{"192.0.2.1/32: activating ipv4 penalty of 15 seconds for penalty: failed authentication", event.Penalised, ""},
		{"Received disconnect from " + peerText + ":11: Bye Bye [preauth]", event.NoAuth, ""},
		{"Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]", event.NoAuth, ""},
		{"error: Received disconnect from " + peerText + ":3: com.example.ssh: Auth fail [preauth]", event.AuthFailed, ""},
		{"Received disconnect from " + peerText + ":11: Auth fail [preauth]", event.NoAuth, ""},
		{"Received disconnect from " + peerText + ":3: com.example.ssh: Auth fail", event.AuthFailed, ""},
		{"Failed challenge-response for root from " + peerText + " ssh2", event.AuthFailed, "root"},
		{"Failed password for root from " + peerText + " ssh1", event.AuthFailed, "root"},
		{"Received disconnect from " + peerText + ":11: from 203.0.113.6 port 5:11: x [preauth]", event.NoAuth, ""},
		{"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root", event.AuthFailed, "root"},
		{"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root", event.AuthFailed, "root"},
		{"error: PAM: Authentication failure for root from 192.0.2.1", event.AuthFailed, "root"},
		{"error: PAM: User not known to the underlying authentication module for illegal user " + noise + " from 192.0.2.1 via 198.51.100.1", event.AuthFailed, noise},
		{"ROOT LOGIN REFUSED FROM " + peerText + " [preauth]", event.LoginRefused, "root"},
		{"Accepted password for u from " + peerText + " ssh2", event.LoginOK, "u"},
		{"Accepted publickey for u from " + peerText + " ssh2: RSA SHA256:abc", event.LoginOK, "u"},
	}
	forms := map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1"}
	for _, tt := range tests {
		for form, want := range forms {
			text := strings.ReplaceAll(tt.text, "192.0.2.1", form)
			if strings.Contains(form, ":") {
				text = strings.ReplaceAll(text, form+"/32", form+"/128")
			}
			attempts := 1
			if strings.HasPrefix(text, "PAM 2 more") {
				attempts = 2
			}
			var e event.Event
			outcome := Parse("sshd-session", text, &e)
			if outcome != event.Noted || e.Kind != tt.kind || e.User != tt.user || e.Attempts != attempts || e.Service != event.SSHD || e.Program != "sshd-session" {
				t.Errorf("%s: got %s, %s, user %q, %d attempts", text, outcome, e.Kind, e.User, e.Attempts)
			}
			if e.Addr.String() != want {
				t.Errorf("%s: got %s", text, e.Addr)
			}
		}
	}
}

// Lines that name no address of their own, or a name in its place.
func TestNoAddress(t *testing.T) {
	tests := map[string]event.Kind{
		"Disconnecting: Too many authentication failures for root [preauth]":                                                                                        event.ErrorLimit,
		"Disconnecting: Change of username or service not allowed: (a,ssh-connection) -> (b from 203.0.113.6,x)":                                                    event.AuthFailed,
		"User a from host.example not allowed because not listed in AllowUsers":                                                                                     event.AccessDenied,
		"User a from 192.0.2.1.evil.example not allowed because not listed in AllowUsers":                                                                           event.AccessDenied,
		"User a from 203.0.113.6 not allowed because account is locked":                                                                                             event.LoginRefused,
		"User a not allowed because shell /bin/none does not exist":                                                                                                 event.LoginRefused,
		"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.6.dyn.example  user=x":                                   event.AuthFailed,
		"fatal: Access denied for user a by PAM account configuration [preauth]":                                                                                    event.LoginRefused,
		"Access denied for user " + noise + " by PAM account configuration":                                                                                         event.LoginRefused,
		"Access denied for user a by PAM":                                                                                                                           missedKind,
		"error: public key ED25519-SK SHA256:abc signature for a from 192.0.2.1 port 5 rejected: user presence (authenticator touch) requirement not met [preauth]": event.NoKind,
		"error: public key ED25519-SK SHA256:abc signature for invalid user " + noise + " from 192.0.2.1 port 5 rejected: user verification requirement not met":    event.NoKind,
		"terminating inactive connection from user u 192.0.2.1 port 5":                                                                                              event.NoKind,
		"bad service request x from 203.0.113.6 port 5":                                                                                                             event.NoKind,
		"drop connections #7 logging rate-limited":                                                                                                                  event.NoKind,
		"drop connection #7 logging rate-limited: additional 5 connections dropped":                                                                                 event.NoKind,
		"drop connection logging rate-limited: additional 5 connections dropped":                                                                                    event.NoKind,
		"drop connection #7 from [192.0.2.1x]:4711 on [198.51.100.1]:22 penalty: failed authentication":                                                             missedKind,
		"drop connection": event.NoKind,

		"Maxstartups logging rate-limited: additional 5 connections dropped":                                             event.NoKind,
		"drop connection #7 of 192.0.2.1":                                                                                missedKind,
		"error: Hm, kex protocol error: type 30 seq 1 [preauth]":                                                         event.NoKind,
		"error: Authentication key RSA SHA256:abc revoked by file /etc/ssh/revoked":                                      event.NoKind,
		"error: WARNING: revoked key RSA SHA256:abc from 203.0.113.6 port 5":                                             event.NoKind,
		"error: WARNING: authentication attempt with a revoked RSA key SHA256:abc":                                       event.NoKind,
		"error: Could not get shadow information for NOUSER":                                                             event.NoKind,
		"fatal: message authentication code incorrect [preauth]":                                                         event.NoKind,
		"error: PAM: Authentication failure for root from host.example":                                                  event.AuthFailed,
		"Failed password for root from UNKNOWN port 65535 ssh2":                                                          event.AuthFailed,
		"Connection closed by UNKNOWN port 65535 [preauth]":                                                              event.NoAuth,
		"srclimit_penalise: ipv6: new 2001:db8::/64 active penalty of 5.000 seconds for penalty: failed authentication":  event.NoKind,
		"srclimit_penalise: ipv4: new 192.0.2.1/32 deferred penalty of 5.000 seconds for penalty: failed authentication": event.NoKind,
		"drop connection #10 from [192.0.2.1]:4711 on [198.51.100.1]:22 past MaxStartups":                                event.NoKind,
		"drop connection #10 from [192.0.2.1]:4711 on [198.51.100.1]:22 past Maxstartups":                                event.NoKind,
		"drop connection #10 from [192.0.2.1]:4711 on [198.51.100.1]:22 Maxstartups":                                     event.NoKind,
		"Failed none for root from " + peerText + " ssh2":                                                                event.NoKind,
		"Failed none for invalid user a from " + peerText + " ssh2":                                                      event.NoKind,
		"Failed publickey for root from " + peerText + " ssh2: RSA SHA256:abc":                                           event.NoKind,
		"Connection closed by " + peerText:                                                                               event.NoKind,
		"Disconnected from user u " + peerText:                                                                           event.NoKind,
		"Connection reset by " + peerText:                                                                                event.NoKind,
		"Received disconnect from " + peerText + ":11: disconnected by user":                                             event.NoKind,
		"Received disconnect from 192.0.2.1: 11: disconnected by user":                                                   event.NoKind,

		"User child is on pid 7": event.NoKind,

		"input_userauth_request: invalid user a from 203.0.113.6 [preauth]":                                                   event.NoKind,
		"reverse mapping checking getaddrinfo for a.example [192.0.2.1] failed - POSSIBLE BREAK-IN ATTEMPT!":                  event.NoKind,
		"Address 192.0.2.1 maps to a.example, but this does not map back to the address.":                                     event.NoKind,
		"Nasty PTR record \"203.0.113.6\" is set up for 192.0.2.1, ignoring":                                                  event.NoKind,
		"refused connect from a.example (192.0.2.1)":                                                                          event.NoKind,
		"kex_exchange_identification: client sent invalid protocol identifier \"x from 203.0.113.6 port 5\"":                  event.NoKind,
		"kex_exchange_identification: Connection closed by remote host":                                                       event.NoKind,
		"pam_unix(sshd:session): session opened for user u(uid=1000) by (uid=0)":                                              event.NoKind,
		"pam_unix(sshd:auth): check pass; user unknown":                                                                       event.NoKind,
		"PAM service(sshd) ignoring max retries; 6 > 3":                                                                       event.NoKind,
		"fatal: ssh_packet_write_poll: Connection from authenticating user a " + peerText + ": Broken pipe [preauth]":         event.NoKind,
		"kex_protocol_x: x Connection from 203.0.113.6 port 5: y [preauth]":                                                   event.NoKind,
		"error: session process 815 for connection from 192.0.2.1 to 198.51.100.1 terminated abnormally, status=0x8b (early)": event.NoKind,
		"error: connect_to 192.0.2.1 port 80: failed.":                                                                        event.NoKind,
		"error: connect to 192.0.2.1 port 80 failed: Connection refused":                                                      event.NoKind,
		"Authentication refused for u: bad owner or modes for /home/u/.ssh/authorized_keys":                                   event.NoKind,
		"Remote version \"x from 203.0.113.6 port 5\" uses unsafe RSA signature scheme; disabling use of RSA keys":            event.NoKind,

		"GSSAPI MIC check failed":             event.NoKind,
		"Finished discarding for " + peerText: event.NoKind,
		"error: Bad remote protocol version identification: 'x from 203.0.113.6 port 5'": event.NoKind,
		"error: Protocol major versions differ: 2 vs. 1":                                 event.NoKind,

		"/home/u/.ssh/authorized_keys:1: Authentication tried for u with correct key but not from a permitted host (host=a.example, ip=192.0.2.1, required=x).": event.NoKind,

		"auth_activate_options: x from 203.0.113.6 port 5":                                                                 event.NoKind,
		"process_output: ssh_packet_write_poll: Connection from user u " + peerText + ": Broken pipe":                      event.NoKind,
		"error: AuthorizedKeysCommandUser \"x\" not found: Success":                                                        event.NoKind,
		"fatal: Password expired (unable to change with privsep)":                                                          event.NoKind,
		"error: something new from 203.0.113.6":                                                                            missedKind,
		"error: something new by 203.0.113.6 port 5":                                                                       missedKind,
		"Accepted certificate ID \"x for u from 203.0.113.6 port 5 ssh2\" (serial 0) signed by RSA CA SHA256:x via /etc/x": event.NoKind,
		"Refusing certificate ID \"x from 203.0.113.6 port 5\" serial=0 signed by RSA CA SHA256:x: expired":                event.NoKind,
		"refused local port forward: originator 192.0.2.1 port 5, target 198.51.100.1 port 25":                             event.NoKind,
		"Authentication methods list \"x\" contains disabled method, skipping":                                             event.NoKind,
		"Root login accepted for forced command.":                                                                          event.NoKind,
		"drop connection rate-limited":                                                                                     event.NoKind,
		"Failed password for root from 192.0.2.01 port 5 ssh2":                                                             missedKind,
		"Failed password for root from fe80::1%eth0 port 5 ssh2":                                                           missedKind,
		"Failed password for root from 192.0.2":                                                                            missedKind,
		"Failed password for root from 192.0.2 port 5 ssh2":                                                                missedKind,
		"Failed password for root from 192.0.2.1 port  ssh2":                                                               missedKind,
		"Failed password for root from 192.0.2.1 port 12345678901 ssh2":                                                    missedKind,
		"Failed password for root from 192.0.2.1 port 5x ssh2":                                                             missedKind,
		"Failed password for root":                                                                                         missedKind,
		"Invalid user a from 192.0.2":                                                                                      missedKind,
		"Connection closed by invalid user a 192.0.2 port 5 [preauth]":                                                     missedKind,
		"Received disconnect from x: 11: y [preauth]":                                                                      missedKind,
		"Timeout before authentication for 192.0.2.1x port":                                                                missedKind,

		"Invalid user a":                                                           missedKind,
		"Invalid user a from 192.0.2.1 4711":                                       missedKind,
		"Invalid user a from 192.0.2.1x[ port 5":                                   missedKind,
		"Invalid user a from " + strings.Repeat("a", 256) + " port 5":              missedKind,
		"Failed password from " + peerText + " ssh2":                               missedKind,
		"Failed pass word for a from " + peerText + " ssh2":                        missedKind,
		"maximum authentication attempts exceeded for a from " + peerText:          missedKind,
		"maximum authentication attempts exceeded for a ssh2":                      missedKind,
		"maximum authentication attempts exceeded for a from 192.0.2 ssh2":         missedKind,
		"Connection closed by strange user a " + peerText + " [preauth]":           missedKind,
		"Connection closed by invalid users " + peerText + " [preauth]":            missedKind,
		"Disconnecting invalid user a " + peerText:                                 missedKind,
		"Disconnecting 192.0.2.1x: Too many authentication failures":               missedKind,
		"Received disconnect from 192.0.2.1 port x:11: y [preauth]":                missedKind,
		"Received disconnect from 192.0.2.1 11: y [preauth]":                       missedKind,
		"Received disconnect from " + peerText + ":x: y [preauth]":                 missedKind,
		"Bad protocol version identification 'x' from 192.0.2":                     missedKind,
		"Bad protocol version identification 'x from " + peerText:                  missedKind,
		"Did not receive identification string from 192.0.2":                       missedKind,
		"Timeout before authentication for connection from 192.0.2 to x":           missedKind,
		"drop connection #x from [192.0.2.1]:4711 on [198.51.100.1]:22 x":          missedKind,
		"drop connection #7 from [192.0.2.1]:4711 penalty: x":                      missedKind,
		"banner exchange: Connection from 192.0.2.1x port 5: invalid format":       missedKind,
		"ROOT LOGIN REFUSED FROM 192.0.2":                                          missedKind,
		"User a from 192.0.2 not allowed because not listed in AllowUsers":         missedKind,
		"User a not allowed because not listed in AllowUsers":                      missedKind,
		"error: PAM: Authentication failure for root from 192.0.2":                 missedKind,
		"error: PAM: Authentication failure for root":                              event.NoKind,
		"error: PAM: Authentication failure":                                       event.NoKind,
		"Accepted password for u from host.example port 5 ssh2":                    event.NoKind,
		"Accepted key ED25519 SHA256:abc found at /root/.ssh/authorized_keys:1":    event.NoKind,
		"Disconnecting " + peerText + ": Protocol error [preauth]":                 event.NoKind,
		"User a from z9.example not allowed because listed in DenyUsers":           event.AccessDenied,
		"User a from host-1.dyn_2.example not allowed because listed in DenyUsers": event.AccessDenied,
		"news": missedKind,
		"":     missedKind,
	}
	for text, want := range tests {
		var e event.Event
		outcome := Parse("sshd", text, &e)
		wantOutcome := event.Noted
		switch want {
		case event.NoKind:
			wantOutcome = event.Benign
		case missedKind:
			wantOutcome = event.Missed
		}
		if outcome != wantOutcome || outcome == event.Noted && (e.Kind != want || e.Addr.IsValid()) {
			t.Errorf("%s: got %s, %s, %s", text, outcome, e.Kind, e.Addr)
		}
	}
}

// missedKind stands for a line that no rule knows.
const missedKind = event.Kind(255)

func TestOtherOutcomes(t *testing.T) {
	tests := map[string]event.Outcome{
		"Connection from " + peerText + " on 198.51.100.1 port 22":                                                            event.Witness,
		"Connection from " + peerText:                                                                                         event.Witness, // before 6.5
		"Connection from UNKNOWN port 65535 on 198.51.100.1 port 22":                                                          event.Benign,
		"Connection from 192.0.2 port 5 on 198.51.100.1 port 22":                                                              event.Benign,
		"Connection from " + peerText + " on 198.51.100.1 port 22 rdomain \"\"":                                               event.Witness,
		"Accepted publickey for u from " + peerText + " ssh2: RSA-CERT SHA256:x ID a from 203.0.113.6 port 5 ssh2 (serial 0)": event.Ambiguous,
		"pam_unix(sshd:auth): authentication failure; logname=":                                                               event.Missed,
	}
	for text, want := range tests {
		var e event.Event
		if outcome := Parse("sshd", text, &e); outcome != want {
			t.Errorf("%s: got %s", text, outcome)
		}
	}
}

// The child that the listener gave up is another process than the listener.
func TestTimeoutNamesTheChild(t *testing.T) {
	var e event.Event
	for _, status := range []string{"", " (early)"} {
		Parse("sshd", "Timeout before authentication for connection from 192.0.2.1 to 198.51.100.1, pid = 815"+status, &e)
		if e.Session != "815" {
			t.Errorf("session %q, want Session \"815\"", e.Session)
		}
	}
}

func TestDirtyBytes(t *testing.T) {
	for _, user := range []string{"\xff\xfe", "a\x00b", "a\rb", strings.Repeat("a", 100), "é"} { // sshd writes 100 bytes of a name
		var e event.Event
		outcome := Parse("sshd", "Failed password for "+user+" from "+peerText+" ssh2", &e)
		if outcome != event.Noted || e.Addr.String() != "192.0.2.1" || e.User != user {
			t.Errorf("%.20q: %s, %s", user, outcome, e.Addr)
		}
		for _, address := range []string{"192.0.2.1\x00", "192.0.2.1\r", "\xff192.0.2.1", "192.0.2.1\xff"} {
			e = event.Event{}
			if outcome := Parse("sshd", "Failed password for a from "+address+" port 5 ssh2", &e); outcome != event.Missed {
				t.Errorf("%q: got %s, %s, want %s", address, outcome, e.Addr, event.Missed)
			}
		}
	}
}

// FuzzLogin: whatever a client sends, in whatever field, the address is its own
// or none. A user name holds no colon.
func FuzzLogin(f *testing.F) {
	for _, text := range []string{
		"root", noise, "x from 203.0.113.6", "invalid user x 203.0.113.6 port 5", "", " ", "x [preauth]", "x port 5", "x ssh2",
		"from 203.0.113.6 port 5", "x not allowed because not listed in AllowUsers", "x rhost=203.0.113.6  user=y", "203.0.113.6 port 5: x",
		"x' from 203.0.113.6 port 5", "x via 203.0.113.6", ":11: x", "x for y from 203.0.113.6", "x timed out", "x ssh2: y from 203.0.113.6 port 5 ssh2",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		user, _, _ := strings.Cut(text, ":")
		for _, client := range []string{"192.0.2.1", "2001:db8::1"} {
			at := client + " port 4711"
			for _, line := range []string{
				"Invalid user " + user + " from " + at,
				"Invalid user " + user + " from " + client,
				"Failed password for invalid user " + user + " from " + at + " ssh2",
				"Failed password for " + user + " from " + at + " ssh2",
				"Failed publickey for " + user + " from " + at + " ssh2: RSA-CERT SHA256:x ID " + text + " (serial 0) CA RSA SHA256:y",
				"Accepted publickey for u from " + at + " ssh2: RSA-CERT SHA256:x ID " + text + " (serial 0) CA RSA SHA256:y",
				"error: maximum authentication attempts exceeded for invalid user " + user + " from " + at + " ssh2 [preauth]",
				"Disconnecting invalid user " + user + " " + at + ": Change of username or service not allowed: (" + user + "," + text + ") -> (" + text + "," + text + ") [preauth]",
				"Disconnecting: Change of username or service not allowed: (" + user + "," + text + ") -> (" + text + "," + text + ")",
				"Connection closed by invalid user " + user + " " + at + " [preauth]",
				"Connection reset by authenticating user " + user + " " + at + " [preauth]",
				"Disconnected from authenticating user " + user + " " + at + " [preauth]",
				"Connection from authenticating user " + user + " " + at + " timed out [preauth]",
				"User " + user + " from " + client + " not allowed because not listed in AllowUsers",
				"User " + user + " not allowed because account is locked",
				"Access denied for user " + user + " by PAM account configuration",
				"public key RSA SHA256:abc signature for invalid user " + user + " from " + at + " rejected: user presence (authenticator touch) requirement not met",
				"terminating inactive connection from user " + user + " " + at,
				"bad service request " + text,
				"input_userauth_request: invalid user " + user + " [preauth]",
				"Unable to negotiate with " + at + ": no matching cipher found. Their offer: " + text + " [preauth]",
				"Bad protocol version identification '" + text + "' from " + at,
				"Protocol major versions differ for " + at + ": SSH-2.0-x vs. " + text,
				"kex_exchange_identification: client sent invalid protocol identifier \"" + text + "\"",
				"scanned from " + at + " with " + text + ".  Don't panic.",
				"Timeout before authentication for connection from " + client + " to 198.51.100.1, pid = 815 (early)",
				"Received disconnect from " + at + ":11: " + text,
				"Received disconnect from " + client + ": 11: " + text + " [preauth]",
				"ssh_dispatch_run_fatal: Connection from authenticating user " + user + " " + at + ": Broken pipe [preauth]",
				"error: PAM: Authentication failure for illegal user " + user + " from " + client + " via 198.51.100.1",
				"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=" + client + "  user=" + user,
				"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=" + client + "  user=" + user,
			} {
				var e event.Event
				outcome := Parse("sshd", line, &e)
				if outcome == event.Noted && e.Addr.IsValid() && e.Addr.String() != client {
					t.Errorf("%q gives %s", line, e.Addr)
				}
			}
		}
	})
}
