package daily

import (
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
)

// delivery counts the delivery to one recipient.
func (t *Tracker) delivery(r *event.Logged, f *event.Flow) {
	m := t.queue.open(r, f.QueueID)
	switch f.Status {
	case "sent":
		t.sent(m, r, f)
	case "deferred", "SOFTBOUNCE":
		t.deferred(m, r, f)
	case "bounced":
		t.attempt(m, f, true)
		t.matchParent(m, f)
		if figures := t.at(r.Time); figures != nil {
			figures.Bounced++
			figures.hour(t.hour(r.Time)).Bounced++
			figures.addText(inner(figures.Bounces, relayKey(f)), bounceReason(f.Text, f.Recipient), 1)
		}
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
	t.count(root.born, func(figures *Figures) {
		figures.addSent(root.user, t.hour(root.born.time()), sent)
		figures.sweepSent()
	})
}

// hour returns the counts of an hour.
func (f *Figures) hour(key string) *Hour {
	if f.latest.hour == nil || f.latest.hourKey != key {
		f.latest.hourKey, f.latest.hour = key, atHour(f.Hours, key)
	}
	return f.latest.hour
}

// atHour returns the entry of an hour. Those of too many hours count by the hour of the
// day alone.
func atHour[T any](hours map[string]*T, key string) *T {
	if sum := hours[key]; sum != nil {
		return sum
	}
	if len(hours) >= maxHours {
		if at := strings.IndexByte(key, 'T'); at >= 0 && key[:at] != others {
			return atHour(hours, others+key[at:])
		}
	}
	sum := new(T)
	hours[key] = sum
	return sum
}

// deferred counts a delivery that Postfix will try again.
func (t *Tracker) deferred(m *mail, r *event.Logged, f *event.Flow) {
	t.attempt(m, f, true)
	t.matchParent(m, f)
	if m.parent == nil && m.mayBeLinked(momentOf(r.Time)) && len(m.past().deferrals) < maxDeliveries {
		m.more.deferrals = append(m.more.deferrals, momentOf(r.Time))
	}
	figures := t.at(r.Time)
	if figures == nil {
		return
	}
	figures.Deferrals++
	figures.Deferred.add(m.root().key(), 1)
	figures.hour(t.hour(r.Time)).Deferrals++
	at := uint32(r.Time.Unix())
	domain, _ := trafficAt(figures.DeliveryDomains, domainOf(strings.ToLower(f.Recipient)))
	reason := bounceReason(f.Text, f.Recipient)
	domain.add(&Traffic{Deferrals: 1, DeferredFrom: at, DeferredTo: at, Reason: reason})
	if IsFullMailbox(f.Daemon, reason) {
		addSpan(figures, MailboxTrouble, Span{r.Time.Unix(), r.Time.Unix()})
	}
	figures.addText(inner(figures.Deferring, f.Daemon), reason, 1)
}

// mayBeLinked reports whether a later line may show that a filter brought the mail back.
// That of a filter on another host ends with the delivery to it.
func (m *mail) mayBeLinked(at moment) bool {
	return m.is(near) || m.is(bySMTPD) && m.born != 0 && at.since(m.born) < firstAttempt
}

// sent counts a delivery, unless it went to a filter, a forwarder or nowhere.
func (t *Tracker) sent(m *mail, r *event.Logged, f *event.Flow) {
	figures := t.at(r.Time)
	switch {
	case strings.HasPrefix(f.Text, "forwarded as "):
		if figures != nil {
			figures.Forwarded++
		}
		return
	case isDiscarded(f):
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
	if f.Local && m.cameBack(momentOf(r.Time), f.Delay) {
		t.handOver(figures)
		return
	}
	t.attempt(m, f, false)
	t.deliver(m, r, f, figures)
	t.matchParent(m, f)
}

// isDiscarded reports whether discard(8) or a filter threw the mail away: amavis answers
// "250 2.7.0 Ok, discarded, id=12-01 - spam" or "250 2.5.0 Ok, id=12-01,
// DISCARD(bounce.suppressed)". Another answer may repeat the recipient, and so the
// sender's words, so amavis's have to be where it puts them.
func isDiscarded(f *event.Flow) bool {
	if f.Daemon == "discard" {
		return true
	}
	if !strings.Contains(f.Text, "Ok, ") {
		return false
	}
	_, answer := cutCodes(f.Text)
	return strings.HasPrefix(answer, "Ok, discarded") || strings.HasPrefix(answer, "Ok, ") && strings.Contains(answer, ", DISCARD")
}

// handOver counts a delivery to a content filter.
func (t *Tracker) handOver(figures *Figures) {
	if figures != nil {
		figures.Requeued++
	}
}

// deliver counts a delivery, and keeps it if it may be taken back.
func (t *Tracker) deliver(m *mail, r *event.Logged, f *event.Flow, figures *Figures) {
	d := delivery{
		at: momentOf(r.Time), agent: f.Daemon, recipient: t.names.lower(f.Recipient), delay: f.Delay + m.offset(), size: max(m.size, 0), unsized: m.size < 0,
	}
	if figures != nil {
		figures.deliver(&d, 1, t.hour(r.Time))
	}
	isFiltered := f.Daemon == "pipe" || f.Local && m.hasEcho(d.at, f.Delay)
	if !m.is(near) && !isFiltered {
		return // no filter has to do with it
	}
	m.setIf(isFiled(f.Text), filed)
	m.setIf(isFiltered, piped)
	d.agent, d.original = agentName(f.Daemon), t.names.lower(f.Original)
	past := m.past()
	if len(past.deliveries) >= maxDeliveries {
		past.deliveries = slices.Delete(past.deliveries, 0, 1)
	}
	past.deliveries = append(past.deliveries, d)
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
func (f *Figures) deliver(d *delivery, n int, hour string) {
	f.latest.deliveredBy.add(f.DeliveredBy, d.agent, n)
	f.hour(hour).Delivered += n
	bytes := int64(n) * d.size
	f.BytesDelivered += bytes
	if d.unsized {
		f.Unsized += n
	}
	if f.latest.recipients == nil {
		f.latest.recipients = new(knownTraffic)
	}
	recipient, domain := f.latest.recipients.of(f.Recipients, f.DeliveryDomains, d.recipient)
	recipient.Count += n
	recipient.Bytes += bytes
	domain.Count += n
	domain.Bytes += bytes
	domain.DelaySum += time.Duration(n) * d.delay
	if n > 0 {
		domain.DelayMax = max(domain.DelayMax, d.delay)
		domain.Delivered = max(domain.Delivered, uint32(d.at.seconds()))
	}
}

// requeue turns a counted delivery into a hand-over to a filter.
func (t *Tracker) requeue(m *mail, index int) {
	d := &m.more.deliveries[index]
	if d.requeued {
		return
	}
	d.requeued = true
	t.count(d.at, func(f *Figures) {
		f.deliver(d, -1, t.hour(d.at.time()))
		f.Requeued++
	})
}

// childOf returns the queue file that the answer to a delivery names ("queued as B"), if
// it can be the mail that came back: smtpd on this host received it while the delivery
// was under way. A queue ID of a remote server that looks like one of this host's fails
// that test.
func (t *Tracker) childOf(m *mail, r *event.Logged, f *event.Flow) *mail {
	if !strings.Contains(f.Text, "queued as ") { // most answers
		return nil
	}
	at := strings.LastIndex(f.Text, "queued as ")
	id := f.Text[at+len("queued as "):]
	if end := strings.IndexFunc(id, func(c rune) bool { return !isIDRune(c) }); end >= 0 {
		id = id[:end]
	}
	child := m.host.mails.find(id)
	if child == nil || child == m || !child.is(bySMTPD) || child.born < momentOf(r.Time.Add(-f.Delay-2*time.Second)) || m.root() == child {
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
	if child.is(incomplete) {
		t.count(child.born, func(f *Figures) { f.NotCompleted-- })
	}
	before := child.key()
	child.parent = parent
	root := child.root().key()
	offset := child.offset()
	for i := range child.deliveries() {
		d := &child.more.deliveries[i]
		d.delay += offset
		if !d.requeued {
			t.count(d.at, func(f *Figures) {
				domain, _ := trafficAt(f.DeliveryDomains, domainOf(d.recipient))
				domain.DelaySum += offset
				domain.DelayMax = max(domain.DelayMax, d.delay)
			})
		}
	}
	t.moveDeferrals(child, before, root)
}

// moveDeferrals books the deferrals of a linked queue file on its root.
func (t *Tracker) moveDeferrals(child *mail, before, root uint64) {
	if child.more == nil {
		return
	}
	for _, at := range child.more.deferrals {
		t.count(at, func(f *Figures) {
			f.Deferred.add(before, -1)
			f.Deferred.add(root, 1)
		})
	}
	child.more.deferrals = nil
}

// linkByOrigin links a mail whose client= line names the queue file before the filter
// (XFORWARD IDENT), and finds the delivery to the filter.
func (t *Tracker) linkByOrigin(child, parent *mail) {
	t.link(child, parent)
	past := parent.past()
	past.children++
	past.lastChild = child.born
}

// cameBack recognises a delivery to a loopback address that was under way while a
// child with orig_queue_id was born: the mail came back from a filter.
func (m *mail) cameBack(at moment, transmitted time.Duration) bool {
	return m.more != nil && m.more.children > 0 && m.more.lastChild >= at-moment(transmitted+2*time.Second)
}

// maxBetween is the longest time between a mail and the one that a filter made of it and
// handed to sendmail(1).
const maxBetween = time.Hour

// matchParent finds mails that a pipe(8) filter handed to sendmail(1) or to this host's
// smtpd, and those of a filter on this host that answers without their queue ID: they have
// the same Message-ID, sender and recipient within an hour. A mailing list or a Sieve
// redirect changes the recipient or the sender, so it does not match, and a redirect to
// another recipient of the mail is known by the mailbox server's answer. Either of the two
// lines may come first.
func (t *Tracker) matchParent(m *mail, f *event.Flow) {
	if m.messageID == 0 || !m.is(local) && !m.is(piped) {
		return
	}
	m.index()
	if m.is(local) {
		m.past().addRecipients(f)
	}
	for _, other := range m.host.byID[m.messageID] {
		if other == m {
			continue
		}
		t.matchFilter(m, other)
		t.matchFilter(other, m)
	}
}

// matchFilter links child to parent if a delivery of parent made it: one by pipe(8), or
// one that was under way when the child was born and that no mailbox server took.
func (t *Tracker) matchFilter(parent, child *mail) {
	if !child.is(local) || child.born == 0 || child.sender != parent.sender || parent.root() == child {
		return
	}
	if child.parent != nil && child.parent != parent {
		return
	}
	if child.born < parent.seen || child.born.since(parent.seen) > maxBetween || child.more == nil {
		return
	}
	for i, d := range parent.deliveries() {
		if d.requeued || d.agent != "pipe" && (parent.is(filed) || !child.is(bySMTPD) || !isDuring(child.born, d.at, d.delay)) {
			continue
		}
		if slices.Contains(child.more.recipients, d.recipient) || d.original != "" && slices.Contains(child.more.recipients, d.original) {
			t.link(child, parent)
			t.requeue(parent, i)
		}
	}
}
