package session

import "csmail/pkg/event"

// maxHosts is the number of hosts for which it is remembered which of the daemons they
// run.
const maxHosts = 4096

// hostDaemons records which daemons that take part in a login have logged from a host.
// Postfix may ask a Dovecot on another machine or in another container (smtpd_sasl_path =
// inet:imap.example.org:12345). Both then log the same login under two host names.
type hostDaemons struct{ smtpd, dovecot bool }

// noteSMTPD remembers that a host runs smtpd. Most lines come from the same host as
// the one before.
func (j *Joiner) noteSMTPD(host uint64) {
	if j.latestSMTPD == host {
		return
	}
	j.daemonsOf(host).smtpd = true
	j.latestSMTPD = host
}

// noteDovecot remembers that a host runs Dovecot.
func (j *Joiner) noteDovecot(host uint64) { j.daemonsOf(host).dovecot = true }

// daemonsOf returns the record of a host, a new one if there is none.
func (j *Joiner) daemonsOf(host uint64) *hostDaemons {
	h := j.hosts.get(host)
	if h == nil {
		h = j.hosts.put(host)
		j.latestSMTPD = 0 // it may be the one that was dropped
	}
	return h
}

// noteRemoteLogin remembers the host that checked a login, if no smtpd logs there. The
// login may be one of another host's Postfix.
func (j *Joiner) noteRemoteLogin(r *event.Record) {
	host := r.From().Host
	if h := j.hosts.get(host); h != nil && !h.smtpd {
		*j.remote.put(r.Addr) = host
	}
}

// checkedBy returns the host that checks a client's logins for Postfix. It is the same
// host if Dovecot has logged there, else the host without smtpd that has just checked the
// client's password.
func (j *Joiner) checkedBy(r *event.Record) uint64 {
	host := r.From().Host
	if h := j.hosts.get(host); h != nil && h.dovecot {
		return host
	}
	if remote := j.remote.get(r.Addr); remote != nil {
		if h := j.hosts.get(*remote); h != nil && !h.smtpd {
			return *remote
		}
	}
	return host
}
