package sshd

import (
	"testing"

	"csmail/pkg/event"
)

// What sshd says of itself, of its files, or of a session that is logged in
// accuses nobody.
func TestQuiet(t *testing.T) {
	for _, text := range []string{
		"Server listening on 0.0.0.0 port 22.", "Received signal 15; terminating.", "Received SIGHUP; restarting.", "Exiting on signal 15",
		"Starting session: shell on pts/0 for u from 192.0.2.1 port 5 id 0", "Close session: user u from 192.0.2.1 port 5 id 0",
		"Closing connection to 192.0.2.1 port 5", "Transferred: sent 1, received 2 bytes", "subsystem request for sftp by user u",
		"session opened for local user u from [192.0.2.1]", "session closed for local user u from [192.0.2.1]",
		"Postponed publickey for u from 192.0.2.1 port 5 ssh2 [preauth]", "Partial publickey for u from 192.0.2.1 port 5 ssh2",
		"debug1: x", "debug2: x", "debug3: x", "rexec line 7: Deprecated option x",
		"Authentication refused: bad ownership or modes for directory /home/u", "Authentication tried for u with correct key but not from a permitted host (host=a.example, ip=192.0.2.1).",
		"kex protocol error: type 30 seq 1 [preauth]", "dispatch_protocol_error: type 100 seq 1 [preauth]",
		"Bad packet length 1349676916. [preauth]", "Corrupted MAC on input. [preauth]", "userauth_pubkey: unsupported public key algorithm: x [preauth]",
		"error: Could not load host key: /etc/ssh/ssh_host_rsa_key", "Could not write ident string to 192.0.2.1 port 5",
		"Deprecated option UsePrivilegeSeparation", "Unsupported option GSSAPIAuthentication", "/etc/ssh/sshd_config line 9: Deprecated option x",
		"error: beginning MaxStartups throttling", "exited MaxStartups throttling after 00:01:00, 3 connections dropped",
		"Timeout, client not responding from user u 192.0.2.1 port 5", "mm_answer_moduli: got bad parameters", "monitor_read: unsupported request: 1",
		"channel 3: open failed: connect failed: Connection refused", "Write failed: Broken pipe", "Read error from remote host 192.0.2.1 port 5: Connection reset by peer",
		"packet_write_wait: Connection to 192.0.2.1 port 5: Broken pipe", "Read from socket failed: Connection reset by peer [preauth]",
		"no hostkey alg [preauth]", "no matching cipher found: client x server y [preauth]", "Bind to port 22 on 0.0.0.0 failed: Address already in use.",
		"Cannot bind any address.", "getpeername failed: Transport endpoint is not connected", "Found matching ED25519 key: SHA256:abc",
		"Certificate invalid: expired", "Allocated port 4711 for remote forward to localhost:80", "Set /proc/self/oom_score_adj to 0",
		"sshd: no hostkeys available -- exiting.", "Received request to connect to host localhost port 80, but the request was denied.",
		"syslogin_perform_logout: logout() returned an error", "lastlog_openseek: Couldn't stat /var/log/lastlog: No such file", "login_init_entry: Cannot find user \"u\"",
		"Attempt to write login records by non-root user (aborting)", "Missing privilege separation directory: /run/sshd", "chroot(\"/srv\"): Operation not permitted",
		"Remote protocol version 2.0, remote software version x", "Local version string SSH-2.0-OpenSSH_10.0", "Enabling compatibility mode for protocol 2.0",
		"error: fork: Cannot allocate memory", "fork of unprivileged child failed", "penalty table full",
	} {
		var e event.Event
		if outcome := Parse("sshd", text, &e); outcome != event.Benign || e.Kind != event.NoKind {
			t.Errorf("%s: got %s, %s, want outcome %s, Kind %s", text, outcome, e.Kind, event.Benign, event.NoKind)
		}
	}
}

// The session join goes by some of the reasons, and people read them all.
func TestReasons(t *testing.T) {
	tests := map[string]struct{ reason, mechanism string }{
		"Failed password for root from " + peerText + " ssh2":                                      {"failed password", "password"},
		"Failed password for invalid user a from " + peerText + " ssh2":                            {"failed password for invalid user", "password"},
		"Accepted publickey for u from " + peerText + " ssh2: RSA SHA256:abc":                      {"accepted publickey", "publickey"},
		"Invalid user a from " + peerText:                                                          {"invalid user", ""},
		"error: PAM: Authentication failure for root from 192.0.2.1":                               {"PAM", ""},
		"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1": {"PAM 2 more authentication failures", event.PAM},
		"maximum authentication attempts exceeded for a from " + peerText + " ssh2":                {"maximum authentication attempts exceeded", ""},
		"Disconnecting " + peerText + ": Too many authentication failures":                         {"too many authentication failures", ""},
		"Disconnecting: Change of username or service not allowed: (a,x) -> (b,x)":                 {"change of username or service not allowed", ""},
		"Disconnecting invalid user a " + peerText + ": Protocol error":                            {"disconnected during login", ""},
		"Connection closed by invalid user a " + peerText + " [preauth]":                           {"connection ended during login", ""},
		"Connection closed by " + peerText + " [preauth]":                                          {"connection ended before login", ""},
		"Received disconnect from " + peerText + ":11: Bye [preauth]":                              {"client disconnected", ""},
		"banner exchange: Connection from " + peerText + ": invalid format":                        {"invalid format", ""},
		"Bad protocol version identification 'x' from " + peerText:                                 {"bad protocol version identification", ""},
		"Did not receive identification string from " + peerText:                                   {"no identification string", ""},
		"Timeout before authentication for " + peerText:                                            {"timeout before authentication", ""},
		"drop connection #0 from [192.0.2.1]:4711 on [198.51.100.1]:22 PerSourcePenalties":         {"PerSourcePenalties", ""},
		"192.0.2.1/32: activating ipv4 penalty of 15 seconds for penalty: x":                       {"activating ipv4 penalty of 15 seconds for penalty: x", ""},
		"User a from 192.0.2.1 not allowed because not listed in AllowUsers":                       {"not allowed", ""},
		"Access denied for user a by PAM account configuration":                                    {"access denied by PAM", ""},
		"ROOT LOGIN REFUSED FROM " + peerText:                                                      {"root login refused", ""},
	}
	for text, want := range tests {
		var e event.Event
		if outcome := Parse("sshd", text, &e); outcome != event.Noted || e.Reason != want.reason || e.Mechanism != want.mechanism || e.Attempts < 1 {
			t.Errorf("%s: %s, reason %q, mechanism %q, %d attempts, want outcome %s, Reason %q, Mechanism %q, Attempts at least 1",
				text, outcome, e.Reason, e.Mechanism, e.Attempts, event.Noted, want.reason, want.mechanism)
		}
	}
}

// A name in place of an address (UseDNS yes) is noted, and what is neither is not.
func TestHostNames(t *testing.T) {
	for _, host := range []string{"host.example", "UNKNOWN", "192.0.2.1.evil.example"} {
		var e event.Event
		outcome := Parse("sshd", "User a from "+host+" not allowed because listed in DenyUsers", &e)
		if outcome != event.Noted || e.ClientName != host || e.Addr.IsValid() {
			t.Errorf("%s: %s, %q, %s", host, outcome, e.ClientName, e.Addr)
		}
	}
}
