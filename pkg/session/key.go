package session

import "strings"

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

func (j *Joiner) messageKey(host, queueID string) (messageKey, bool) {
	k := messageKey{host: j.host.of(host)}
	return k, copy(k.queueID[:], queueID) == len(queueID)
}

func (j *Joiner) processKey(host, program string, pid int) processKey {
	return processKey{j.host.of(host)*prime + j.program.of(program), pid}
}

// hash is FNV-1a of 64 bits, which is the same in every process, as snapshots
// need. It remembers the last texts, since lines that are near each other have
// the same host and few programs.
type hash [8]struct {
	text string
	sum  uint64
}

const (
	basis = 14695981039346656037
	prime = 1099511628211
)

func (h *hash) of(text string) uint64 {
	known := &h[len(text)%len(h)]
	if text == known.text && known.sum != 0 {
		return known.sum
	}
	sum := uint64(basis)
	for i := range len(text) {
		sum = (sum ^ uint64(text[i])) * prime
	}
	// A copy, or the hash would hold the whole block that the text points into.
	known.text, known.sum = strings.Clone(text), sum
	return sum
}
