package daily

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

// Options are what a Tracker needs.
type Options struct {
	Zone *time.Location // of hours and days; nil means UTC

	// At returns the figures that something at a time counts for, nil if the
	// time is in no window. It may give others later, which take what is corrected:
	// all that it gives for one window are to be merged.
	At func(time.Time) *Figures
}

// Tracker follows the mails of a log and counts them. It keeps one entry a queue
// file until that is removed, and for some time after, because what a content
// filter made of it may be logged later. Use it from one goroutine at a time.
type Tracker struct {
	options  Options
	hosts    map[string]*host
	latest   *host       // most lines are of the host of the line before
	births   fifo[*mail] // in the order in which they were first seen
	removed  fifo[*mail] // in the order of their removal, those that a filter may have to do with
	settled  fifo[*mail] // the others, in the order of their removal
	sessions int         // of all hosts
	now      time.Time
	swept    time.Time // when old mails were looked for
	hours    hours

	spare     []*session // that have ended, to be used again
	forgotten int        // mails among the births that are only waited for
}

// host is what is followed on one host: queue IDs and processes are its own.
type host struct {
	name     string
	mails    map[string]*mail   // by queue ID
	byID     map[string][]*mail // by Message-ID
	sessions map[int]*session   // by smtpd process
}

// session is what is known of the client of an smtpd process.
type session struct {
	client   clientAddr
	since    time.Time // of the connection
	heldNext bool      // a HOLD or DISCARD without queue ID: it is the next mail's
	sender   string    // of that mail
	user     string    // who sent mail after a login
}

const (
	// maxMails bounds the queue files that are followed.
	maxMails = 500_000
	// longestQueued is Postfix's default maximal_queue_lifetime.
	longestQueued = 5 * 24 * time.Hour
	// afterRemoval is how long a removed queue file may still turn out to be a
	// filter's, and maxRemoved how many are kept for that.
	afterRemoval = time.Hour
	maxRemoved   = 65_536
	// afterSettled is how long another removed queue file is kept: lines of other
	// processes may come a little late.
	afterSettled = 10 * time.Second
	maxSessions  = 20_000
	maxSpare     = 64
)

// NewTracker returns a Tracker that has seen nothing.
func NewTracker(o Options) *Tracker {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Tracker{options: o, hours: hours{zone: o.Zone}, hosts: map[string]*host{}}
}

// host returns what is followed on a host.
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

// leave forgets a host of which nothing is followed any more.
func (t *Tracker) leave(h *host) {
	if len(h.mails) > 0 || len(h.sessions) > 0 || t.hosts[h.name] != h {
		return
	}
	delete(t.hosts, h.name)
	if t.latest == h {
		t.latest = nil
	}
}

// Add takes what one line reports about the way of a mail. The record gives its
// time, host and process. Lines must come in the order of the log.
func (t *Tracker) Add(r *event.Record, f *event.Flow) {
	for range max(f.Repeat, 1) {
		t.addOnce(r, f)
	}
}

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

// AddEvent counts logins, which csmail's own events report. Folded lines, which
// report attempts a second time, must not be given.
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

// Finish counts what is still open at the end of a log. Nothing may be added
// after it.
func (t *Tracker) Finish() {
	for m, ok := t.births.pop(); ok; m, ok = t.births.pop() {
		t.giveUp(m)
	}
	clear(t.hosts)
	t.latest = nil
}

// count runs add on the figures of a time, if there are some.
func (t *Tracker) count(at time.Time, add func(*Figures)) {
	if figures := t.options.At(at); figures != nil {
		add(figures)
	}
}

// hour returns the key of a time's hour.
func (t *Tracker) hour(at time.Time) string { return t.hours.key(at) }

// sweep looks for old queue files, once a second of the log.
func (t *Tracker) sweep() {
	if t.now.Sub(t.swept) >= time.Second || t.births.len() > maxMails || t.removed.len() > maxRemoved || t.settled.len() > maxRemoved {
		t.swept = t.now
		t.forgetOld()
	}
}

// forgetOld drops queue files that were removed long ago, and those that were
// first seen longer ago than Postfix keeps a mail.
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

// compact takes what is forgotten out of the births.
func (t *Tracker) compact() {
	t.births.drop(func(m *mail) bool { return m.forgotten })
	t.forgotten = 0
}

// forget takes a queue file out of the indexes, unless a newer one has its ID.
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

func (t *Tracker) trouble(r *event.Record, f *event.Flow) {
	if figures := t.options.At(r.Time); figures != nil {
		daemons := inner2(figures.Trouble, levelNames[f.Level])
		addText(inner(daemons, f.Daemon), troubleText(f.Text))
	}
}

func (f *Figures) addUser(user string) {
	if user == "" {
		return
	}
	user = strings.ToLower(clip(user))
	if _, known := f.Users[user]; !known {
		f.Users.add(strings.Clone(user))
	}
}
