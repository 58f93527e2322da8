package logline

import (
	"fmt"
	"strings"
)

// writer is the process that wrote a journal entry, by the fields that journald sets
// itself (systemd.journal-fields(7), trusted fields). MESSAGE, SYSLOG_IDENTIFIER and
// SYSLOG_FACILITY come from the process, and any user of the host can set them: logger
// -t postfix/smtpd "…".
type writer struct {
	uid        string // _UID, "" if the entry does not have it
	command    string // _COMM, which a process may set itself
	executable string // _EXE
	unit       string // _SYSTEMD_UNIT
}

// maxSystemUID is the last user ID of system accounts (SYS_UID_MAX, login.defs(5)).
const maxSystemUID = 999

// doubt returns "" if the entry may be trusted to come from program, else a description
// of the writer. Trusted are:
//
//   - an entry without _UID: it did not come through journald, but from the writer of
//     the journal file (systemd-journal-remote, a reduced export);
//   - root: Postfix's master, Dovecot's log process, sshd, Docker's daemon;
//   - a system account that runs the named daemon's executable, in a service of the mail
//     system or of sshd, in one of a syslog daemon, or in a scope, as when root started
//     Postfix by hand. smtpd runs as user postfix. A mail filter that a user started
//     from ~/.forward is in the service of Postfix too, but has the user's own ID, and
//     a web application's system account is in another service;
//   - the matches that the administrator lists.
func (w *writer) doubt(program string, reading *Reading) string {
	if w.uid == "" || w.uid == "0" {
		return ""
	}
	if uid, ok := number(w.uid); ok && uid <= maxSystemUID && w.isDaemon(program) && isDaemonUnit(w.unit) {
		return ""
	}
	if reading != nil {
		for _, m := range reading.Trusted {
			if m.matches(w) {
				return ""
			}
		}
	}
	return "_UID=" + w.uid + " _COMM=" + w.command + " _SYSTEMD_UNIT=" + w.unit
}

// isDaemon reports whether the process runs the program that its entry names, or a
// syslog daemon that passes on other programs' messages.
func (w *writer) isDaemon(program string) bool {
	name := w.executable[strings.LastIndexByte(w.executable, '/')+1:]
	if w.executable == "" {
		name = w.command
	}
	switch name {
	case "":
		return false
	case "rsyslogd", "syslog-ng":
		return true
	}
	if program == "dovecot" { // its processes have names of their own, in a folder of that name
		return name == "dovecot" || strings.Contains(w.executable, "/dovecot/") || w.executable == "" && name == "log"
	}
	return name == program[strings.LastIndexByte(program, '/')+1:]
}

func isDaemonUnit(unit string) bool {
	if unit == "" || strings.HasSuffix(unit, ".scope") {
		return true
	}
	for _, name := range [...]string{"postfix", "dovecot", "ssh", "sshd", "rsyslog", "syslog-ng"} {
		rest, ok := strings.CutPrefix(unit, name)
		if ok && strings.HasSuffix(rest, ".service") && (rest[0] == '.' || rest[0] == '@') {
			return true
		}
	}
	return false
}

// Match is a trusted field and the value that it must have: "_UID=5000",
// "_SYSTEMD_UNIT=mailcow.service", "_EXE=/usr/bin/conmon"; or "all", which trusts every
// entry.
type Match struct{ field, value string }

// ParseMatch reads a Match. Fields that a process sets itself are refused, and so is
// _COMM, which it may set as well (PR_SET_NAME, prctl(2)).
func ParseMatch(text string) (Match, error) {
	field, value, ok := strings.Cut(text, "=")
	switch {
	case text == "all":
		return Match{field: text}, nil
	case !ok || value == "":
		return Match{}, fmt.Errorf("%q is not of the form _FIELD=VALUE", text)
	case field != "_UID" && field != "_EXE" && field != "_SYSTEMD_UNIT":
		return Match{}, fmt.Errorf("field %q: must be one of _UID, _EXE, _SYSTEMD_UNIT, which journald sets itself", field)
	}
	return Match{field, value}, nil
}

func (m Match) matches(w *writer) bool {
	switch m.field {
	case "all":
		return true
	case "_UID":
		return m.value == w.uid
	case "_EXE":
		return m.value == w.executable
	case "_SYSTEMD_UNIT":
		return m.value == w.unit
	}
	return false
}
