package daily

import "csmail/pkg/wire"

// The kinds of entries of a Tracker. Their numbers are stored.
const (
	entryClock uint8 = iota + 1
	entryMail
	entryHistory // of the mail before it
	entryPlaces  // of the mail before it in the queues
	entrySession
	entryDoubled // a host whose log holds lines twice
)

// Write writes what a Tracker follows, for Reader.
func (t *Tracker) Write(w *wire.Frames) {
	q := t.queue
	q.compact()
	w.Add(entryClock, func(c *wire.Codec) { signed(c, &q.now, &q.swept) })
	numbers := map[*mail]uint64{}
	var all []*mail
	note := func(m *mail) {
		if _, known := numbers[m]; !known {
			all = append(all, m)
			numbers[m] = uint64(len(all))
		}
	}
	births := q.births.all()
	for _, m := range births {
		note(m)
	}
	for _, removed := range [...][]*mail{q.removed.all(), q.settled.all()} {
		for _, m := range removed {
			note(m)
		}
	}
	for i := 0; i < len(all); i++ { // grows by the parents
		if parent := all[i].parent; parent != nil {
			note(parent)
		}
	}
	for i, m := range all {
		one := storedMail{mail: m, host: m.host.name, parent: numbers[m.parent], waits: i < len(births), known: m.place.number != 0}
		w.Add(entryMail, one.encode)
		if m.more != nil {
			w.Add(entryHistory, m.more.encode)
		}
	}
	for _, removed := range [...][]*mail{q.removed.all(), q.settled.all()} {
		for _, m := range removed {
			number := numbers[m]
			w.Add(entryPlaces, func(c *wire.Codec) { wire.Numbers(c, &number) })
		}
	}
	t.writeSessions(w)
	for _, h := range q.hosts {
		if h.isTwice {
			w.Add(entryDoubled, func(c *wire.Codec) { c.Text(&h.name); signed(c, &h.single) })
		}
	}
}

func (t *Tracker) writeSessions(w *wire.Frames) {
	for _, h := range t.queue.hosts {
		for pid, s := range h.sessions {
			if !s.isOver {
				one := storedSession{session: s, host: h.name, pid: pid}
				w.Add(entrySession, one.encode)
			}
		}
	}
}

// storedMail is a mail in a state.
type storedMail struct {
	*mail
	host   string
	parent uint64 // its number; 0: none
	waits  bool   // in the queue of births
	known  bool   // by its queue ID
}

func (s *storedMail) encode(c *wire.Codec) {
	c.Text(&s.host)
	c.Text(&s.id)
	wire.Numbers(c, &s.parent)
	c.Bools(&s.waits, &s.known)
	signed(c, &s.seen, &s.born, &s.removedAt)
	c.Addr(&s.client)
	wire.Numbers(c, &s.messageID)
	c.Text(&s.user)
	c.Text(&s.sender)
	signed(c, &s.size)
	wire.Numbers(c, &s.facts)
	wire.Numbers(c, &s.from)
}

func (h *history) encode(c *wire.Codec) {
	wire.List(c, &h.deliveries, func(d *delivery) {
		signed(c, &d.at)
		c.Text(&d.agent)
		c.Text(&d.recipient)
		c.Text(&d.original)
		signed(c, &d.delay)
		signed(c, &d.size)
		c.Bools(&d.unsized, &d.requeued)
	})
	wire.List(c, &h.deferrals, func(m *moment) { signed(c, m) })
	wire.List(c, &h.recipients, c.Text)
	signed(c, &h.children)
	signed(c, &h.lastChild)
}

// storedSession is a session in a state.
type storedSession struct {
	*session
	host string
	pid  int
}

func (s *storedSession) encode(c *wire.Codec) {
	c.Text(&s.host)
	signed(c, &s.pid)
	c.Addr(&s.client)
	signed(c, &s.since)
	c.Bools(&s.heldNext)
	c.Text(&s.sender)
	c.Text(&s.user)
}

// signed takes numbers of which few are below 0.
func signed[N ~int | ~int64](c *wire.Codec, all ...*N) {
	for _, p := range all {
		*p = N(c.Number(uint64(*p)))
	}
}

// TrackerReader has a new Tracker go on where another left off.
type TrackerReader struct {
	tracker *Tracker
	mails   []*mail
	parents []uint64
}

// Reader returns a reader of what Write wrote.
func (t *Tracker) Reader() *TrackerReader { return &TrackerReader{tracker: t} }

// Entry reads an entry, and reports whether it knows its kind.
func (r *TrackerReader) Entry(kind uint8, c *wire.Codec) (known bool) {
	t := r.tracker
	switch kind {
	case entryClock:
		signed(c, &t.queue.now, &t.queue.swept)
	case entryMail:
		r.mail(c)
	case entryHistory:
		past := &history{}
		if past.encode(c); len(r.mails) == 0 {
			c.Fail()
			return true
		}
		r.mails[len(r.mails)-1].more = past
	case entryPlaces:
		var number uint64
		if wire.Numbers(c, &number); number == 0 || number > uint64(len(r.mails)) {
			c.Fail()
			return true
		}
		t.queue.keepRemoved(r.mails[number-1])
	case entrySession:
		one := storedSession{session: &session{}}
		if one.encode(c); c.Err == nil {
			t.queue.host(one.host).sessions[one.pid] = one.session
			t.sessions.count++
		}
	case entryDoubled:
		var name string
		var single int
		c.Text(&name)
		if signed(c, &single); c.Err == nil {
			h := t.queue.host(name)
			h.isTwice, h.single = true, single
		}
	default:
		return false
	}
	return true
}

func (r *TrackerReader) mail(c *wire.Codec) {
	one := storedMail{mail: &mail{}}
	one.encode(c)
	if c.Err != nil || one.from >= originCount || one.facts > everyFact {
		c.Fail()
		return
	}
	q := r.tracker.queue
	m := one.mail
	m.host = q.host(one.host)
	r.mails, r.parents = append(r.mails, m), append(r.parents, one.parent)
	if one.waits {
		q.births.push(m)
	}
	if one.known {
		m.host.mails.put(m)
	}
	if m.is(indexed) {
		m.host.byID[m.messageID] = append(m.host.byID[m.messageID], m)
	}
}

// Close links the mails, and returns an error if that is not possible.
func (r *TrackerReader) Close() error {
	for i, parent := range r.parents {
		if parent > uint64(len(r.mails)) {
			return wire.ErrDamaged
		}
		if parent > 0 {
			r.mails[i].parent = r.mails[parent-1]
		}
	}
	return nil
}
