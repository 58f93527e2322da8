package session

import (
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
)

const (
	// oneConnection is how long postscreen's tests take: the greet wait is 6 s
	// (postscreen_greet_wait), and what follows is soon over.
	oneConnection = 10 * time.Second

	// staysScreened is how long one connection may stay with postscreen's own SMTP
	// engine: each command has 300 s (postscreen_command_time_limit). A client
	// rarely takes the same port again within it.
	staysScreened = 300 * time.Second
)

// endpoint is the client's end of one connection.
type endpoint struct {
	addr netip.Addr
	port string
}

type refusals struct {
	first int64  // as time.Time.UnixNano has it
	kinds uint64 // a bit for each kind of refusal
}

// postscreen folds what one connection did wrong into one offence: a client that
// talks too early also pipelines, and what it sends is no SMTP.
func (j *Joiner) postscreen(r *event.Record) bool {
	if r.Kind.Class() != event.Hostile || !r.Addr.IsValid() {
		return false
	}
	if first := j.screened.get(r.Addr); first != nil && since(*first, r).Abs() <= oneConnection {
		return true
	}
	*j.screened.put(r.Addr) = r.Time.UnixNano()
	return false
}

// isScreenedAgain knows a refusal by postscreen for which the same connection was
// refused before, as isRefusedAgain does for smtpd.
func (j *Joiner) isScreenedAgain(r *event.Record) bool {
	if r.Code == "" || r.Session == "" || !r.Addr.IsValid() {
		return false
	}
	k := endpoint{r.Addr, r.Session}
	s := j.refused.get(k)
	if s == nil || since(s.first, r).Abs() > staysScreened {
		k.port = strings.Clone(k.port)
		s = j.refused.put(k)
		s.first = r.Time.UnixNano()
	}
	known := s.kinds&(1<<r.Kind) != 0
	s.kinds |= 1 << r.Kind
	return known
}
