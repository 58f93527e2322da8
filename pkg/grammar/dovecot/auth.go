package dovecot

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/pam"
)

// auth reads the lines of the auth and auth-worker processes (auth_verbose = yes), in
// the wording of 2.0-2.3
//
//	auth: DRIVER(USER,ADDRESS[,master][,<SESSION>]): TEXT
//	auth-worker(PID): [conn unix:… (pid=N,uid=N): auth-worker<N>: ]DRIVER(…): TEXT
//
// and of 2.4 (src/auth/auth-request.c, get_log_prefix)
//
//	auth(USER,ADDRESS[,sasl:MECH][,master])<SESSION>: DRIVER: TEXT
//	auth-worker(USER,ADDRESS,…)<PID><SESSION>: request [N]: DRIVER: TEXT
//
// The user comes before the address, and the text may quote the user or the password. If
// the end of the bracket is not certain, nothing is taken.
func auth(message string, e *event.Event) event.Outcome {
	rest := cutLevel(message) // 1.x puts the level first
	text := cutProcess(rest)
	if isTrouble(message) {
		return fault(message, text, e)
	}
	if pam.IsOurs(text) {
		return pam.Parse(text, e)
	}
	if strings.HasPrefix(text, "Debug: ") || strings.HasPrefix(message, "Debug: ") {
		return event.Benign
	}
	if isTrouble(text) {
		return fault(text, cutLevel(text), e)
	}
	isWarning := strings.HasPrefix(text, "Warning: ") || strings.HasPrefix(message, "Warning: ")
	text = cutLevel(text)
	open := driverEnd(text)
	if open < 0 {
		return aboutProcess(text, isWarning)
	}
	r, reason, ends := cutRequest(text[open+1:])
	said := cutNumber(reason)
	switch {
	case ends == 0:
		return aboutProcess(text, isWarning)
	case isServer(text[:open], said):
		return event.Benign
	case ends > 1 && !isDisallowed(r.fields, said):
		return event.Ambiguous
	case strings.HasPrefix(said, "Debug: "):
		return event.Benign
	case isTrouble(said):
		return fault(said, text, e)
	case strings.HasPrefix(said, "Warning: "):
		return warning(said, text, e)
	case isWarning:
		return event.Benign // about a setting
	}
	kind, known := authKind(cutDriver(said))
	if !known {
		return event.Missed
	}
	if kind == event.NoKind {
		return event.Benign
	}
	if !r.read(e) {
		return event.Ambiguous
	}
	e.Kind, e.Attempts, e.Reason = kind, 1, reason
	return event.Noted
}

// aboutProcess reads a line that names no request: it is benign if it is a warning of
// the process's own, or known to be about the process itself.
func aboutProcess(text string, isWarning bool) event.Outcome {
	if isWarning {
		return event.Benign
	}
	driver, said, _ := strings.Cut(text, ": ")
	if isServer(driver, said) {
		return event.Benign
	}
	for _, known := range [...]string{
		"client in: ", "client out: ", "master in: ", "master out: ", "new auth connection: ", // 1.x, auth_debug
		"passwd-file /", "Loading modules from ", "Module loaded: ", "Read auth token secret from ",
		"Killed with signal ", "Shutting down", "Server shutting down",
	} {
		if strings.HasPrefix(text, known) {
			return event.Benign
		}
	}
	return event.Missed
}

// isServer reports whether a database driver reports its connection to a server, as
// "mysql" or "mysql(localhost)": "Connected to database mail" (src/lib-sql).
func isServer(driver, said string) bool {
	driver, _, _ = strings.Cut(driver, "(")
	switch driver {
	case "mysql", "pgsql", "sqlite", "cassandra", "ldap", "redis", "memcached":
		return said == "Connected" || strings.HasPrefix(said, "Connected to ") || strings.HasPrefix(said, "Connection established")
	}
	return false
}

// cutNumber takes the "request [N]: " of a worker of 2.4 off. It comes before the level
// or behind it.
func cutNumber(said string) string {
	rest, ok := strings.CutPrefix(said, "request [")
	if !ok {
		return said
	}
	number, rest, ok := strings.Cut(rest, "]: ")
	if !ok || !isNumber(number) {
		return said
	}
	return rest
}

// driverEnd returns the index of the bracket after DRIVER or PROCESS at the start of
// text, or -1.
func driverEnd(text string) int {
	open := strings.IndexByte(text, '(')
	if open < 1 || strings.ContainsAny(text[:open], " :,<>") {
		return -1
	}
	return open
}

// cutProcess takes the process and the connection off. It leaves 2.4's prefix, which
// holds the request itself.
func cutProcess(message string) string {
	for _, process := range [...]string{"auth: ", "auth-worker: ", "auth(default): ", "auth-worker(default): "} { // the last two of 1.x
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

// cutConnection takes "conn unix:auth-worker (pid=N,uid=N): auth-worker<N>: " of 2.3
// off, with or without pid (missing on systems that cannot find it) and worker. A level
// before it stays if it is a warning or worse.
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

// request is the identity of the login that a line is about: "USER,ADDRESS[,…]" in the
// bracket, and 2.4's "<SESSION>" behind it. A worker has two of these.
type request struct{ fields, sessions string }

// cutRequest splits at the end of the request's bracket, and counts the places that can
// be this end: those behind an address, or all brackets if there is no address. The
// server's own end is always among them, so if there is only one, it is certain.
func cutRequest(text string) (r request, said string, ends int) {
	hasAddr := false
	for at := -1; ; {
		next := strings.IndexByte(text[at+1:], ')')
		if next < 0 {
			return r, said, ends
		}
		at += next + 1
		sessions, after, ok := cutSessions(text[at+1:])
		if !ok {
			continue
		}
		switch addressed := endsWithAddr(text[:at]); {
		case addressed && !hasAddr, ends == 0:
			hasAddr, ends = addressed, 1
			r, said = request{text[:at], sessions}, after
		case addressed == hasAddr:
			ends++
		}
	}
}

// longestSession is more than the length of a session ID (login-common.h,
// LOGIN_MAX_SESSION_ID_LEN), and longestTail more than the text behind the user in a
// request's bracket. A client can write any number of brackets and commas. The check of
// each stays within these bounds, so that the time grows only in proportion to the
// line's length.
const (
	longestSession = 128
	longestTail    = 192
)

// cutSessions takes the sessions and ": " off the start of text.
func cutSessions(text string) (sessions, said string, ok bool) {
	rest := text
	for strings.HasPrefix(rest, "<") {
		end := strings.IndexByte(rest[:min(len(rest), longestSession)], '>')
		if end < 0 || len(text)-len(rest) > longestTail {
			return "", "", false
		}
		rest = rest[end+1:]
	}
	said, ok = strings.CutPrefix(rest, ": ")
	return text[:len(text)-len(rest)], said, ok
}

// endsWithAddr reports whether ",ADDRESS" and its optional fields end the text of a
// bracket.
func endsWithAddr(inner string) bool {
	inner = inner[max(0, len(inner)-longestTail):]
	for {
		comma := strings.LastIndexByte(inner, ',')
		if comma < 0 {
			return false
		}
		field := inner[comma+1:]
		if !isRequestField(field) {
			_, ok := event.ParseAddr(field)
			return ok
		}
		inner = inner[:comma]
	}
}

// isRequestField reports whether the field may come behind the address. The auth process
// looks the mechanism up before it writes the name, and no mechanism's name holds a
// bracket.
func isRequestField(field string) bool {
	switch {
	case field == "", field == "master":
		return true
	case strings.HasPrefix(field, "sasl:"):
		return !strings.ContainsAny(field, "() <>")
	}
	return strings.HasPrefix(field, "<") && strings.HasSuffix(field, ">")
}

// isDisallowed reports whether the text is "Username character disallowed by
// auth_username_chars: 0xNN (username: USER)". The request of that line has "?" for the
// user, so there is no client text before its address. Where all characters are allowed,
// a user name itself may have this form; then server text follows the name, and that
// does not end in a bracket unless it opens one.
func isDisallowed(inner, said string) bool {
	said, ok := strings.CutPrefix(cutDriver(said), "Username character disallowed by auth_username_chars: 0x")
	if !ok || !strings.HasPrefix(inner, "?,") {
		return false
	}
	_, user, ok := strings.Cut(said, " (username: ")
	return ok && strings.HasSuffix(user, ")") && !strings.Contains(user, "(")
}

// cutDriver takes the level, "request [N]: " and "sql: " of 2.4 off.
func cutDriver(said string) string {
	said = cutLevel(cutNumber(cutLevel(said)))
	driver, rest, ok := strings.Cut(said, ": ")
	if !ok || strings.ContainsAny(driver, " ()") {
		return said
	}
	switch driver {
	case "", "db-lua", "allow_nets", "allow_real_nets", "authn_name", "authz_name": // of the text itself
		return said
	}
	return rest
}

// read takes USER,ADDRESS, the fields after them, each of a known form, and the
// sessions. A comma in the user leaves an unknown field.
func (r request) read(e *event.Event) bool {
	user, rest, _ := strings.Cut(r.fields, ",")
	if len(user) > longestName {
		return false // more than Dovecot writes: the line may be cut
	}
	if user != "?" {
		e.User = user
	}
	address, rest, _ := strings.Cut(rest, ",")
	if address != "" {
		addr, ok := event.ParseAddr(address)
		if !ok {
			return false
		}
		e.Addr = addr
	}
	for field := range strings.SplitSeq(rest, ",") {
		switch {
		case !isRequestField(field):
			return false
		case strings.HasPrefix(field, "<"):
			readSession(field[1:len(field)-1], e)
		case strings.HasPrefix(field, "sasl:"):
			e.Mechanism = field[len("sasl:"):]
		}
	}
	if strings.Contains(r.sessions, ",") {
		return false
	}
	for rest := r.sessions; rest != ""; {
		session, after, _ := strings.Cut(rest[1:], ">")
		readSession(session, e)
		rest = after
	}
	return !strings.ContainsAny(e.User, "()<>")
}

// readSession notes a session; a number is a worker's own.
func readSession(session string, e *event.Event) {
	if !isNumber(session) {
		e.Session = session
	}
}

func isNumber(text string) bool {
	for i := range len(text) {
		if text[i]-'0' > 9 {
			return false
		}
	}
	return text != ""
}
