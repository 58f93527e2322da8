package dovecot

import (
	"strings"

	"csmail/pkg/event"
)

// isTrouble reports whether Dovecot logged text as an error of its own. If the line
// names a client, that client did not cause the error.
func isTrouble(text string) bool {
	return strings.HasPrefix(text, "Error: ") || strings.HasPrefix(text, "Fatal: ") || strings.HasPrefix(text, "Panic: ")
}

// warning reads a warning about one login. It is a fault if a server that was
// asked is away; most others are about settings, and come with each login.
func warning(said, text string, e *event.Event) event.Outcome {
	if !strings.Contains(said, " failed: ") && !strings.Contains(said, "reconnecting") {
		return event.Benign
	}
	return fault(said, text, e)
}

// fault reads an error of the auth process and the login that it hit, if it names
// one. The guard takes a fault without a client for certain, so a user name that
// hides the client's address must not turn into one.
func fault(reason, text string, e *event.Event) event.Outcome {
	if isProvoked(cutLevel(text)) {
		return event.Benign
	}
	e.Kind, e.Attempts, e.Reason = event.AuthFault, 1, reason
	if strings.HasPrefix(reason, "Warning: ") {
		e.Phase = event.Retry
	}
	open := driverEnd(text)
	if open < 0 {
		return event.Noted
	}
	r, said, ends := cutRequest(text[open+1:])
	if ends == 0 {
		return event.Noted
	}
	said = cutNumber(said)
	if !endsWithAddr(r.fields) {
		if isRequest(text[:open], r.fields) {
			e.User, _, _ = strings.Cut(r.fields, ",")
			missingFile(text[:open], said, e)
		}
		return event.Noted
	}
	if ends > 1 || strings.HasPrefix(r.fields, "/") || !r.read(e) { // stat(/etc/users/USER): a file named for a user
		return event.Ambiguous
	}
	missingFile(text[:open], said, e)
	return event.Noted
}

// isProvoked reports whether a client can cause the error, or it comes with a setting, so
// that it says nothing about the login service:
//   - "BUG: …" about a request that is too long for the auth process
//     (auth-client-connection.c).
//   - "auth client N disconnected with M pending requests": Postfix gave up
//     waiting, because Dovecot held the answer back (auth_penalty, up to 15 s for
//     an address that guesses), or because the SMTP client left.
//   - "net_connect_unix(anvil-auth-penalty) failed": the administrator switched
//     that penalty off as the documentation says, with mode 0 for its socket.
func isProvoked(text string) bool {
	switch {
	case strings.HasPrefix(text, "BUG: "):
		return true
	case strings.HasPrefix(text, "auth client "), strings.HasPrefix(text, "Auth client "):
		return strings.Contains(text, " disconnected with ") && strings.Contains(text, " pending requests")
	}
	path, ok := strings.CutPrefix(text, "net_connect_unix(")
	path, _, closed := strings.Cut(path, ") failed: ")
	return ok && closed && strings.HasSuffix(path, "anvil-auth-penalty")
}

// missingFile turns the error about a missing password file into an unknown user, if the
// file's name holds the user's. There is then one file for each domain or user, and a
// client tried a domain without one. Dovecot 2.2 to 2.3.6 calls that an error
// (db-passwd-file.c); later it is "missing passwd file", for information. A missing file
// with a fixed name remains a fault, because then no user can log in.
//
// For example: "passwd-file(info,192.0.2.1,<s>): stat(/etc/dovecot/users//passwd)
// failed: No such file or directory", where info has no domain.
func missingFile(driver, said string, e *event.Event) {
	path, ok := strings.CutPrefix(said, "stat(")
	if !ok {
		path, ok = strings.CutPrefix(said, "open(")
	}
	end := strings.LastIndex(path, ") failed: ")
	if driver != "passwd-file" || !ok || end < 0 {
		return
	}
	switch path[end+len(") failed: "):] {
	case "No such file or directory", "Not a directory", "File name too long":
	default:
		return
	}
	if isNamedFor(path[:end], e.User) {
		e.Kind, e.Reason = event.AuthFailed, "unknown user: no passwd-file"
	}
}

// longestName is where Dovecot cuts a user's name in the log of its auth processes
// (auth-request.c, MAX_LOG_USERNAME_LEN), but not in a path.
const longestName = 64

// isNamedFor reports whether a file's path was made with a user's name: it holds the
// domain or the local part as a word of its own, or an empty part if the name has no
// domain.
func isNamedFor(path, user string) bool {
	isCut := len(user) >= longestName
	local, domain, _ := strings.Cut(user[:min(len(user), longestName)], "@")
	return strings.Contains(path, "//") || hasWord(path, domain, isCut) || hasWord(path, local, isCut)
}

// hasWord reports whether word occurs in text, in upper or lower case, with no letter or
// digit beside it. A word that was cut may be followed by one.
func hasWord(text, word string, isCut bool) bool {
	if word == "" {
		return false
	}
	for at := 0; at+len(word) <= len(text); at++ {
		end := at + len(word)
		if isWordByte(text, at-1) || !isCut && isWordByte(text, end) {
			continue
		}
		if strings.EqualFold(text[at:end], word) {
			return true
		}
	}
	return false
}

// isWordByte reports whether the byte at an index of text is a letter or digit.
func isWordByte(text string, at int) bool {
	if at < 0 || at >= len(text) {
		return false
	}
	c := text[at]
	return c-'0' <= 9 || (c|0x20)-'a' <= 25 || c >= 0x80
}

// isRequest reports whether the bracket names the user of a request, here one without an
// address, like the recipient of a mail. Other brackets name a server:
// "mysql(localhost): Connect failed to database (mail): …", "imapc(127.0.0.1:143):
// connect(…) failed", 2.4's "ldap(ldap://192.0.2.9): …".
func isRequest(driver, inner string) bool {
	switch driver {
	case "ldap":
		return !strings.HasPrefix(inner, "ldap") || !strings.Contains(inner, "://") || strings.Contains(inner, "@")
	case "sql", "dict", "lua", "passwd-file", "passwd", "pam", "static", "oauth2", "imap", "auth", "auth-worker":
		return true
	}
	return false
}
