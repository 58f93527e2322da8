package daily

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

// Options are the settings of a Tracker.
type Options struct {
	Zone *time.Location // of hours and days; nil means UTC

	// At returns the figures for a time, nil if the time is in no window. It may return
	// other figures later, which take corrections. All figures of one window must be
	// merged.
	At func(time.Time) *Figures
}

// Tracker follows the mails of a log and counts them. It keeps an entry for each queue
// file until its removal, and for some time after, because the log may show later that a
// content filter continued it. Use it from one goroutine at a time.
type Tracker struct {
	options  Options
	hosts    map[string]*host
	latest   *host       // most lines are of the same host as the one before
	births   fifo[*mail] // in the order in which they were first seen
	removed  fifo[*mail] // in the order of their removal, those that a filter may have to do with
	settled  fifo[*mail] // the others, in the order of their removal
	sessions int         // of all hosts
	now      time.Time
	swept    time.Time // time of the last look for old mails
	hours    hours

	spare     []*session // that have ended, to be used again
	forgotten int        // mails among the births that only wait to be dropped
}

// host holds the mails of one host, whose queue IDs and processes are its own.
type host struct {
	name     string
	mails    map[string]*mail   // by queue ID
	byID     map[string][]*mail // by Message-ID
	sessions map[int]*session   // by smtpd process
}

// session is the client of an smtpd process.
type session struct {
	client   clientAddr
	since    time.Time // of the connection
	heldNext bool      // a HOLD or DISCARD without queue ID was logged, about the next mail
	sender   string    // of that mail
	user     string    // login name of the sender
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
	maxSessions  = 20_000
	maxSpare     = 64
)

// NewTracker returns a Tracker without mails.
func NewTracker(o Options) *Tracker {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Tracker{options: o, hours: hours{zone: o.Zone}, hosts: map[string]*host{}}
}

// host returns the entry of a host.
func (t *Tracker) host(name string) *host {
	if t.latest != nil && t.latest.name == name {
		return t.latest
	}
	h := t.hosts[name]
	if h == nil {
		h = &host{name: strings.Clone(name), mails: map[string]*mail{}, byID: map[string][]*mail{}, sessions: map[int]*session{}}
		t.hosts[h.name] = h
	}
	t.latest = h
	return h
}

// leave drops a host without mails and sessions.
func (t *Tracker) leave(h *host) {
	if len(h.mails) > 0 || len(h.sessions) > 0 || t.hosts[h.name] != h {
		return
	}
	delete(t.hosts, h.name)
	if t.latest == h {
		t.latest = nil
	}
}

// Add takes a line about the way of a mail. The record has its time, host and process.
// Lines must come in the order of the log.
func (t *Tracker) Add(r *event.Record, f *event.Flow) {
	for range max(f.Repeat, 1) {
		t.addOnce(r, f)
	}
}

// addOnce counts a line a single time; Add repeats it for "message repeated N times".
func (t *Tracker) addOnce(r *event.Record, f *event.Flow) {
	if r.Time.After(t.now) {
		t.now = r.Time
		t.sweep()
	}
	switch f.Kind {
	case event.FlowReceived, event.FlowSubmitted:
		t.birth(r, f)
	case event.FlowMessageID:
		t.named(r, f)
	case event.FlowQueued:
		t.queued(r, f)
	case event.FlowDelivery:
		t.delivery(r, f)
	case event.FlowExpired:
		t.count(r.Time, func(figures *Figures) { figures.Expired++ })
	case event.FlowRemoved:
		t.remove(r, f)
	case event.FlowRefusal:
		t.refusal(r, f)
	case event.FlowConnect, event.FlowScreened, event.FlowDisconnect:
		t.connection(r, f)
	case event.FlowTLS:
		if figures := t.options.At(r.Time); figures != nil {
			addCount(figures.TLS, f.Version, 1)
		}
	case event.FlowTrouble:
		t.trouble(r, f)
	case event.FlowMaster:
		t.count(r.Time, func(figures *Figures) { addCount(figures.Master, clip(f.Text), 1) })
	}
}

// AddEvent counts logins, which csmail's own events report. Folded events, which report
// attempts a second time, must be left out.
func (t *Tracker) AddEvent(e *event.Event) {
	switch {
	case e.Kind == event.AuthFailed:
		t.count(e.Time, func(f *Figures) { f.login(t.hour(e.Time), 0, e.Attempts) })
	case e.Kind == event.LoginOK && e.Service == event.Dovecot:
		t.count(e.Time, func(f *Figures) {
			f.login(t.hour(e.Time), 1, 0)
			f.addUser(e.User)
		})
	}
}

// Finish counts the mails that are open at the end of a log. Nothing may be added after
// it.
func (t *Tracker) Finish() {
	for m, ok := t.births.pop(); ok; m, ok = t.births.pop() {
		t.giveUp(m)
	}
	clear(t.hosts)
	t.latest = nil
}

// count runs add on the figures of a time, if there are any.
func (t *Tracker) count(at time.Time, add func(*Figures)) {
	if figures := t.options.At(at); figures != nil {
		add(figures)
	}
}

// hour returns the key of a time's hour.
func (t *Tracker) hour(at time.Time) string { return t.hours.key(at) }

// sweep drops old queue files, once a second of the log.
func (t *Tracker) sweep() {
	if t.now.Sub(t.swept) >= time.Second || t.births.len() > maxMails || t.removed.len() > maxRemoved || t.settled.len() > maxRemoved {
		t.swept = t.now
		t.forgetOld()
	}
}

// forgetOld drops queue files that were removed long ago, and those that are older than
// Postfix keeps a mail.
func (t *Tracker) forgetOld() {
	t.forgetRemoved(&t.settled, afterSettled)
	t.forgetRemoved(&t.removed, afterRemoval)
	if t.forgotten > 1024 && t.forgotten > t.births.len()/2 {
		t.compact()
	}
	for m, ok := t.births.peek(); ok && (t.births.len() > maxMails || t.now.Sub(m.seen) > longestQueued); m, ok = t.births.peek() {
		t.births.pop()
		t.giveUp(m)
		if m.forgotten {
			t.forgotten--
		}
		if m.removedAt.IsZero() {
			t.forget(m)
		}
	}
}

func (t *Tracker) forgetRemoved(removed *fifo[*mail], after time.Duration) {
	for m, ok := removed.peek(); ok && (removed.len() > maxRemoved || t.now.Sub(m.removedAt) > after); m, ok = removed.peek() {
		removed.pop()
		t.forget(m)
	}
}

// compact removes dropped mails from the births.
func (t *Tracker) compact() {
	t.births.drop(func(m *mail) bool { return m.forgotten })
	t.forgotten = 0
}

// forget removes a queue file from the indexes, unless a newer one has its ID.
func (t *Tracker) forget(m *mail) {
	if m.host.mails[m.id] == m {
		delete(m.host.mails, m.id)
	}
	m.forgetID()
	t.leave(m.host)
	if m.forgotten = true; !m.removedAt.IsZero() {
		t.forgotten++
	}
}

// trouble counts a warning or worse.
func (t *Tracker) trouble(r *event.Record, f *event.Flow) {
	if figures := t.options.At(r.Time); figures != nil {
		daemons := inner2(figures.Trouble, levelNames[f.Level])
		addText(inner(daemons, f.Daemon), troubleText(f.Text))
	}
}

// addUser counts an account that logged in.
func (f *Figures) addUser(user string) {
	if user == "" {
		return
	}
	user = strings.ToLower(clip(user))
	if _, known := f.Users[user]; !known {
		f.Users.add(strings.Clone(user))
	}
}
