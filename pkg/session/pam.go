package session

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

const (
	// pamDelay bounds the time from a PAM module's line to the daemon's line about the
	// same login. The module delays a failure for 2 s and more (pam_fail_delay(3)),
	// Dovecot for up to 15 s.
	pamDelay = 20 * time.Second

	// nextModule bounds the time from one PAM module's line to the next module's about
	// the same login. pam_sss may have to ask a server.
	nextModule = 10 * time.Second

	// loginStays bounds the time from a failed login to the line of Dovecot's login
	// process about the end of the connection, which may be idle for three minutes
	// (CLIENT_LOGIN_TIMEOUT_MSECS, login-common).
	loginStays = 200 * time.Second
)

// pamKey is all that a PAM module logs about a login, since it names neither a session
// nor a process that other lines name. Without a service it is the key of Dovecot's auth
// process (endKeyOf).
type pamKey struct {
	clientKey
	service event.Service
}

// pamSession counts the logins of a pamKey that PAM modules reported.
type pamSession struct {
	attempts int   // failed logins that the daemon has yet to report
	last     int64 // time of the last one, a time.Time.UnixNano
}

// pamSessions are the logins that PAM modules, or Dovecot's auth process, reported.
type pamSessions struct{ *fifoMap[pamKey, pamSession] }

// modules are the PAM modules that reported logins, by client.
type modules struct {
	*fifoMap[clientKey, moduleReports]
}

// moduleReports are the latest failed logins of a client that PAM modules reported. A PAM
// stack asks one module after the other. For example, on a host with SSSD both pam_unix
// and pam_sss log the same wrong password. The next line of another module about the same
// user is about the same login; one of the same module is the next login.
type moduleReports [4]moduleReport

// moduleReport is one of these logins.
type moduleReport struct {
	user    event.AccountHash
	at      int64     // a time.Time.UnixNano; 0: none
	modules [3]uint64 // hashes of the names of those that reported it
}

// isNext reports whether another PAM module has reported the login of r, which is of a
// user.
func (m modules) isNext(r *event.Record, user event.AccountHash) bool {
	name := moduleName(r)
	if name == "" {
		return false
	}
	reports := m.getOrPut(clientKeyOf(r.From().Host, r.Addr))
	module := textHash(name)
	for i := range reports {
		if p := &reports[i]; p.at != 0 && p.user == user && since(p.at, r).Abs() <= nextModule && p.add(module) {
			return true
		}
	}
	copy(reports[:], reports[1:]) // the oldest goes
	reports[len(reports)-1] = moduleReport{user: user, at: r.Time.UnixNano(), modules: [3]uint64{module}}
	return false
}

// moduleName returns "pam_sss" for "pam_sss(dovecot:auth): authentication failure", and
// "" for lines of the PAM library itself.
func moduleName(r *event.Record) string {
	name, _, _ := strings.Cut(r.Reason, "(")
	if !strings.HasPrefix(name, "pam_") {
		return ""
	}
	return name
}

// add adds a module to those that reported the login. It reports false if the module is
// one of them already, or if there is no room for it.
func (p *moduleReport) add(module uint64) bool {
	for i, known := range p.modules {
		switch known {
		case module:
			return false
		case 0:
			p.modules[i] = module
			return true
		}
	}
	return false
}

// pamKeyOf returns the key of a client's logins that a host checks. Postfix asks Dovecot,
// since it has no PAM of its own.
func pamKeyOf(r *event.Record, host uint64) pamKey {
	if r.Service == event.SSHD {
		return pamKey{clientKeyOf(host, r.Addr), event.SSHD}
	}
	return pamKey{clientKeyOf(host, r.Addr), event.Dovecot}
}

// expectPAM remembers the attempts that a PAM module reported, since the daemon will
// report them too.
func (j *Joiner) expectPAM(r *event.Record) {
	if !r.Addr.IsValid() {
		return
	}
	j.pam.getOrPut(pamKeyOf(r, r.From().Host)).addExpected(r)
	if r.Service == event.Dovecot {
		j.noteRemoteLogin(r)
	}
}

// addExpected adds the attempts of r, and forgets older ones that no daemon will report
// any more.
func (s *pamSession) addExpected(r *event.Record) {
	if since(s.last, r) > loginStays {
		s.attempts = 0
	}
	s.attempts += r.Attempts
	s.last = r.Time.UnixNano()
}

// deductFrom deducts attempts that were reported within a time from r, and reports
// whether none is left.
func (s *pamSession) deductFrom(r *event.Record, within time.Duration) bool {
	if s.attempts == 0 || since(s.last, r).Abs() > within {
		return false
	}
	n := min(s.attempts, r.Attempts)
	s.attempts -= n
	r.Attempts -= n
	return r.Attempts <= 0
}

// forget removes one attempt that the daemon has reported meanwhile.
func (p pamSessions) forget(r *event.Record) {
	if s := p.get(pamKeyOf(r, r.From().Host)); s != nil && s.attempts > 0 {
		s.attempts--
	}
}

// deductPAM deducts the client's attempts that a PAM module reported from r, and reports
// whether none is left.
func (j *Joiner) deductPAM(r *event.Record) bool {
	if r.Kind != event.AuthFailed || !r.Addr.IsValid() || r.Testimony.EndsSession() {
		return false
	}
	within, host := pamDelay, r.From().Host
	switch {
	case r.Service == event.Postfix:
		host = j.checkedBy(r)
	case r.Service == event.Dovecot && r.Program != "dovecot/auth":
		within = loginStays
	}
	s := j.pam.get(pamKeyOf(r, host))
	return s != nil && s.deductFrom(r, within)
}
