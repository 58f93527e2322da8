package session

import "csmail/pkg/event"

// relayed is a connection that a Dovecot proxy passes on to a server behind it. If both
// log to one place, each wrong password is there twice. They share the session's ID, and
// the client's address if the server trusts the proxy (login_trusted_networks): the proxy
// sends them as x-session-id and x-originating-ip (imap-proxy.c, pop3-proxy.c). For
// example, with one attempt:
//
//	back  auth: passwd-file(bob,192.0.2.1,<u1Dl>): Password mismatch
//	back  imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): … session=<u1Dl>
//	front imap-login: proxy(bob,198.51.100.5:143): Login failed: [AUTHENTICATIONFAILED] … session=<u1Dl>
//	front imap-login: Disconnected: Aborted login by logging out (proxy dest auth failed): … session=<u1Dl>
//
// The line that comes first counts. The proxy connects anew for each attempt.
type relayed struct {
	addr   address
	user   event.AccountHash // of the last attempt
	server int               // attempts that the server reported, and the proxy has yet to report
	proxy  int               // attempts that the proxy reported first
}

// joinRelayed deducts from r what the other of the two, proxy and server, reported about
// the same connection and account, and reports whether nothing is left. A proxy may have
// users of its own, too: a client that fails as one of them made another attempt. If csmail
// refused the login at the server, what the proxy says of it is no offence either.
func (j *Joiner) joinRelayed(r *event.Record) bool {
	if r.Kind != event.AuthFailed && r.Kind != event.OwnRefusal || r.Session == "" {
		return false
	}
	s := j.relayed.getOrPut(textHash(r.Session))
	addr, user := addressOf(r.Addr), j.accountOf(r)
	if s.addr != addr || !s.user.IsZero() && !user.IsZero() && !s.user.Is(user) {
		*s = relayed{addr: addr}
	}
	if !user.IsZero() {
		s.user = user
	}
	switch {
	case r.Kind == event.OwnRefusal:
		s.server += r.Attempts
		return false
	case r.Cause != event.Relayed:
		deduct(&s.proxy, r)
		s.server += r.Attempts
	case r.Phase == event.Attempt:
		deduct(&s.server, r)
		s.proxy += r.Attempts
	case s.server > 0: // the end of the connection counts one, whatever their number
		s.server, r.Attempts = 0, 0
	default:
		s.proxy += r.Attempts
	}
	return r.Attempts <= 0
}

// deductBehind does what deductPAM does where r is a proxy's: a PAM module of the server
// behind it, the host, may have reported the login first. A nil host is not known.
func (p pamSessions) deductBehind(r *event.Record, host *uint64) bool {
	if r.Kind != event.AuthFailed || r.Cause != event.Relayed || !r.Addr.IsValid() || host == nil {
		return false
	}
	s := p.get(pamKeyOf(r, *host))
	return s != nil && s.deductFrom(r, loginStays)
}

// deduct takes as many attempts as possible from both.
func deduct(reported *int, r *event.Record) {
	n := min(*reported, r.Attempts)
	*reported -= n
	r.Attempts -= n
}
