// Package sshd reads the messages that OpenSSH's sshd, sshd-session and sshd-auth log
// about their clients, in every wording from 4.3 to 10. The user name comes before the
// address and may hold spaces and words like " from 203.0.113.6 port 5 ssh2", but never
// a colon (auth2.c cuts it there). So the address is the one before the first ": ", or
// the last of the line. The text behind it is the client's version, offer or farewell,
// and no address is taken from it. The package keeps no state, does no I/O, resolves no
// name, and joins no lines.
package sshd

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/pam"
)

// preauth ends the messages of the process that talks to a client before its login
// (monitor.c, since 5.9).
const preauth = " [preauth]"

// rateLimited follows the reason of dropped connections that sshd counts and no
// longer logs one by one.
const rateLimited = " logging rate-limited: additional "

// message is one log message without its level.
type message struct {
	text    string
	preauth bool
}

// rule reads the text behind its first words.
type rule struct {
	begins string
	read   func(m message, e *event.Event) event.Outcome
}

// Parse reads one message into e. It leaves the time, host and process ID of e
// to the caller.
func Parse(program, text string, e *event.Event) event.Outcome {
	e.Service, e.Program = event.SSHD, program
	if pam.IsOurs(text) {
		return pam.Parse(text, e)
	}
	m := message{text: cutLevel(text)}
	leveled := len(m.text) < len(text)
	m.text, m.preauth = strings.CutSuffix(m.text, preauth)
	for _, r := range rules {
		if rest, ok := strings.CutPrefix(m.text, r.begins); ok {
			return r.read(message{rest, m.preauth}, e)
		}
	}
	if strings.Contains(m.text, ": activating ipv") {
		return penalised(m, e)
	}
	for _, known := range quiet {
		if strings.HasPrefix(m.text, known) {
			return event.Benign
		}
	}
	switch {
	case strings.Contains(m.text, rateLimited), beginsWithFunction(m.text):
		return event.Benign
	case leveled && !strings.Contains(m.text, " from ") && !strings.Contains(m.text, " port "):
		return event.Benign // an error that names no client
	}
	return event.Missed
}

// beginsWithFunction reports whether a message begins with the name of a function of
// OpenSSH, which has an underscore (log.h, the macros that end in _f). The text behind
// it may be a client's, so no address is looked for.
func beginsWithFunction(text string) bool {
	name, _, ok := strings.Cut(text, ": ")
	for i := range len(name) {
		if c := name[i]; c != '_' && c-'a' > 25 && c-'0' > 9 {
			return false
		}
	}
	return ok && strings.Contains(name, "_")
}

// rules are the messages that name a client, in the order they are tried.
var rules = [...]rule{
	{"Failed ", failed},
	{"Accepted ", accepted},
	{"Invalid user ", invalidUser},
	{"Illegal user ", invalidUser},
	{"maximum authentication attempts exceeded for ", tooMany},
	{"Disconnecting ", disconnecting},
	{"Disconnecting: ", nameless},
	{"Connection closed by ", farewell},
	{"Connection reset by ", farewell},
	{"Disconnected from ", farewell},
	{"Received disconnect from ", receivedDisconnect},
	{"Connection from ", connectionFrom},
	{"User ", userNotAllowed},
	{"Access denied for user ", deniedByPAM},
	{"ROOT LOGIN REFUSED FROM ", rootRefused},
	{"Unable to negotiate with ", negotiate},
	{"banner exchange: Connection from ", banner},
	{"Bad protocol version identification '", badVersion},
	{"Did not receive identification string from ", noIdentification},
	{"ssh_dispatch_run_fatal: Connection from ", dispatch},
	{"Protocol major versions differ for ", negotiate},
	{"Timeout before authentication for ", timeout},
	{"drop connection #", dropped},
	{"srclimit_penalise: ", penalised},
	{"PAM: ", pamError},
	{"scanned from ", scanned},
	{"probed from ", scanned},
	{"Username too long from ", longName},
}

// quiet are the beginnings of messages about sshd itself, about a session after its
// login, or about an address without anything against it.
var quiet = [...]string{
	"Server listening on ", "Received signal ", "Received SIGHUP", "Exiting on signal ", "Starting session: ", "Close session: ",
	"Closing connection to ", "Transferred: ", "subsystem request for ", "session opened for ", "session closed for ",
	"Postponed ", "Partial ", "debug1: ", "debug2: ", "debug3: ", "rexec ", "reverse mapping checking getaddrinfo for ",
	"Address ", "Nasty PTR record ", "refused connect from ", "Authentication refused", "Authentication tried for ",
	"input_userauth_request: ", "kex_exchange_identification: ", "kex protocol error: ", "dispatch_protocol_error: ",
	"Bad packet length ", "Corrupted MAC on input", "userauth_", "Could not load host key", "Could not write ident string to ",
	"Deprecated option ", "Unsupported option ", "/", "beginning MaxStartups throttling", "exited MaxStartups throttling",
	"drop connection", "Timeout, client not responding", "mm_", "monitor_", "channel ", "Write failed: ",
	"Read error from ", "packet_write_", "Read from socket failed: ", "no hostkey alg", "no matching ", "Bind to port ", "Cannot bind ",
	"getpeername failed", "Found matching ", "Certificate ", "Allocated port ", "Set /proc/self/oom", "sshd: ", "Received request to ",
	"syslogin_perform_logout: ", "lastlog_", "login_", "Attempt to write login records", "Missing privilege separation directory",
	"chroot(", "Remote protocol version ", "Local version string ", "Enabling compatibility mode ", "fork: ", "fork of ", "penalty table full",
	"public key ", "terminating inactive connection from ", "bad service request", "Hm, kex protocol error", "Authentication key ",
	"WARNING: ", "Could not get shadow information for ", "message authentication code incorrect",
	"session process ", "Finished discarding for ", "Bad remote protocol version identification: ", "Protocol major versions differ: ", "refused local port forward: ",
	"refused streamlocal port forward: ", "Authentication methods list ", "Root login accepted for forced command", "Refusing certificate ID ",
	"Refused Certificate ID ", "Rhosts authentication refused for ", "Ignored ", "Refusing RSA key because ", "refusing previously-used ",
	"Could not open user ", "Account ", "signature algorithm ", "unsupported public key algorithm: ", "password change not supported",
	"connect_to ", "connect to ", "connect ", "accept from ", "tcpip-forward for ", "Remote version \"", "bad size ", "incoming seqnr ", "outgoing seqnr ",
	"wrong user name passed to monitor", "GSSAPI MIC check failed", "Badly formed OID received",
}

// cutLevel takes the level off that sshd writes before some messages (log.c).
func cutLevel(text string) string {
	for _, level := range [...]string{"error: ", "fatal: "} {
		if rest, ok := strings.CutPrefix(text, level); ok {
			return rest
		}
	}
	return text
}
