package dovecot

import (
	"strconv"
	"strings"

	"csmail/pkg/event"
)

// login reads "MESSAGE: ELEMENTS" (login_log_format "%$: %s"). Whom an error or a
// warning of the process's own names, it does not accuse.
func login(text string, e *event.Event) event.Outcome {
	said, elements, ok := cutElements(cutLevel(text))
	if !ok {
		return withoutElements(text)
	}
	kind, attempts, known := verdict(said)
	if !known && !isLeveled(text) {
		return event.Missed
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
		return event.Benign // anybody may (RFC 4505)
	}
	e.Kind, e.Attempts, e.Reason, e.Phase = kind, attempts, said, phaseOf(said)
	return event.Noted
}

// phaseOf tells what a login process says of one attempt from what it says at the end
// of a connection.
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

// withoutElements reads a line that names no client. If it ought to name one, its
// format is the administrator's own, and the line counts as missed. A warning or an
// error is the process's own, as are the messages that accuse nobody.
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

// hasNoMethod knows the default elements without a method, which is there once a
// login has begun: the server refused to begin one without TLS, and says "auth
// failed" of that too (client_check_plaintext_auth, src/login-common).
func hasNoMethod(elements string) bool {
	_, rest, ok := strings.Cut(elements, ">, ")
	return ok && strings.HasPrefix(rest, "rip=")
}

// verdict classifies what a login process said. NoKind with true means: known,
// and no event.
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
		return event.NoKind, 0, true
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

// cutEnd takes off what the login process writes before its reason to end a
// connection, in 2.3 and in 2.4.
func cutEnd(said string) string {
	if reason, ok := strings.CutPrefix(said, "Login aborted: "); ok {
		return reason
	}
	return strings.TrimPrefix(strings.TrimPrefix(said, "Disconnected: "), "Disconnected: ")
}

// isOwnEnd knows the reasons of ours to end a connection. That the client had not
// logged in until then is not its doing.
func isOwnEnd(ended string) bool {
	for _, reason := range [...]string{"Connection queue full", "TLS initialization failed", "Shutting down", "Reconnected to auth server", "Auth process broken"} {
		if strings.HasPrefix(ended, reason) {
			return true
		}
	}
	return false
}

// isLoginFault knows what the login process says when those that it needs fail it:
// the auth process, anvil, or the one that is to take the connection over.
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

// isNotAllowed knows the logins that are refused before they begin, without TLS or
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

// proxied reads "proxy(USER[,SERVER]): started proxying to SERVER": the password was
// right; and of 2.2 and 2.3 "proxy(USER): Login failed to HOST:PORT: ANSWER": the
// server behind the proxy refused it (client-common-auth.c, client_proxy_log_failure).
// What else it says is about that server. USER is the client's text and other lines
// quote that server's: a line in which the bracket ends twice says nothing.
func proxied(said string) event.Kind {
	_, rest, ok := strings.Cut(said, "): ")
	if !ok || strings.Contains(rest, "): ") {
		return event.NoKind
	}
	if strings.HasPrefix(rest, "started proxying to ") {
		return event.LoginOK
	}
	if rest, ok = strings.CutPrefix(rest, "Login failed to "); !ok {
		return event.NoKind
	}
	if _, answer, ok := strings.Cut(rest, ": "); ok && isWrongPassword(answer) {
		return event.AuthFailed
	}
	return event.NoKind
}

// isWrongPassword reports whether the answer of a server behind the proxy begins with
// its word that name or password is wrong, and not, for example, that its user database
// is down: "[AUTHENTICATIONFAILED] Authentication failed." (RFC 5530), "[AUTH]
// Authentication failed." (RFC 3206). The end of the connection counts one attempt in
// either case.
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
// auth_verbose). MECH is what the client sent, so no more than a suspicion hangs
// on the words, and trouble of ours (AUTH_TEMP_FAILED_MSG, src/auth) only on those
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

// inBrackets returns what stands in the first bracket that gives a reason: "(auth
// failed, 1 attempts in 2 secs)". A call like "read(size=595)" is none, and
// "(waited 30 secs)" and a proxy's "(state=…, duration=30s)" belong to the words
// before them.
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

// isFarewell knows how the line begins that ends a login connection. Another
// ("ID sent", imap_id_log) quotes what the client said of itself.
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
	{"disconnected while ", event.NoKind},
	{"cert required", event.NoKind},
	{"client sent an invalid cert", event.NoKind},
	{"client didn't send a cert", event.NoKind},
}

func byWords(why string) (event.Kind, bool) {
	if authenticationAttempts(why) > 0 {
		return event.AuthFailed, true
	}
	for _, r := range reasons {
		if strings.HasPrefix(why, r.prefix) {
			return r.kind, true
		}
	}
	return event.NoKind, false
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

// attemptsIn reads the N of "auth failed, N attempts in M secs"; 1 if there is
// none.
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
