// Package session joins the lines of one attempt, so that one attempt counts
// once. Postfix logs a failed login when it happens and counts it again when
// the session ends ("auth=0/3"); what was counted before is taken off there.
// Sessions are told apart by host, program and process ID, since one smtpd
// process serves one client at a time. The package is synchronous, bounded in
// memory, and does no I/O.
package session

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// maxOpen bounds the sessions that are remembered. A Postfix host runs at most
// default_process_limit (100) smtpd processes a service; a log may hold many
// hosts. The oldest goes first.
const maxOpen = 20000

type key struct {
	host, program string
	pid           int
}

type state struct {
	addr     netip.Addr
	attempts int // logins of this session that have been accounted for
}

// Joiner remembers the open sessions. Use it from one goroutine at a time.
type Joiner struct {
	open  map[key]*state
	order []key // of opening; may hold keys that are closed
}

// New returns a Joiner that knows no session.
func New() *Joiner { return &Joiner{open: make(map[key]*state)} }

// Join takes the records in the order of their logging. It lowers the attempts
// of r by those that earlier lines of the session told, and reports true if
// nothing is left: r is folded into them.
func (j *Joiner) Join(r *event.Record) bool {
	if r.Service != event.Postfix || r.PID == 0 {
		return false
	}
	k := key{r.Host, r.Program, r.PID}
	if r.Testimony == event.Disconnected {
		return j.end(k, r)
	}
	if r.Testimony == event.Connected {
		delete(j.open, k)
		return false
	}
	if isLogin(r.Kind) {
		j.count(k, r)
	}
	return false
}

// isLogin knows the lines of a login that smtpd also counts as auth=0/1.
func isLogin(k event.Kind) bool {
	return k == event.AuthFailed || k == event.AuthFault || k == event.AuthAborted || k == event.OwnRefusal
}

func (j *Joiner) count(k key, r *event.Record) {
	s, known := j.open[k]
	if !known {
		s = &state{}
		k = key{strings.Clone(k.host), strings.Clone(k.program), k.pid}
		j.makeRoom()
		j.order = append(j.order, k)
		j.open[k] = s
	}
	if s.addr != r.Addr {
		*s = state{addr: r.Addr}
	}
	s.attempts += r.Attempts
}

// makeRoom forgets the sessions that began first once there are too many.
func (j *Joiner) makeRoom() {
	for len(j.order) >= maxOpen {
		delete(j.open, j.order[0])
		j.order = j.order[1:]
	}
}

func (j *Joiner) end(k key, r *event.Record) bool {
	s, known := j.open[k]
	delete(j.open, k)
	if !known || r.Outcome != event.Noted || s.addr != r.Addr {
		return false
	}
	r.Attempts -= s.attempts
	return r.Attempts <= 0
}
