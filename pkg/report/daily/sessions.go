package daily

import (
	"time"

	"csmail/pkg/event"
)

// session is the client of an smtpd process.
type session struct {
	client   clientAddr
	since    moment // of the connection; 0: its begin is not in the log
	isOver   bool   // the entry waits for the next client of the process
	heldNext bool   // a HOLD or DISCARD without queue ID was logged, about the next mail
	sender   string // of that mail
	user     string // login name of the sender
}

// sessions follow the clients of the smtpd processes of all hosts.
type sessions struct {
	queue *queue // for its hosts
	count int
	near  [nearSessions]nearSession
}

// nearSessions is how many sessions are found without a look into the map of their host:
// one of each of so many groups of process numbers.
const nearSessions = 1 << 11

// nearSession is a session that was found before.
type nearSession struct {
	host    *host
	pid     int
	session *session
}

// find returns the session of a process, open or over; nil if there is none.
func (all *sessions) find(h *host, pid int) *session {
	slot := &all.near[uint(pid)%nearSessions]
	if slot.host == h && slot.pid == pid {
		return slot.session
	}
	s := h.sessions[pid]
	if s != nil {
		*slot = nearSession{h, pid, s}
	}
	return s
}

// maxSessions is the number of processes that are followed.
const maxSessions = 20_000

// of returns the session of the line's process, nil if none is known.
func (all *sessions) of(r *event.Logged) *session {
	if s := all.find(all.queue.host(r.Host), r.PID); s != nil && !s.isOver {
		return s
	}
	return nil
}

// open returns the session of the line's process, a new one if none is known.
func (all *sessions) open(r *event.Logged) *session {
	h := all.queue.host(r.Host)
	s := all.find(h, r.PID)
	switch {
	case s == nil:
		if all.count >= maxSessions {
			all.drop()
			h = all.queue.host(r.Host)
		}
		s = &session{}
		h.sessions[r.PID] = s
		all.count++
	case s.isOver:
		*s = session{}
	}
	return s
}

// drop forgets all sessions.
func (all *sessions) drop() {
	all.count = 0
	clear(all.near[:])
	for _, h := range all.queue.hosts {
		clear(h.sessions)
		all.queue.leave(h)
	}
}

// lasted returns for how many seconds the session was connected at a time; ok is false for
// one of this host, and for one whose begin is not known.
func (s *session) lasted(at time.Time) (seconds int, ok bool) {
	if s == nil || s.since == 0 || s.client.IsLoopback() {
		return 0, false
	}
	return max(int(at.Unix()-s.since.seconds()), 0), true
}
