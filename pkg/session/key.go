package session

import "csmail/pkg/event"

// processKey is one smtpd process: it serves one client at a time. The name is a
// hash of host and program, neither of which a client has a say in.
type processKey struct {
	name uint64
	pid  int
}

// loginKey is Dovecot's session of one connection.
type loginKey struct {
	host    uint64
	session string
}

// messageKey is one message in the queue of a host.
type messageKey struct {
	host    uint64
	queueID [maxQueueID]byte
}

// maxQueueID is more than the length of any queue ID: a long one has a time of
// at least 10 base-52 digits, and an inode number (Postfix 2.9,
// src/global/mail_queue.h).
const maxQueueID = 24

func messageKeyOf(r *event.Record) (messageKey, bool) {
	k := messageKey{host: r.From().Host}
	return k, copy(k.queueID[:], r.Session) == len(r.Session)
}

func processKeyOf(r *event.Record) processKey {
	const prime = 1099511628211 // of FNV-1a
	from := r.From()
	return processKey{from.Host*prime + from.Program, r.PID}
}
