package session

import (
	"net/netip"
	"strconv"

	"csmail/pkg/event"
)

// The keys of all joins begin with the host that logged, as the 64-bit hash of
// [event.Origin], because a line of one host says nothing about a session on another. No
// key holds client text, so that its size is bounded.

// processKey is one smtpd process, which serves one client at a time. The name is a hash
// of host and program.
type processKey struct {
	name uint64
	pid  int
}

func processKeyOf(r *event.Record) processKey {
	const prime = 1099511628211 // of FNV-1a
	from := r.From()
	return processKey{from.Host*prime + from.Program, r.PID}
}

// clientKey is a client of one host.
type clientKey struct {
	host uint64
	addr address
}

func clientKeyOf(host uint64, addr netip.Addr) clientKey { return clientKey{host, addressOf(addr)} }

// loginKey is Dovecot's session of one connection, by a hash of its ID. Dovecot makes
// the ID up (src/lib/login-common), so clients cannot choose IDs that collide; and a
// session of another client's address is never taken for this one.
type loginKey struct{ host, session uint64 }

func loginKeyOf(r *event.Record) loginKey { return loginKey{r.From().Host, textHash(r.Session)} }

// connectionKey is one connection to postscreen: the client's address and port.
type connectionKey struct {
	clientKey
	port uint16
}

// connectionKeyOf returns the key of a line. It reports false if the line names no port.
func connectionKeyOf(r *event.Record) (connectionKey, bool) {
	port, err := strconv.ParseUint(r.Session, 10, 16)
	return connectionKey{clientKeyOf(r.From().Host, r.Addr), uint16(port)}, err == nil && r.Addr.IsValid()
}

// messageKey is one message in the queue of a host.
type messageKey struct {
	host    uint64
	queueID [maxQueueID]byte
}

// maxQueueID is more than the length of any queue ID: a long one has a time of at least
// 10 base-52 digits, and an inode number (Postfix 2.9, src/global/mail_queue.h).
const maxQueueID = 24

// messageKeyOf returns the key of a line. It reports false for a text that is too long
// for a queue ID.
func messageKeyOf(r *event.Record) (messageKey, bool) {
	k := messageKey{host: r.From().Host}
	return k, copy(k.queueID[:], r.Session) == len(r.Session)
}

// textHash returns FNV-1a, which is the same in every process, as snapshots need.
func textHash(text string) uint64 {
	sum := uint64(14695981039346656037)
	for i := range len(text) {
		sum = (sum ^ uint64(text[i])) * 1099511628211
	}
	return sum
}

// accountOf returns the account that r names. Clients send names of any length and
// choose them, so they are kept as hashes under the secret of the installation.
func (j *Joiner) accountOf(r *event.Record) event.AccountHash { return r.AccountUnder(&j.key) }
