package dovecot

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/pam"
)

// auth reads the lines of the auth and auth-worker processes (auth_verbose =
// yes), in the wording of 2.0-2.3
//
//	auth: DRIVER(USER,ADDRESS[,master][,<SESSION>]): TEXT
//	auth-worker(PID): [conn unix:… (pid=N,uid=N): auth-worker<N>: ]DRIVER(…): TEXT
//
// and of 2.4 (src/auth/auth-request.c, get_log_prefix)
//
//	auth(USER,ADDRESS[,sasl:MECH][,master])<SESSION>: DRIVER: TEXT
//	auth-worker(USER,ADDRESS,…)<PID><SESSION>: request [N]: DRIVER: TEXT
//
// The user stands before the address, and the text may quote the user or the
// password. If the end of the bracket is not certain, nothing is taken.
func auth(message string, e *event.Event) event.Outcome {
	if rest := cutLevel(message); isTrouble(message) { // 1.x puts the level first
		return fault(message, cutProcess(rest), e)
	}
	text := cutProcess(message)
	if pam.IsOurs(text) {
		return pam.Parse(text, e)
	}
	if strings.HasPrefix(text, "Debug: ") {
		return event.Benign
	}
	if isTrouble(text) {
		return fault(text, cutLevel(text), e)
	}
	text = cutLevel(text)
	open := driverEnd(text)
	if open < 0 {
		return event.Benign // about the process itself
	}
	inner, said, ends := cutRequest(text[open+1:])
	switch {
	case ends == 0:
		return event.Benign
	case ends > 1 && !isDisallowed(inner, said):
		return event.Ambiguous
	case strings.HasPrefix(said, "Debug: "):
		return event.Benign
	case isTrouble(said):
		return fault(said, text, e)
	case strings.HasPrefix(said, "Warning: "):
		return warning(said, text, e)
	}
	kind, known := authKind(cutDriver(said))
	if !known {
		return event.Missed
	}
	if kind == event.NoKind {
		return event.Benign
	}
	if !readRequest(inner, e) {
		return event.Ambiguous
	}
	e.Kind, e.Attempts, e.Reason = kind, 1, said
	return event.Noted
}

// isTrouble knows what the auth process says of its own databases; the line may
// name a client, who has no part in it.
func isTrouble(text string) bool {
	return strings.HasPrefix(text, "Error: ") || strings.HasPrefix(text, "Fatal: ") || strings.HasPrefix(text, "Panic: ")
}

// warning reads a warning about one login. It is trouble of ours if a server that
// was asked is away; most others are about settings, and come with each login.
func warning(said, text string, e *event.Event) event.Outcome {
	if !strings.Contains(said, " failed: ") && !strings.Contains(said, "reconnecting") {
		return event.Benign
	}
	return fault(said, text, e)
}

// fault notes trouble of ours, and whose login it hit. Without a client and a user it
// counts as certainly ours, so a name that hides him must not look like that; nor must a
// request that is too long for the auth process, which calls that a BUG of the one
// who asked (auth-client-connection.c).
func fault(reason, text string, e *event.Event) event.Outcome {
	if strings.HasPrefix(cutLevel(text), "BUG: ") {
		return event.Benign
	}
	e.Kind, e.Attempts, e.Reason = event.AuthFault, 1, reason
	open := driverEnd(text)
	if open < 0 {
		return event.Noted
	}
	inner, _, ends := cutRequest(text[open+1:])
	if ends == 0 {
		return event.Noted
	}
	if !endsWithAddr(inner) {
		if isRequest(text[:open], inner) {
			e.User, _, _ = strings.Cut(inner, ",")
		}
		return event.Noted
	}
	if ends > 1 || !readRequest(inner, e) {
		return event.Ambiguous
	}
	return event.Noted
}

// isRequest knows the brackets that name the user of a request, here one without an
// address: who asks is no client of ours, but the user may be one's word, like the
// recipient of a mail. Other brackets name a server, "mysql(localhost): Connect failed
// to database (mail): …", "imapc(127.0.0.1:143): connect(…) failed", 2.4's
// "ldap(ldap://192.0.2.9): …".
func isRequest(driver, inner string) bool {
	switch driver {
	case "ldap":
		return !strings.HasPrefix(inner, "ldap") || !strings.Contains(inner, "://") || strings.Contains(inner, "@")
	case "sql", "dict", "lua", "passwd-file", "passwd", "pam", "static", "oauth2", "imap", "auth", "auth-worker":
		return true
	}
	return false
}

// driverEnd finds the bracket after DRIVER or PROCESS at the start of text, -1 if
// there is none.
func driverEnd(text string) int {
	open := strings.IndexByte(text, '(')
	if open < 1 || strings.ContainsAny(text[:open], " :,<>") {
		return -1
	}
	return open
}

// cutProcess takes the process and the connection off; 2.4's prefix, which holds
// the request itself, it leaves.
func cutProcess(message string) string {
	for _, process := range [...]string{"auth: ", "auth-worker: ", "auth(default): "} { // the last of 1.x
		if text, ok := strings.CutPrefix(message, process); ok {
			return cutConnection(text)
		}
	}
	if rest, ok := strings.CutPrefix(message, "auth-worker("); ok {
		if pid, text, closed := strings.Cut(rest, "): "); closed && isNumber(pid) {
			return cutConnection(text)
		}
	}
	return cutConnection(message)
}

// cutConnection takes "conn unix:auth-worker (pid=N,uid=N): auth-worker<N>: " of
// 2.3 off, with or without pid (a system that cannot tell it) and worker. The
// level that stood before it stays if it tells of trouble.
func cutConnection(text string) string {
	rest := cutPeer(text)
	if isTrouble(text) && len(rest) < len(text) {
		level, _, _ := strings.Cut(text, " ")
		return level + " " + rest
	}
	return rest
}

func cutPeer(text string) string {
	conn, ok := strings.CutPrefix(cutLevel(text), "conn unix:")
	if !ok {
		return text
	}
	_, conn, ok = strings.Cut(conn, " (")
	peer, after, closed := strings.Cut(conn, "): ")
	if !ok || !closed || strings.ContainsAny(peer, "<>:") {
		return text
	}
	if worker, is := strings.CutPrefix(after, "auth-worker<"); is {
		if number, rest, found := strings.Cut(worker, ">: "); found && isNumber(number) {
			return rest
		}
	}
	return after
}

// cutRequest splits at the end of the request's bracket and counts the places
// that can be this end: those before which an address stands, or any if no
// address does. The server's own end is always among them, so one end is certain.
func cutRequest(text string) (inner, said string, ends int) {
	hasAddr := false
	for at := range len(text) {
		if text[at] != ')' {
			continue
		}
		sessions, after, ok := cutSessions(text[at+1:])
		if !ok {
			continue
		}
		switch addressed := endsWithAddr(text[:at]); {
		case addressed && !hasAddr, ends == 0:
			hasAddr, ends = addressed, 1
			inner, said = text[:at]+sessions, after
		case addressed == hasAddr:
			ends++
		}
	}
	return inner, said, ends
}

// cutSessions takes 2.4's "<SESSION>", of which a worker has two, and ": " off the
// start of text. The sessions come back as 2.3 writes them, ",<SESSION>".
func cutSessions(text string) (sessions, said string, ok bool) {
	for strings.HasPrefix(text, "<") {
		session, rest, closed := strings.Cut(text[1:], ">")
		if !closed {
			return "", "", false
		}
		sessions, text = sessions+",<"+session+">", rest
	}
	said, ok = strings.CutPrefix(text, ": ")
	return sessions, said, ok
}

// endsWithAddr tells whether ",ADDRESS" and the fields that may follow it end the
// text of a bracket.
func endsWithAddr(inner string) bool {
	for {
		comma := strings.LastIndexByte(inner, ',')
		if comma < 0 {
			return false
		}
		field := inner[comma+1:]
		if _, ok := event.ParseAddr(field); ok {
			return true
		}
		if !isRequestField(field) {
			return false
		}
		inner = inner[:comma]
	}
}

// isRequestField knows what may stand after the address. The auth process has
// looked the mechanism up before it writes the name, which holds no bracket.
func isRequestField(field string) bool {
	switch {
	case field == "", field == "master":
		return true
	case strings.HasPrefix(field, "sasl:"):
		return !strings.ContainsAny(field, "() <>")
	}
	return strings.HasPrefix(field, "<") && strings.HasSuffix(field, ">")
}

// isDisallowed knows "Username character disallowed by auth_username_chars: 0xNN
// (username: USER)", whose request has "?" for the user: nothing that a client
// wrote stands before its address. Where all characters are allowed, a user name
// may itself read so; then something of the server's own follows the name, and it
// does not end in a bracket unless it opens one.
func isDisallowed(inner, said string) bool {
	said, ok := strings.CutPrefix(cutDriver(said), "Username character disallowed by auth_username_chars: 0x")
	if !ok || !strings.HasPrefix(inner, "?,") {
		return false
	}
	_, user, ok := strings.Cut(said, " (username: ")
	return ok && strings.HasSuffix(user, ")") && !strings.Contains(user, "(")
}

// cutDriver takes "request [N]: " and "sql: " of 2.4 off.
func cutDriver(said string) string {
	said = cutLevel(said)
	if rest, ok := strings.CutPrefix(said, "request ["); ok {
		_, said, _ = strings.Cut(rest, "]: ")
	}
	driver, rest, ok := strings.Cut(said, ": ")
	if ok && driver != "" && !strings.ContainsAny(driver, " ()") {
		return rest
	}
	return said
}

// readRequest reads USER,ADDRESS and the fields after them, each of a known
// form. A user that holds a comma leaves a field that is none.
func readRequest(inner string, e *event.Event) bool {
	fields := strings.Split(inner, ",")
	for i, f := range fields {
		switch {
		case i == 0:
			if f != "?" {
				e.User = f
			}
		case f == "":
		case i == 1:
			addr, ok := event.ParseAddr(f)
			if !ok {
				return false
			}
			e.Addr = addr
		case !isRequestField(f):
			return false
		case f[0] == '<':
			if session := f[1 : len(f)-1]; !isNumber(session) {
				e.Session = session
			}
		case strings.HasPrefix(f, "sasl:"):
			e.Mechanism = f[len("sasl:"):]
		}
	}
	return !strings.ContainsAny(e.User, "()<>")
}

// answers are what a password database says (src/auth/auth-request.c,
// passdb-pam.c, passdb-ldap.c), in this order. What the login process counts as
// "auth failed" is no less here, since its line folds into this one.
var answers = [...]struct {
	text string
	kind event.Kind
}{
	{"unknown user", event.AuthFailed},
	{"Unknown user", event.AuthFailed},
	{"Password mismatch", event.AuthFailed},
	{"password mismatch", event.AuthFailed},
	{"invalid credentials", event.AuthFailed},
	{"pam_authenticate() failed: Authentication failure", event.AuthFailed},
	{"pam_authenticate() failed: User not known", event.AuthFailed},
	{"pam_authenticate() failed: Permission denied", event.AuthFailed},
	{"pam_authenticate() failed: Have exhausted maximum number of retries", event.AuthFailed},
	{"pam_authenticate() failed: ", event.AuthFault}, // the module's own trouble
	{"pam_acct_mgmt() failed: ", event.LoginRefused},
	{"pam_", event.AuthFault},
	{"Login failed (status=", event.AuthFailed}, // checkpassword
	{"Login attempt with empty password", event.AuthFailed},
	{"Attempted login with password having illegal chars", event.AuthFailed},
	{"Username character disallowed by auth_username_chars", event.AuthFailed},
	{"Empty username", event.AuthFailed},
	{"Wrong nonce", event.AuthFailed}, // mech-scram.c
	{"Authentication failure due to policy server refusal: " + event.OwnMarker, event.OwnRefusal},
	{"Authentication failure due to policy server refusal", event.LoginRefused},
	{"allow_nets check failed", event.LoginRefused},
	{"invalid input", event.LoginRefused},
	{"Invalid username", event.LoginRefused},
	{"Unsupported authentication mechanism", event.LoginRefused},
	{"oauth2 failed: ", event.LoginRefused},
	{"Username or token missing", event.LoginRefused},
	{"Missing username or token", event.LoginRefused},
	{"Username '", event.LoginRefused}, // "… did not match" the one of the token
	{"Attempted master login", event.LoginRefused},
	{"Master user login attempted without", event.LoginRefused},
	{"User found from deny passdb", event.LoginRefused},
	{"SSL certificate didn't contain username", event.NoKind},
	{"Client didn't present valid SSL certificate", event.NoKind},
	{"User disabled", event.LoginRefused},
	{"user disabled", event.LoginRefused},
	{"Password expired", event.LoginRefused},
	{"Request timed out waiting for client", event.AuthAborted},
	{"Request timed out", event.AuthFault},
	{"ldap_bind() failed", event.AuthFault},
	{"Aborted", event.NoKind},
	{"Policy check action is ", event.NoKind},
	{"Policy server ", event.AuthFault},
	{"Empty password returned without nopassword", event.AuthFault},
	{"nopassword ", event.AuthFault},
	{"Password data is not valid for scheme", event.AuthFault},
	{"Unknown scheme ", event.AuthFault},
	{"All password databases were skipped", event.AuthFault},
	{"Falling back to expired data from cache", event.AuthFault},
	{"username changed ", event.NoKind},
	{"Master user ", event.NoKind},
}

func authKind(said string) (event.Kind, bool) {
	for _, a := range answers {
		if !strings.HasPrefix(said, a.text) {
			continue
		}
		if strings.HasSuffix(said, " - trying the next passdb") {
			return event.NoKind, true
		}
		return a.kind, true
	}
	if strings.HasPrefix(said, "Request ") && strings.Contains(said, " timed out after ") { // auth-request-handler.c
		return event.AuthFault, true
	}
	return event.NoKind, false
}

func isNumber(text string) bool {
	for i := range len(text) {
		if text[i]-'0' > 9 {
			return false
		}
	}
	return text != ""
}
