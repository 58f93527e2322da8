package session

import (
	"time"

	"csmail/pkg/event"
)

// staysScreened is how long one connection may stay with postscreen's own SMTP engine:
// each command has 300 s (postscreen_command_time_limit). A client rarely takes the
// same port again within it.
const staysScreened = 300 * time.Second

// maxScreened bounds the connections to postscreen that are remembered: it serves about
// a hundred at a time (postscreen_pre_queue_limit, postscreen_post_queue_limit).
const maxScreened = 4096

// screening is one connection to postscreen.
type screening struct {
	first    int64      // time of its first line, a time.Time.UnixNano
	last     int64      // time of its last line
	kind     event.Kind // of the event that counts
	attempts int
	hungUp   bool
}

// isOver reports whether r is about a later connection from the same port. postscreen
// logs PREGREET once a connection, and nothing after HANGUP.
func (s *screening) isOver(r *event.Record) bool {
	if since(s.first, r).Abs() > staysScreened {
		return true
	}
	isNext := s.hungUp || r.Kind == event.Pregreet && s.kind == event.Pregreet
	return isNext && since(s.last, r).Abs() > endAgain
}

// joinPostscreen makes one event of all offences of one connection. A client that talks
// too early also pipelines, sends what is no SMTP, is on a block list, and hangs up in
// the end: all this is one attempt. A connection from another port is another attempt,
// however soon it comes. The first line counts. If it is suspect and a later line is
// hostile, the later one counts in its place. A client on postscreen's deny list is
// refused for the list, so that its hanging up is no attempt either; but what else it did
// in the connection counts.
func (j *Joiner) joinPostscreen(r *event.Record) bool {
	class := r.Kind.Class()
	if class != event.Hostile && class != event.Suspect && r.Kind != event.Denylisted {
		return false
	}
	k, ok := connectionKeyOf(r)
	if !ok {
		return false
	}
	s := j.screened.get(k)
	switch {
	case s == nil:
		s = j.screened.insert(k)
		s.first = r.Time.UnixNano()
	case s.isOver(r):
		s = j.screened.put(k)
		s.first = r.Time.UnixNano()
	case class != event.Hostile || s.kind.Class() == event.Hostile:
		s.note(r)
		return true
	case s.kind == event.Denylisted: // which did not count
	default:
		j.earlier.Superseded = append(j.earlier.Superseded, event.Record{Outcome: event.Noted, Event: event.Event{
			Host: r.Host, Service: r.Service, Kind: s.kind, Attempts: s.attempts, Addr: r.Addr, Time: time.Unix(0, s.first),
		}})
	}
	s.kind, s.attempts = r.Kind, r.Attempts
	s.note(r)
	return false
}

// note remembers the time of a line, and whether the client has hung up.
func (s *screening) note(r *event.Record) {
	s.last, s.hungUp = r.Time.UnixNano(), s.hungUp || r.Kind == event.Hangup
}
