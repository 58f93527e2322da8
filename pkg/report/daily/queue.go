package daily

import (
	"hash/maphash"
	"strings"
	"time"

	"csmail/pkg/event"
)

// moment is a time in nanoseconds since 1970; 0 stands for no time.
type moment int64

func momentOf(at time.Time) moment {
	if at.IsZero() {
		return 0
	}
	return moment(at.UnixNano())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m))
}

func (m moment) seconds() int64 { return m.time().Unix() }

// since returns how long after another moment this one is.
func (m moment) since(o moment) time.Duration { return time.Duration(m - o) }

// host holds the mails of one host, whose queue IDs and processes are its own.
type host struct {
	name     string
	mails    mailTable          // by queue ID
	byID     map[uint64][]*mail // by the hash of the Message-ID
	sessions map[int]*session   // by smtpd process
	isTwice  bool               // its log holds lines twice
	single   int                // lines that came once since then, less two for each that came twice
	hash     uint64             // of the name
}

// queue holds the queue files of all hosts: those that are there, and for some time those
// that were removed, because the log may show later that a content filter continued them.
type queue struct {
	hosts     map[string]*host
	seed      maphash.Seed
	latest    *host       // most lines are of the same host as the one before
	births    fifo[*mail] // in the order that they were first seen
	removed   fifo[*mail] // in the order of their removal, those that a filter may have to do with
	settled   fifo[*mail] // the others, in the order of their removal
	now       moment
	swept     moment // time of the last look for old mails
	odd       int    // lines in a row, each far from now
	forgotten int    // mails among the births that only wait to be dropped

	giveUp func(*mail) // is told of mails that are dropped before their end
}

const (
	// maxMails is the number of queue files that are followed.
	maxMails = 500_000
	// longestQueued is Postfix's default maximal_queue_lifetime.
	longestQueued = 5 * 24 * time.Hour
	// afterRemoval is how long a removed queue file may still turn out to be a filter's,
	// and maxRemoved the number of those that are kept for that.
	afterRemoval = time.Hour
	maxRemoved   = 65_536
	// afterSettled is how long another removed queue file is kept: lines of other
	// processes may come a little late.
	afterSettled = 10 * time.Second
	// maxLate is how late a line may be without a wrong date.
	maxLate = time.Hour
	// sureLines is how many lines in a row show that the log goes on at another time: the
	// clock was set, or the log was silent for days.
	sureLines = 10_000
)

// host returns the entry of a host.
func (q *queue) host(name string) *host {
	if q.latest != nil && q.latest.name == name {
		return q.latest
	}
	h := q.hosts[name]
	if h == nil {
		h = &host{name: strings.Clone(name), mails: newMailTable(), byID: map[uint64][]*mail{}, sessions: map[int]*session{}, hash: maphash.String(q.seed, name)}
		q.hosts[h.name] = h
	}
	q.latest = h
	return h
}

// leave drops a host without mails and sessions, unless its log holds lines twice.
func (q *queue) leave(h *host) {
	if h.isTwice || h.mails.len() > 0 || len(h.sessions) > 0 || q.hosts[h.name] != h {
		return
	}
	delete(q.hosts, h.name)
	if q.latest == h {
		q.latest = nil
	}
}

// open returns the entry of a queue file, a new one if there is none.
func (q *queue) open(r *event.Logged, id string) *mail {
	h := q.host(r.Host)
	if m := h.mails.find(id); m != nil {
		return m
	}
	return q.openNew(h, id, momentOf(r.Time))
}

// openNew makes the entry of a queue file.
func (q *queue) openNew(h *host, id string, seen moment) *mail {
	m := &mail{host: h, id: strings.Clone(id), seen: seen, size: -1}
	h.mails.put(m)
	q.births.push(m)
	return m
}

// reach moves the time on, and drops old queue files once a second of the log. It does not
// believe a few lines of quite another time: they would end every mail under way, or the
// time would stand still until they are past.
func (q *queue) reach(now moment) {
	switch ahead := now.since(q.now); {
	case q.now != 0 && (ahead > longestQueued || ahead < -maxLate):
		if q.odd++; q.odd < sureLines {
			return
		}
		q.swept = min(q.swept, now)
	case ahead <= 0:
		return
	}
	q.now, q.odd = now, 0
	if q.now.since(q.swept) >= time.Second || q.births.len() > maxMails || q.removed.len() > maxRemoved || q.settled.len() > maxRemoved {
		q.swept = q.now
		q.forgetOld()
	}
}

// forgetOld drops queue files that were removed long ago, and those that are older than
// Postfix keeps a mail.
func (q *queue) forgetOld() {
	q.forgetRemoved(&q.settled, afterSettled)
	q.forgetRemoved(&q.removed, afterRemoval)
	if q.forgotten > 1024 && q.forgotten > q.births.len()/2 {
		q.compact()
	}
	for m, ok := q.births.peek(); ok && (q.births.len() > maxMails || q.isPast(m.seen, longestQueued)); m, ok = q.births.peek() {
		q.births.pop()
		q.giveUp(m)
		if m.is(dropped) {
			q.forgotten--
		}
		if m.removedAt == 0 {
			q.forget(m)
		}
	}
}

func (q *queue) forgetRemoved(removed *fifo[*mail], after time.Duration) {
	for m, ok := removed.peek(); ok && (removed.len() > maxRemoved || q.isPast(m.removedAt, after)); m, ok = removed.peek() {
		removed.pop()
		q.forget(m)
	}
}

// isPast reports whether something happened longer ago than the duration. A time that is
// days ahead was a wrong date, and nothing would ever end it.
func (q *queue) isPast(at moment, after time.Duration) bool {
	age := q.now.since(at)
	return age > after || age < -longestQueued
}

// compact removes dropped mails from the births.
func (q *queue) compact() {
	q.births.drop(func(m *mail) bool { return m.is(dropped) })
	q.forgotten = 0
}

// forget removes a queue file from the indexes, unless a newer one has its ID.
func (q *queue) forget(m *mail) {
	m.host.mails.drop(m)
	m.forgetID()
	q.leave(m.host)
	if m.set(dropped); m.removedAt != 0 {
		q.forgotten++
	}
}

// remove notes that a queue file has gone, and reports whether it was there.
func (q *queue) remove(r *event.Logged, id string) (m *mail, wasThere bool) {
	m = q.host(r.Host).mails.find(id)
	if m == nil || m.removedAt != 0 {
		return nil, false
	}
	m.removedAt = momentOf(r.Time)
	q.keepRemoved(m)
	return m, true
}

// keepRemoved keeps a removed queue file for as long as a line about it may come.
func (q *queue) keepRemoved(m *mail) {
	if m.is(near) || m.is(piped) {
		q.removed.push(m)
	} else {
		q.settled.push(m)
	}
}

// drain gives up the mails that are open at the end of a log.
func (q *queue) drain() {
	for m, ok := q.births.pop(); ok; m, ok = q.births.pop() {
		q.giveUp(m)
	}
	clear(q.hosts)
	q.latest = nil
}
