package session

import (
	"time"

	"csmail/pkg/event"
)

// A log with full seconds that holds each line twice shows it for sshd only by a line that
// sshd logs once for each connection, which mostly is the last one. Without PAM the wrong
// passwords come before it, and two equal lines of one second may be two guesses:
//
//	sshd[7]: Failed password for alice from 192.0.2.1 port 4000 ssh2
//	sshd[7]: Failed password for alice from 192.0.2.1 port 4000 ssh2
//	sshd[7]: Connection closed by authenticating user alice 192.0.2.1 port 4000 [preauth]
//	sshd[7]: Connection closed by authenticating user alice 192.0.2.1 port 4000 [preauth]
//
// So the second of them waits for the end of the connection. If the end is there twice, it
// was a copy, else a guess.

const (
	// doubtedFor is how long a line waits at most: LoginGraceTime of sshd_config(5).
	doubtedFor = 2 * time.Minute
	// copyFollows is how long after the end of a connection the copy of the end may come.
	copyFollows = 2 * time.Second
)

// doubted are the lines that wait, one record for all of a connection. The maps open and
// ended are in the order in which the waits end.
type doubted struct {
	open     *fifoMap[sshKey, doubtedLine]
	ended    *fifoMap[sshKey, doubtedLine] // the end of the connection is in the log once so far
	sessions *fifoMap[sshKey, sshSession]  // the Joiner's
}

// doubtedLine is the first line that waits, with the attempts of all.
type doubtedLine struct {
	record event.Record // shares no text with the log
	until  int64        // a time.Time.UnixNano
}

func newDoubted(sessions *fifoMap[sshKey, sshSession]) doubted {
	return doubted{newFIFOMap[sshKey, doubtedLine](maxWithheld), newFIFOMap[sshKey, doubtedLine](maxWithheld), sessions}
}

func (d *doubted) len() int { return d.open.len() + d.ended.len() }

// compareSSH compares a line of sshd with full seconds with those before it.
func (j *Joiner) compareSSH(r *event.Record) Status {
	k, isAgain := sshKey{r.From().Host, sshProcess(r)}, j.copies.remember(r)
	switch {
	case isAgain && j.isTwiceSSH(r):
		j.doubted.drop(k, &j.earlier)
		return Copy
	case isAgain && k.pid != 0 && r.Kind == event.AuthFailed && !isOnce(r) && r.Mechanism != event.PAM:
		j.doubted.add(k, r, &j.earlier)
		return Withheld
	case !isAgain && isOnce(r):
		j.doubted.end(k, r, &j.earlier)
	}
	return New
}

// add keeps a line back that may be a copy.
func (d *doubted) add(k sshKey, r *event.Record, o *Earlier) {
	open := d.open
	if w := open.get(k); w != nil {
		if w.record.Addr == r.Addr {
			w.record.Attempts += r.Attempts
			return
		}
		d.release(open, k, r.Time, o) // the process ID is used again
	}
	if open.len() >= open.most {
		oldest, _, _ := open.first()
		d.release(open, oldest, r.Time, o)
	}
	w := open.insert(k)
	w.record.Outcome, w.record.Line, w.record.Event = r.Outcome, r.Line, r.Event
	boundText(&w.record.Event)
	w.record.Detach()
	w.record.Time = r.Time.UTC()
	w.until = r.Time.Add(doubtedFor).UnixNano()
}

// end lets the lines of a connection wait only for the copy of its end.
func (d *doubted) end(k sshKey, r *event.Record, o *Earlier) {
	open, ended := d.open, d.ended
	w := open.get(k)
	if w == nil {
		return
	}
	line := *w
	open.drop(k)
	if ended.get(k) != nil {
		d.release(ended, k, r.Time, o)
	}
	if ended.len() >= ended.most {
		oldest, _, _ := ended.first()
		d.release(ended, oldest, r.Time, o)
	}
	line.until = r.Time.Add(copyFollows).UnixNano()
	*ended.insert(k) = line
}

// drop drops the lines of a connection that turned out to be copies.
func (d *doubted) drop(k sshKey, o *Earlier) {
	for _, m := range [...]*fifoMap[sshKey, doubtedLine]{d.open, d.ended} {
		if w := m.get(k); w != nil {
			o.Excused = append(o.Excused, w.record)
			m.drop(k)
		}
	}
}

// release makes the lines of a connection, which are in m, count from a time on.
func (d *doubted) release(m *fifoMap[sshKey, doubtedLine], k sshKey, at time.Time, o *Earlier) {
	w := m.get(k)
	if s := d.sessions.get(k); s != nil && s.addr == w.record.Addr {
		sort := s.sortOf(&w.record)
		s.reported[sort] += w.record.Attempts
		s.counted = max(s.counted, s.reported[sort])
	}
	o.Released = append(o.Released, Release{w.record, at})
	m.drop(k)
}

// expire makes those lines count that have waited long enough by a time. If it is the end of
// the log, all of them have.
func (d *doubted) expire(now time.Time, isEnd bool, o *Earlier) {
	for _, m := range [...]*fifoMap[sshKey, doubtedLine]{d.open, d.ended} {
		for {
			k, w, ok := m.first()
			until := time.Time{}
			if ok {
				until = time.Unix(0, w.until).UTC()
			}
			if !ok || !isEnd && until.After(now) {
				break
			}
			if until.After(now) {
				until = now
			}
			d.release(m, k, until, o)
		}
	}
}
