package daily

import (
	"hash/maphash"
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
	counter
	queue    *queue
	sessions *sessions
	copies   copies
	names    names
}

// counter finds the figures of a time.
type counter struct {
	at    func(time.Time) *Figures
	hours hours
}

func newCounter(o Options) counter {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return counter{o.At, hours{zone: o.Zone}}
}

// count runs add on the figures of a moment, if there are any.
func (c *counter) count(at moment, add func(*Figures)) {
	if figures := c.at(at.time()); figures != nil {
		add(figures)
	}
}

// hour returns the key of a time's hour.
func (c *counter) hour(at time.Time) string { return c.hours.key(at) }

// NewTracker returns a Tracker without mails.
func NewTracker(o Options) *Tracker {
	t := &Tracker{counter: newCounter(o), queue: &queue{hosts: map[string]*host{}, seed: maphash.MakeSeed()}, copies: newCopies()}
	t.sessions = &sessions{queue: t.queue}
	t.queue.giveUp = t.giveUp
	return t
}

// Add takes a line about the way of a mail. Lines must come in the order of the log.
func (t *Tracker) Add(r *event.Logged, f *event.Flow) {
	if t.isCopy(r, f) {
		return
	}
	for range max(f.Repeat, 1) {
		t.addOnce(r, f)
	}
}

// addOnce counts a line a single time; Add repeats it for "message repeated N times".
func (t *Tracker) addOnce(r *event.Logged, f *event.Flow) {
	t.queue.reach(momentOf(r.Time))
	switch f.Kind {
	case event.FlowReceived, event.FlowSubmitted:
		t.birth(r, f)
	case event.FlowMessageID:
		t.queue.open(r, f.QueueID).nameID(f.ID)
	case event.FlowQueued:
		t.queued(r, f)
	case event.FlowDelivery:
		t.delivery(r, f)
	case event.FlowRemoved:
		if m, ok := t.queue.remove(r, f.QueueID); ok {
			t.giveUp(m)
		}
	case event.FlowRefusal:
		t.refusal(r, f)
	case event.FlowConnect, event.FlowDisconnect:
		t.connection(r, f)
	default:
		if figures := t.at(r.Time); figures != nil {
			figures.add(f, r.Time, t.hour(r.Time))
		}
	}
}

// add counts a line that stands for itself.
func (f *Figures) add(flow *event.Flow, at time.Time, hour string) {
	switch flow.Kind {
	case event.FlowExpired:
		f.Expired++
	case event.FlowScreened:
		f.ScreenConnections++
		f.hour(hour).Connections++
		f.latest.screen(f.ScreenClients, flow.Addr)
	case event.FlowTLS:
		f.latest.tls.add(f.TLS, flow.Version, 1)
	case event.FlowTrouble:
		f.trouble(flow, at)
	case event.FlowMaster:
		addCount(f.Master, clip(flow.Text), 1)
	}
}

// Finish counts the mails that are open at the end of a log. Nothing may be added after
// it.
func (t *Tracker) Finish() { t.queue.drain() }

// trouble counts a warning or worse.
func (f *Figures) trouble(flow *event.Flow, at time.Time) {
	l := &f.latest.trouble
	if l.counts == nil || l.level != flow.Level || l.daemon != flow.Daemon {
		counts := inner(inner2(f.Trouble, levelNames[flow.Level]), flow.Daemon)
		*l = latestTrouble{flow.Level, strings.Clone(flow.Daemon), counts}
	}
	f.latest.room = appendTrouble(f.latest.room[:0], flow.Text)
	if count := l.counts[string(f.latest.room)]; count != nil {
		if *count++; len(f.Spans) > 0 { // else no text that came before is of this host's own trouble
			noteTrouble(f, flow.Level, string(f.latest.room), at)
		}
		return
	}
	cause := noteTrouble(f, flow.Level, string(f.latest.room), at)
	f.addTrouble(l.counts, cause, string(f.latest.room), 1)
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

// Unfinished returns how many of the mails that were begun within a window would be
// given up if the log ended now.
func (t *Tracker) Unfinished(within func(time.Time) bool) int {
	n := 0
	for _, m := range t.queue.births.all() {
		if m.isAbandoned() && within(m.born.time()) {
			n++
		}
	}
	return n
}
