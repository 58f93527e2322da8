package daily

import (
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
)

// delivery counts the delivery to one recipient.
func (t *Tracker) delivery(r *event.Record, f *event.Flow) {
	m := t.open(r, f.QueueID)
	switch f.Status {
	case "sent":
		t.sent(m, r, f)
	case "deferred", "SOFTBOUNCE":
		t.deferred(m, r, f)
	case "bounced":
		t.attempt(m, f, true)
		t.count(r.Time, func(figures *Figures) {
			figures.Bounced++
			figures.addHour(t.hour(r.Time), Hour{Bounced: 1})
			addText(inner(figures.Bounces, relayKey(f)), bounceReason(f.Text))
		})
	}
}

// relayKey returns the relay's name, or "none".
func relayKey(f *event.Flow) string {
	if f.Relay == "" {
		return "none"
	}
	return strings.ToLower(clip(f.Relay))
}

// firstAttempt is how long after a mail came its first delivery attempt is over. Postfix
// waits at least minimal_backoff_time, 300 seconds, before the next one.
const firstAttempt = 5 * time.Minute

// attempt counts a recipient of a mail that somebody sent who had logged in, once.
func (t *Tracker) attempt(m *mail, f *event.Flow, failed bool) {
	root := m.root()
	if root.user == "" || f.Delay > firstAttempt {
		return
	}
	sent := SentHour{Recipients: 1}
	if failed {
		sent.Failed = 1
	}
	t.count(root.born, func(figures *Figures) { figures.addSent(root.user, t.hour(root.born), sent) })
}

func (f *Figures) addHour(hour string, h Hour) {
	if f.latest.hour == nil || f.latest.hourKey != hour {
		sum := f.Hours[hour]
		if sum == nil {
			sum = &Hour{}
			f.Hours[hour] = sum
		}
		f.latest.hourKey, f.latest.hour = hour, sum
	}
	*f.latest.hour = f.latest.hour.Plus(h)
}

// deferred counts a delivery that Postfix will try again.
func (t *Tracker) deferred(m *mail, r *event.Record, f *event.Flow) {
	t.attempt(m, f, true)
	if m.isNear && m.parent == nil && len(m.deferrals) < maxDeliveries {
		m.deferrals = append(m.deferrals, r.Time)
	}
	t.count(r.Time, func(figures *Figures) {
		figures.Deferrals++
		figures.Deferred.add(m.root().key(), 1)
		figures.addHour(t.hour(r.Time), Hour{Deferrals: 1})
		at := uint32(r.Time.Unix())
		addTraffic(figures.DeliveryDomains, domainOf(strings.ToLower(f.Recipient)), Traffic{
			Deferrals: 1, DeferredFrom: at, DeferredTo: at, Reason: bounceReason(f.Text),
		})
		addText(inner(figures.Deferring, f.Daemon), bounceReason(f.Text))
	})
}

// sent counts a delivery, unless it went to a filter, a forwarder or nowhere.
func (t *Tracker) sent(m *mail, r *event.Record, f *event.Flow) {
	figures := t.options.At(r.Time)
	switch {
	case strings.HasPrefix(f.Text, "forwarded as "):
		if figures != nil {
			figures.Forwarded++
		}
		return
	case f.Daemon == "discard", strings.Contains(f.Text, "Ok, discarded"), strings.Contains(f.Text, "DISCARD"):
		if figures != nil {
			figures.Discarded++
			if f.Daemon != "discard" {
				figures.DiscardedByFilter++
			}
		}
		return
	}
	if child := t.childOf(m, r, f); child != nil {
		t.link(child, m)
		t.handOver(figures)
		return
	}
	if f.Local && m.cameBack(r.Time, f.Delay) {
		t.handOver(figures)
		return
	}
	t.attempt(m, f, false)
	t.deliver(m, r, f, figures)
	t.matchParent(m, f)
}

// handOver counts a delivery to a content filter.
func (t *Tracker) handOver(figures *Figures) {
	if figures != nil {
		figures.Requeued++
	}
}

// deliver counts a delivery, and keeps it if it may be taken back.
func (t *Tracker) deliver(m *mail, r *event.Record, f *event.Flow, figures *Figures) {
	d := delivery{
		at: r.Time, agent: agentName(f.Daemon), hour: t.hour(r.Time), recipient: strings.ToLower(f.Recipient),
		delay: f.Delay + m.offset(), size: max(m.size, 0), unsized: m.size < 0,
	}
	if figures != nil {
		figures.deliver(&d, 1)
	}
	if !m.isNear && f.Daemon != "pipe" {
		return // no filter has to do with it
	}
	m.piped = m.piped || f.Daemon == "pipe"
	d.recipient, d.original = strings.Clone(d.recipient), strings.Clone(strings.ToLower(f.Original))
	if len(m.deliveries) >= maxDeliveries {
		m.deliveries = slices.Delete(m.deliveries, 0, 1)
	}
	m.deliveries = append(m.deliveries, d)
}

// agentName returns the name of a delivery agent as a constant if it is one of Postfix's,
// which needs no memory.
func agentName(daemon string) string {
	for _, name := range [...]string{"smtp", "lmtp", "virtual", "local", "pipe", "relay", "error", "retry", "discard"} {
		if daemon == name {
			return name
		}
	}
	return strings.Clone(daemon)
}

// deliver adds a delivery n times, 1 or -1.
func (f *Figures) deliver(d *delivery, n int) {
	addCount(f.DeliveredBy, d.agent, n)
	f.addHour(d.hour, Hour{Delivered: n})
	bytes := int64(n) * d.size
	f.BytesDelivered += bytes
	if d.unsized {
		f.Unsized += n
	}
	addTraffic(f.Recipients, addressKey(d.recipient), Traffic{Count: n, Bytes: bytes})
	traffic := Traffic{Count: n, Bytes: bytes, DelaySum: time.Duration(n) * d.delay}
	if n > 0 {
		traffic.DelayMax, traffic.Delivered = d.delay, uint32(d.at.Unix())
	}
	addTraffic(f.DeliveryDomains, domainOf(d.recipient), traffic)
}

// requeue turns a counted delivery into a hand-over to a filter.
func (t *Tracker) requeue(m *mail, index int) {
	d := &m.deliveries[index]
	if d.requeued {
		return
	}
	d.requeued = true
	t.count(d.at, func(f *Figures) {
		f.deliver(d, -1)
		f.Requeued++
	})
}

// childOf returns the queue file that the answer to a delivery names ("queued as B"), if
// it can be the mail that came back: smtpd on this host received it while the delivery
// was under way. A queue ID of a remote server that looks like one of this host's fails
// that test.
func (t *Tracker) childOf(m *mail, r *event.Record, f *event.Flow) *mail {
	at := strings.LastIndex(f.Text, "queued as ")
	if at < 0 {
		return nil
	}
	id := f.Text[at+len("queued as "):]
	if end := strings.IndexFunc(id, func(c rune) bool { return !isIDRune(c) }); end >= 0 {
		id = id[:end]
	}
	child := m.host.mails[id]
	if child == nil || child == m || !child.bySMTPD || child.born.Before(r.Time.Add(-f.Delay-2*time.Second)) || m.root() == child {
		return nil
	}
	return child
}

func isIDRune(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// link makes child the continuation of parent, and undoes the counts of child as a mail
// of its own.
func (t *Tracker) link(child, parent *mail) {
	if child.parent != nil || parent.root() == child {
		return
	}
	t.unreceive(child)
	if child.incomplete {
		t.count(child.born, func(f *Figures) { f.NotCompleted-- })
	}
	before := child.key()
	child.parent = parent
	root := child.root().key()
	offset := child.offset()
	for i := range child.deliveries {
		d := &child.deliveries[i]
		d.delay += offset
		if !d.requeued {
			t.count(d.at, func(f *Figures) {
				addTraffic(f.DeliveryDomains, domainOf(d.recipient), Traffic{DelaySum: offset, DelayMax: d.delay})
			})
		}
	}
	t.moveDeferrals(child, before, root)
}

// moveDeferrals books the deferrals of a linked queue file on its root.
func (t *Tracker) moveDeferrals(child *mail, before, root uint64) {
	for _, at := range child.deferrals {
		t.count(at, func(f *Figures) {
			f.Deferred.add(before, -1)
			f.Deferred.add(root, 1)
		})
	}
	child.deferrals = nil
}

// linkByOrigin links a mail whose client= line names the queue file before the filter
// (XFORWARD IDENT), and finds the delivery to the filter.
func (t *Tracker) linkByOrigin(child, parent *mail) {
	t.link(child, parent)
	parent.children++
	parent.lastChild = child.born
}

// cameBack recognises a delivery to a loopback address that was under way while a
// child with orig_queue_id was born: the mail came back from a filter.
func (m *mail) cameBack(at time.Time, transmitted time.Duration) bool {
	return m.children > 0 && !m.lastChild.Before(at.Add(-transmitted-2*time.Second))
}

// maxBetween is the longest time between a mail and the one that a filter made of it and
// handed to sendmail(1).
const maxBetween = time.Hour

// matchParent finds mails that a pipe(8) filter handed to sendmail(1) or to this host's
// smtpd: they have the same Message-ID, sender and recipient within an hour. A mailing
// list or a Sieve redirect changes the recipient or the sender, so it does not match.
// Either of the two lines may come first.
func (t *Tracker) matchParent(m *mail, f *event.Flow) {
	if m.messageID == "" || !m.isLocal && f.Daemon != "pipe" {
		return
	}
	m.index()
	if m.isLocal && len(m.recipients) < maxDeliveries {
		d := m.deliveries[len(m.deliveries)-1]
		m.recipients = append(m.recipients, d.recipient)
		if d.original != "" {
			m.recipients = append(m.recipients, d.original)
		}
	}
	for _, other := range m.host.byID[m.messageID] {
		if other == m {
			continue
		}
		t.matchFilter(m, other)
		t.matchFilter(other, m)
	}
}

// matchFilter links child to parent if a pipe delivery of parent made it.
func (t *Tracker) matchFilter(parent, child *mail) {
	if !child.isLocal || child.born.IsZero() || child.sender != parent.sender || parent.root() == child {
		return
	}
	if child.parent != nil && child.parent != parent {
		return
	}
	if child.born.Before(parent.seen) || child.born.Sub(parent.seen) > maxBetween {
		return
	}
	for i, d := range parent.deliveries {
		if d.agent != "pipe" || d.requeued {
			continue
		}
		if slices.Contains(child.recipients, d.recipient) || d.original != "" && slices.Contains(child.recipients, d.original) {
			t.link(child, parent)
			t.requeue(parent, i)
		}
	}
}
