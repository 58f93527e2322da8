package session

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

// saslDelay bounds the time from Dovecot's line to Postfix's about the same
// login: Dovecot's penalty holds an answer back for up to 15 s.
const saslDelay = 20 * time.Second

// saslClient is a client of Postfix, which asks Dovecot whether it may log in.
// Both tell of a failure.
type saslClient struct {
	dovecot told // what Dovecot told, and Postfix has yet to
	postfix told // what Postfix told first: the two do not wait for each other
	fault   told // logins that Dovecot could not check
}

// expectSASL remembers what Dovecot says of a login without a session: a program
// like Postfix asked, and will tell of it too.
func (j *Joiner) expectSASL(r *event.Record) bool {
	s := j.saslOf(r)
	switch {
	case s.fault.isSame(r):
		excuse(r)
		s.fault.last = r.Time.UnixNano()
		return true
	case s.dovecot.isSame(r): // the next password database
		if isFault(r) {
			s.fault.expect(r)
		}
		return true
	case isFault(r):
		s.fault.expect(r) // of no connection to Dovecot: its guesses would fold into faults that it brought about at Postfix
		return false
	case s.postfix.isCrossed(r):
		return true
	}
	s.dovecot.expect(r)
	j.expectEnd(r)
	return false
}

// expect counts r, and forgets what nobody will tell of any more.
func (t *told) expect(r *event.Record) {
	if since(t.last, r) > saslDelay {
		t.attempts = 0
	}
	t.count(r)
}

func (j *Joiner) saslOf(r *event.Record) *saslClient {
	s := j.sasl.get(r.Addr)
	if s == nil {
		s = j.sasl.put(r.Addr)
	}
	return s
}

// isToldByDovecot takes off what Dovecot told of the same client's login.
func (j *Joiner) isToldByDovecot(r *event.Record) bool {
	if !r.Addr.IsValid() {
		return false
	}
	if r.Kind == event.AuthFault {
		j.useFault(r)
	}
	if r.Kind != event.AuthFailed {
		return false
	}
	s := j.saslOf(r)
	isTold := s.dovecot.isWithin(saslDelay, r)
	switch {
	case isTold && isSameUser(s.dovecot.user, r.User):
		return s.dovecot.take(r)
	case s.excuses(r):
		excuse(r)
		return true
	case isTold:
		return s.dovecot.take(r)
	}
	s.postfix.expect(r)
	return false
}

// useFault notes that Postfix itself told of a login as one that could not be
// checked: it excuses no other.
func (j *Joiner) useFault(r *event.Record) {
	if s := j.sasl.get(r.Addr); s != nil {
		s.excuses(r)
	}
}

// excuses tells whether r is about a login that Dovecot could not check. One line of
// Postfix's uses the fault up, unless it names the very user, who may have come by
// several connections.
func (s *saslClient) excuses(r *event.Record) bool {
	isLeft := s.fault.isWithin(saslDelay, r) && s.fault.isOf(r)
	if isLeft {
		s.fault.attempts--
	}
	return isLeft || r.User != "" && strings.EqualFold(s.fault.user, r.User) && since(s.fault.last, r).Abs() <= saslDelay
}
