package session

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// maxHosts is the number of hosts for which it is remembered which of the daemons they
// run.
const maxHosts = 4096

// hostDaemons records which daemons that take part in a login have logged from a host.
// Postfix may ask a Dovecot on another machine or in another container (smtpd_sasl_path =
// inet:imap.example.org:12345). Both then log the same login under two host names.
type hostDaemons struct {
	smtpd, dovecot bool

	twice    bool  // the log holds the host's lines twice
	twiceSSH int64 // the latest time, a time.Time.UnixNano, at which it held those of sshd twice; 0: never
	// twiceDovecot is the same for Dovecot.
	twiceDovecot int64

	explains bool // its auth process logs why a login failed (auth_verbose = yes)
}

// loginHosts remembers the hosts that take part in logins.
type loginHosts struct {
	hosts       *fifoMap[uint64, hostDaemons]
	remote      *fifoMap[netip.Addr, uint64] // the host that last checked a client's password, among hosts without smtpd
	latestSMTPD uint64                       // the host of the last call of noteSMTPD; 0: none
	anyTwice    bool                         // a host's lines may be in the log twice
}

// noteTwice remembers whether the log holds the lines of a host twice.
func (l *loginHosts) noteTwice(host uint64, isTwice bool) {
	if isTwice || l.anyTwice {
		l.daemonsOf(host).twice = isTwice
		l.anyTwice = true
	}
}

// isTwice reports whether the log holds the lines of a host twice.
func (l *loginHosts) isTwice(host uint64) bool {
	if !l.anyTwice {
		return false
	}
	h := l.hosts.get(host)
	return h != nil && h.twice
}

// twiceLasts is how long after a line of sshd, or of Dovecot, that was there twice others are
// taken for copies. Their logs may be kept in other files than Postfix's, and may have no
// line that shows that they are not doubled any more.
const twiceLasts = time.Hour

// isTwiceSSH reports whether the log holds the lines of a host's sshd twice, if it holds
// the line of r twice.
func (l *loginHosts) isTwiceSSH(r *event.Record) bool {
	if isOnce(r) {
		l.daemonsOf(r.From().Host).twiceSSH = r.Time.UnixNano()
		return true
	}
	h := l.hosts.get(r.From().Host)
	return h != nil && h.twiceSSH != 0 && since(h.twiceSSH, r).Abs() <= twiceLasts
}

// isTwiceDovecot reports whether the log holds the lines of a host's Dovecot twice.
func (l *loginHosts) isTwiceDovecot(r *event.Record) bool {
	h := l.hosts.get(r.From().Host)
	return h != nil && (h.twice || h.twiceDovecot != 0 && since(h.twiceDovecot, r).Abs() <= twiceLasts)
}

// isOnceASession reports whether a login process of Dovecot logs the line of r once for each
// connection: a login, or an end without one.
func isOnceASession(r *event.Record) bool {
	return r.Session != "" && r.Program != "dovecot/auth" && (r.Kind == event.LoginOK || isAttempt(r) && !isMidway(r))
}

// isOnce reports whether a process of sshd logs the line of r at most once in a second:
// "Invalid user" and all about the end of a connection, and pam_unix's about a wrong
// password, after which PAM lets the client wait. Without PAM a client can fail several
// times in a second.
func isOnce(r *event.Record) bool {
	return r.PID != 0 && r.Phase != event.Attempt && r.Kind != event.Penalised && (r.Mechanism != event.PAM || moduleName(r) == "pam_unix")
}

// noteSMTPD remembers that a host runs smtpd. Most lines come from the same host as
// the one before.
func (l *loginHosts) noteSMTPD(host uint64) {
	if l.latestSMTPD == host {
		return
	}
	l.daemonsOf(host).smtpd = true
	l.latestSMTPD = host
}

// noteDovecot remembers that a host runs Dovecot.
func (l *loginHosts) noteDovecot(host uint64) { l.daemonsOf(host).dovecot = true }

// daemonsOf returns the record of a host, a new one if there is none.
func (l *loginHosts) daemonsOf(host uint64) *hostDaemons {
	h := l.hosts.get(host)
	if h == nil {
		h = l.hosts.put(host)
		l.latestSMTPD = 0 // it may be the one that was dropped
	}
	return h
}

// noteRemoteLogin remembers the host that checked a login, if no smtpd logs there. The
// login may be one of another host's Postfix.
func (l *loginHosts) noteRemoteLogin(r *event.Record) {
	host := r.From().Host
	if h := l.hosts.get(host); h != nil && !h.smtpd {
		*l.remote.put(r.Addr) = host
	}
}

// checkedBy returns the host that checks a client's logins for Postfix. It is the same
// host if Dovecot has logged there, else the host without smtpd that has just checked the
// client's password.
func (l *loginHosts) checkedBy(r *event.Record) uint64 {
	host := r.From().Host
	if h := l.hosts.get(host); h != nil && h.dovecot {
		return host
	}
	if remote := l.remote.get(r.Addr); remote != nil {
		if h := l.hosts.get(*remote); h != nil && !h.smtpd {
			return *remote
		}
	}
	return host
}
