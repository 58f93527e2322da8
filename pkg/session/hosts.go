package session

import (
	"net/netip"

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

	twice bool // the log holds the host's lines twice
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
