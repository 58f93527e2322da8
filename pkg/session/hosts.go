package session

import "csmail/pkg/event"

// maxHosts bounds the hosts of which it is remembered which daemons they run.
const maxHosts = 4096

// hostDaemons says which daemons of one login have logged from a host. Postfix may ask
// a Dovecot on another machine or in another container (smtpd_sasl_path =
// inet:imap.example.org:12345); both then log one login under two host names.
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

func (j *Joiner) noteDovecot(host uint64) { j.daemonsOf(host).dovecot = true }

func (j *Joiner) daemonsOf(host uint64) *hostDaemons {
	h := j.hosts.get(host)
	if h == nil {
		h = j.hosts.put(host)
		j.latestSMTPD = 0 // it may be the one that had to go
	}
	return h
}

// noteRemoteLogin remembers where a login was checked, if no smtpd logs there: then it
// may be one of another host's Postfix.
func (j *Joiner) noteRemoteLogin(r *event.Record) {
	host := r.From().Host
	if h := j.hosts.get(host); h != nil && !h.smtpd {
		*j.remote.put(r.Addr) = host
	}
}

// checkedBy returns the host whose Dovecot checks Postfix's logins of a client: the
// same host, if Dovecot has logged there; else one that has just checked the client's
// password and runs no smtpd of its own.
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
