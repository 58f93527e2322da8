package dovecot

import (
	"strconv"
	"strings"

	"csmail/pkg/event"
)

// login reads "MESSAGE: ELEMENTS" (login_log_format "%$: %s"). A client named in the
// process's own error or warning is not accused.
func login(text string, e *event.Event) (event.Outcome, event.Testimony) {
	said, elements, ok := cutElements(cutLevel(text))
	if !ok {
		return withoutElements(text), event.NoTestimony
	}
	outcome := loginOf(text, said, elements, e)
	if outcome == event.Noted && isFromItself(elements) {
		return outcome, event.OwnAddress
	}
	return outcome, event.NoTestimony
}

// loginOf reads the message of a login process with its elements.
func loginOf(text, said, elements string, e *event.Event) event.Outcome {
	kind, attempts, known := verdict(said)
	if !known && !isLeveled(text) {
		return event.Missed
	}
	if kind == event.NoKind && isEndOfTry(said, elements) {
		kind, attempts = event.AuthFailed, 1
	}
	if kind == event.NoKind {
		return event.Benign
	}
	switch readElements(elements, len(text) > event.ShortestCut, e) {
	case twoReadings:
		return event.Ambiguous
	case noReading:
		return event.Missed
	}
	switch {
	case kind == event.AuthFailed && hasNoMethod(elements):
		kind = event.LoginRefused
	case kind == event.LoginOK && strings.EqualFold(e.Mechanism, "ANONYMOUS"):
		return event.Benign // open to everyone (RFC 4505)
	}
	e.Kind, e.Attempts, e.Reason, e.Phase = kind, attempts, said, phaseOf(said)
	if strings.HasPrefix(said, "proxy(") || strings.Contains(said, "(proxy dest ") {
		e.Cause = event.Relayed
	}
	return event.Noted
}

// phaseOf distinguishes a login process's message about one attempt from its summary at
// the end of a connection.
func phaseOf(said string) event.Phase {
	for _, start := range [...]string{"Login failed: ", "APOP failed: ", "Authenticate ", "proxy("} {
		if strings.HasPrefix(said, start) {
			return event.Attempt
		}
	}
	if isFarewell(said) || strings.Contains(said, " (internal failure") {
		return event.End
	}
	return event.NoPhase
}

// withoutElements reads a line without a client. If this message should name one, the
// log format was changed by the administrator, and the line counts as missed. Warnings
// and errors are the process's own, and so are the messages that accuse no client.
func withoutElements(text string) event.Outcome {
	if isLeveled(text) {
		return event.Benign
	}
	kind, _, known := verdict(cutLevel(text))
	if known && (kind == event.NoKind || kind.Class() == event.Fault) {
		return event.Benign
	}
	return event.Missed
}

// isLeveled reports whether the process logged text as a warning or worse.
func isLeveled(text string) bool {
	return isTrouble(text) || strings.HasPrefix(text, "Warning: ")
}

// isEndOfTry reports whether a connection of Dovecot 1.0 ended without a login after it had
// tried one: "Aborted login: user=<a>, method=PLAIN, rip=…". Only then do the elements have
// a user and a method. Later versions count the attempts in a bracket.
func isEndOfTry(said, elements string) bool {
	if said != "Aborted login" && said != "Disconnected" {
		return false
	}
	user, rest, ok := strings.Cut(elements, ">, ")
	return ok && strings.HasPrefix(user, "user=<") && user != "user=<" && strings.HasPrefix(rest, "method=") && !strings.HasPrefix(rest, "method=,")
}

// hasNoMethod reports whether the default elements lack a method, which is there once a
// login has begun. The server then refused to begin one without TLS, and logs "auth
// failed" for that too (client_check_plaintext_auth, src/login-common).
func hasNoMethod(elements string) bool {
	_, rest, ok := strings.Cut(elements, ">, ")
	return ok && strings.HasPrefix(rest, "rip=")
}

// verdict classifies a message of a login process. NoKind with true means: known, and no
// event.
func verdict(said string) (kind event.Kind, attempts int, known bool) {
	ended := cutEnd(said)
	switch {
	case said == "Login" || said == "Logged in":
		return event.LoginOK, 1, true
	case strings.HasPrefix(said, "proxy("):
		return proxied(said), 1, true
	case strings.HasPrefix(said, "ID sent"), strings.HasPrefix(ended, "Maximum number of connections"), strings.HasPrefix(said, "access("),
		strings.HasPrefix(said, "SSL is disabled "), strings.HasPrefix(said, "Pre-login "):
		return event.NoKind, 0, true
	case isLoginFault(said), strings.HasPrefix(ended, "Internal login failure"):
		return event.AuthFault, 1, true
	case isNotAllowed(said):
		return event.LoginRefused, 1, true
	case strings.HasPrefix(said, "Authenticate "):
		return authenticate(said), 1, true
	case !isFarewell(said):
		return event.NoKind, 0, false
	}
	why, ok := inBrackets(said)
	if !ok {
		return event.NoKind, 0, !mayCountLogins(said)
	}
	if code, ok := eventReason(said); ok {
		kind, known = byEventReason(code)
	} else {
		kind, known = byWords(why)
	}
	if isOwnEnd(ended) && kind.Class() == event.Suspect {
		return event.NoKind, 0, known
	}
	return kind, attemptsIn(why), known
}

// mayCountLogins reports whether the end of a connection without a reason in brackets may
// report failed logins all the same, in a form that is not known. Such a line is missed and
// not harmless.
func mayCountLogins(said string) bool {
	return strings.Contains(said, "uth failed") || strings.Contains(said, "uthentication failed") || strings.Contains(said, " attempts")
}

// cutEnd takes off the words of the login process before its reason to end a connection,
// in 2.3 and in 2.4.
func cutEnd(said string) string {
	if reason, ok := strings.CutPrefix(said, "Login aborted: "); ok {
		return reason
	}
	return strings.TrimPrefix(strings.TrimPrefix(said, "Disconnected: "), "Disconnected: ")
}

// isOwnEnd reports whether the connection ended for a reason on our side. The client is
// not to blame that it had not logged in until then.
func isOwnEnd(ended string) bool {
	for _, reason := range [...]string{"Connection queue full", "TLS initialization failed", "Shutting down", "Reconnected to auth server", "Auth process broken"} {
		if strings.HasPrefix(ended, reason) {
			return true
		}
	}
	return false
}

// isLoginFault reports whether the login process logs that a process it needs has
// failed: the auth process, anvil, or the one that is to take the connection over.
func isLoginFault(said string) bool {
	for _, fault := range [...]string{
		"Internal login failure", "Timeout while finishing login", "Auth process not responding", "Received invalid reply from anvil",
		"fd_send(", "master(",
	} {
		if strings.HasPrefix(said, fault) {
			return true
		}
	}
	return false
}

// isNotAllowed reports whether the login was refused before it began, without TLS or
// with a command that is not enabled.
func isNotAllowed(said string) bool {
	for _, refusal := range [...]string{
		"Login failed: Plaintext ", "Login failed: Cleartext ", "Login failed: SSL required", "APOP failed: APOP not enabled",
	} {
		if strings.HasPrefix(said, refusal) {
			return true
		}
	}
	return false
}

// proxied reads "proxy(USER[,SERVER]): started proxying to SERVER" ("Started proxying to
// <SERVER>" in 2.3.19, "… to remote host" in 2.4.1): the password was right. It also reads
// "proxy(USER): Login failed to HOST:PORT: ANSWER" of 2.2, and "proxy(USER,SERVER): Login
// failed: ANSWER" of 2.3.19 and 2.4.1: the server behind the proxy refused it (client-common-auth.c,
// client_proxy_log_failure). The proxy's other messages are about that server. USER is
// client text, and other lines quote the server's text: if the bracket can end at two
// places, the line means nothing.
func proxied(said string) event.Kind {
	_, rest, ok := strings.Cut(said, "): ")
	if !ok || strings.Contains(rest, "): ") {
		return event.NoKind
	}
	if strings.HasPrefix(rest, "started proxying to ") || strings.HasPrefix(rest, "Started proxying to ") {
		return event.LoginOK
	}
	if rest, ok = strings.CutPrefix(rest, "Login failed"); !ok || !strings.HasPrefix(rest, ": ") && !strings.HasPrefix(rest, " to ") {
		return event.NoKind
	}
	if _, answer, ok := strings.Cut(rest, ": "); ok && isWrongPassword(answer) {
		return event.AuthFailed
	}
	return event.NoKind
}

// isWrongPassword reports whether the answer of a server behind the proxy begins with
// its code for a wrong name or password: "[AUTHENTICATIONFAILED] Authentication failed."
// (RFC 5530), "[AUTH] Authentication failed." (RFC 3206). Other answers report, for
// example, that its user database is down. The end of the connection counts one attempt
// in either case.
func isWrongPassword(answer string) bool {
	answer = strings.TrimPrefix(strings.TrimPrefix(answer, "NO "), "-ERR ")
	for _, words := range [...]string{"[AUTHENTICATIONFAILED]", "[AUTH]", "Authentication failed", "LOGIN failed", "Login failed", "Invalid credentials"} {
		if strings.HasPrefix(answer, words) {
			return !strings.Contains(answer, "emporar") && !strings.Contains(answer, "nternal error")
		}
	}
	return false
}

// authenticate reads "Authenticate MECH failed: WHY" (client-common-auth.c, with
// auth_verbose). MECH is sent by the client, so the words lead to a suspicion at most. A
// failure on our side (AUTH_TEMP_FAILED_MSG, src/auth) is read only from the words
// behind the last " failed: ".
func authenticate(said string) event.Kind {
	why := said[strings.LastIndex(said, " failed: ")+1:]
	switch {
	case why == "failed: Aborted":
		return event.AuthAborted
	case strings.HasPrefix(why, "failed: Temporary authentication failure"), strings.HasPrefix(why, "failed: Internal error occurred"):
		return event.AuthFault
	}
	return event.LoginRefused
}

// inBrackets returns the text in the first bracket that gives a reason: "(auth failed, 1
// attempts in 2 secs)". A call like "read(size=595)" is no reason, and "(waited 30
// secs)" and a proxy's "(state=…, duration=30s)" belong to the words before them.
func inBrackets(said string) (string, bool) {
	_, rest, ok := strings.Cut(said, " (")
	if ok && (strings.HasPrefix(rest, "waited ") || strings.HasPrefix(rest, "state=")) {
		_, rest, ok = strings.Cut(rest, ") (")
	}
	if !ok {
		return "", false
	}
	end := strings.LastIndex(rest, ")")
	if end < 0 {
		return "", false
	}
	why, _, _ := strings.Cut(rest[:end], ") (")
	return why, true
}

// isFarewell reports whether the line that so begins ends a login connection. For
// example, "ID sent" (imap_id_log) does not; it quotes the client's description of
// itself.
func isFarewell(said string) bool {
	for _, farewell := range [...]string{"Disconnected", "Aborted login", "Login aborted: ", "Client has quit the connection", "Remote closed connection"} {
		if strings.HasPrefix(said, farewell) {
			return true
		}
	}
	return false
}

// eventReason returns 2.4's machine-made reason, the last bracket of "Login
// aborted: … (WHY) (auth_failed)".
func eventReason(said string) (string, bool) {
	if !strings.HasPrefix(said, "Login aborted: ") || !strings.HasSuffix(said, ")") {
		return "", false
	}
	at := strings.LastIndex(said, " (")
	if at < 0 {
		return "", false
	}
	code := said[at+2 : len(said)-1]
	return code, !strings.ContainsAny(code, " ,:")
}

// byEventReason follows client_auth_fail_code and login_aborted reasons of
// src/login-common/client-common.c, 2.4.
func byEventReason(code string) (event.Kind, bool) {
	switch code {
	case "auth_failed", "proxy_dest_auth_failed":
		return event.AuthFailed, true
	case "authorization_failed", "user_disabled", "password_expired", "login_disabled", "invalid_mech",
		"cleartext_auth_disabled", "anonymous_auth_disabled", "invalid_credentials", "invalid_base64":
		return event.LoginRefused, true
	case "auth_aborted_by_client", "auth_waiting_client":
		return event.AuthAborted, true
	case "no_auth_attempts":
		return event.NoAuth, true
	case "tls_handshake_not_finished":
		return event.TLSError, true
	case "temp_fail", "auth_process_comm_fail", "internal_failure":
		return event.AuthFault, true
	case "auth_process_not_ready", "process_full", "shutting_down", "connection_limit", "auth_nologin_referral":
		return event.NoKind, true
	}
	if strings.HasPrefix(code, "client_ssl_") || strings.HasPrefix(code, "proxy_dest_") {
		return event.NoKind, true
	}
	return event.NoKind, false
}

// reasons are the words of 2.2 and 2.3 (client-common.c,
// client_get_extra_disconnect_reason).
var reasons = [...]struct {
	prefix string
	kind   event.Kind
}{
	{"auth failed", event.AuthFailed},
	{"proxy dest auth failed", event.AuthFailed},
	{"no auth attempts", event.NoAuth},
	{"tried to use ", event.LoginRefused},
	{"sent invalid base64", event.LoginRefused},
	{"authorization failed", event.LoginRefused},
	{"user disabled", event.LoginRefused},
	{"password expired", event.LoginRefused},
	{"login disabled", event.LoginRefused},
	{"aborted authentication", event.AuthAborted},
	{"auth aborted by client", event.AuthAborted},
	{"client didn't finish SASL auth", event.AuthAborted},
	{"disconnected during TLS handshake", event.TLSError},
	{"auth service reported temporary failure", event.AuthFault},
	{"auth process communication failure", event.AuthFault},
	{"internal failure", event.AuthFault},
	{"disconnected before auth was ready", event.NoKind},
	{"disconnected while authenticating", event.AuthAborted},
	{"disconnected while ", event.NoKind}, // "finishing login": the password was right
	{"cert required", event.NoKind},
	{"client sent an invalid cert", event.NoKind},
	{"client didn't send a cert", event.NoKind},
}

func byWords(why string) (event.Kind, bool) {
	if authenticationAttempts(why) > 0 {
		return event.AuthFailed, true
	}
	for _, r := range reasons {
		if !strings.HasPrefix(why, r.prefix) {
			continue
		}
		if hasWaited(why) {
			return event.NoKind, true
		}
		return r.kind, true
	}
	return event.NoKind, false
}

// hasWaited reports whether the client left after it had waited long for the answer to its
// password, "disconnected while authenticating, waited 60 secs". Then Dovecot was slow. One
// that does not wait guesses: the right password is answered at once, a wrong one after 2 s
// (auth_failure_delay), or up to 15 s if the address has failed before.
func hasWaited(why string) bool {
	const patience = 10
	secs, ok := strings.CutPrefix(why, "disconnected while authenticating, waited ")
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(secs, " secs"), 10, 32)
	return err != nil || n > patience
}

// authenticationAttempts reads the N of "N authentication attempts", which is how 1.0 and 1.1 end
// a connection that has not logged in; 0 if why is something else.
func authenticationAttempts(why string) int {
	count, rest, _ := strings.Cut(why, " ")
	if rest != "authentication attempts" {
		return 0
	}
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// attemptsIn reads the N of "auth failed, N attempts in M secs". Without it, it returns
// 1.
func attemptsIn(why string) int {
	if n := authenticationAttempts(why); n > 0 {
		return n
	}
	_, rest, _ := strings.Cut(why, ", ")
	count, rest, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(rest, "attempts") { // "waited 3 secs" is no number of them
		return 1
	}
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil || n == 0 {
		return 1
	}
	return int(n)
}
