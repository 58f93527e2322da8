package session

import (
	"encoding/binary"
	"math/bits"
	"time"

	"csmail/pkg/event"
)

// copies finds lines that a log holds twice. For example, rsyslog's stock configuration
// on some distributions writes mail to mail.log and to syslog, and a glob reads both, or
// one relay forwards lines that another one has forwarded. Two lines of one process with
// the same text in the same microsecond are taken for one line. Where stamps have full
// seconds or milliseconds a client may fail twice within one. So these lines are taken for
// copies only while the host's log shows that it holds lines twice: a process of smtpd
// gets a client that it has already ([loginHosts.noteTwice]), a process of sshd
// repeats a line that it logs once for its only connection ([isOnce]), or a session at Dovecot
// begins or ends a second time ([isOnceASession]). Of Postfix's lines the last one only speaks
// for those without a process ID, which show nothing by themselves.
//
// It is a table of the hashes of the latest lines. Each line has one place in it, and a
// later line at the same place replaces it.
type copies [maxCopies]uint64

// maxCopies is the greatest number of lines between a line and its copy. It is a power of
// 2.
const maxCopies = 8192

// compare reports whether the line of r is a copy of an earlier one, or may be one, and
// remembers it. It returns New if it is none.
func (j *Joiner) compare(r *event.Record) Status {
	isExact := r.Time.Nanosecond()%int(time.Millisecond) != 0
	if r.Service == event.SSHD && !isExact {
		return j.compareSSH(r)
	}
	if r.Service == event.Dovecot && !isExact {
		return j.compareDovecot(r)
	}
	if (isExact || j.isTwice(r.From().Host) || r.PID == 0 && j.isTwiceDovecot(r)) && j.copies.remember(r) {
		return Copy
	}
	return New
}

// compareDovecot compares a line of Dovecot with full seconds with those before it.
func (j *Joiner) compareDovecot(r *event.Record) Status {
	isEvidence := isOnceASession(r)
	if !isEvidence && !j.isTwiceDovecot(r) || !j.copies.remember(r) {
		return New
	}
	if isEvidence {
		j.daemonsOf(r.From().Host).twiceDovecot = r.Time.UnixNano()
	}
	return Copy
}

// remember reports whether the line of r came before.
func (c *copies) remember(r *event.Record) bool {
	hash := lineHash(r)
	place := &c[hash%maxCopies]
	if *place == hash {
		return true
	}
	*place = hash
	return false
}

// lineHash is never 0. It is the same in every process, as snapshots need.
func lineHash(r *event.Record) uint64 {
	from := r.From()
	sum := mix(from.Host, from.Program)
	sum = mix(sum^uint64(r.Time.UnixNano()), uint64(r.PID))
	sum = mixText(sum, r.Session) // a long message lacks its end, where these stand
	addr := r.Addr.As16()
	sum = mix(sum^binary.LittleEndian.Uint64(addr[:8]), binary.LittleEndian.Uint64(addr[8:]))
	return max(mixText(sum, r.Message), 1)
}

// mixText mixes a text into a sum.
func mixText(sum uint64, text string) uint64 {
	sum = mix(sum, uint64(len(text)))
	for ; len(text) >= 8; text = text[8:] {
		sum = mix(sum, uint64(text[0])|uint64(text[1])<<8|uint64(text[2])<<16|uint64(text[3])<<24|
			uint64(text[4])<<32|uint64(text[5])<<40|uint64(text[6])<<48|uint64(text[7])<<56)
	}
	var last uint64
	for i := range len(text) {
		last |= uint64(text[i]) << (8 * i)
	}
	return mix(sum, last)
}

// mix is the step of wyhash: the two halves of a product of 128 bits.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return high ^ low
}
