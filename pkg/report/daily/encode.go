package daily

import (
	"net/netip"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// The kinds of entries of Figures. Their numbers are stored.
const (
	entryTotals uint8 = iota + 16
	entryCount
	entryDeferred
	entryClient
	entryUser
	entrySent
	entryLogins
	entryHour
	entryTraffic
	entryRefusal
	entryRefusedClient  // of the refusal before it
	entryRefusedAddress // of the refusal before it
	entryReason
	entryTrouble
	entryConnected
	entrySpan
)

// totals are the sums of the figures.
func (f *Figures) totals() []*int {
	return []*int{
		&f.Forwarded, &f.Requeued, &f.Deferrals, &f.Bounced, &f.Expired, &f.NotCompleted, &f.Unsized, &f.RejectedTemporary, &f.RejectWarnings,
		&f.Held, &f.Discarded, &f.DiscardedByFilter, &f.SMTPDConnections, &f.SMTPDSeconds, &f.ScreenConnections, &f.LoginsOK, &f.LoginsFailed,
	}
}

// lists are the maps of Figures that have one form. Their order is stored.
type lists struct {
	counts    []Counts
	clients   []Set[netip.Addr]
	traffic   []map[string]*Traffic
	reasons   []map[string]Counts
	connected []map[string]*Connected
}

func (f *Figures) lists() lists {
	return lists{
		counts:    []Counts{f.ReceivedBy, f.DeliveredBy, f.RejectedBy, f.Master, f.TLS},
		clients:   []Set[netip.Addr]{f.RejectedClients, f.SMTPDClients, f.ScreenClients},
		traffic:   []map[string]*Traffic{f.DeliveryDomains, f.ReceivedDomains, f.Senders, f.Recipients},
		reasons:   []map[string]Counts{f.Bounces, f.Deferring},
		connected: []map[string]*Connected{f.ConnectedHours, f.Connected},
	}
}

// Write writes the figures, for Reader.
func (f *Figures) Write(w *wire.Frames) {
	w.Add(entryTotals, func(c *wire.Codec) { encodeTotals(c, f) })
	all := f.lists()
	for which, counts := range all.counts {
		writeCounts(w, entryCount, []string{string(rune('0' + which))}, counts)
	}
	for mail, n := range f.Deferred {
		w.Add(entryDeferred, func(c *wire.Codec) { wire.Numbers(c, &mail); signed(c, &n) })
	}
	for which, set := range all.clients {
		for addr := range set {
			w.Add(entryClient, func(c *wire.Codec) { signed(c, &which); c.Addr(&addr) })
		}
	}
	for user := range f.Users {
		w.Add(entryUser, func(c *wire.Codec) { c.Text(&user) })
	}
	writeHours(w, f)
	writeConnected(w, all.connected)
	for which, traffic := range all.traffic {
		for key, t := range traffic {
			w.Add(entryTraffic, func(c *wire.Codec) { signed(c, &which); c.Text(&key); t.encode(c) })
		}
	}
	writeRefusals(w, f)
	for which, reasons := range all.reasons {
		for key, counts := range reasons {
			writeCounts(w, entryReason, []string{string(rune('0' + which)), key}, counts)
		}
	}
	for cause, span := range f.Spans {
		w.Add(entrySpan, func(c *wire.Codec) { c.Text(&cause); span.encode(c) })
	}
	for level, daemons := range f.Trouble {
		for daemon, counts := range daemons {
			writeCounts(w, entryTrouble, []string{level, daemon}, counts)
		}
	}
}

func encodeTotals(c *wire.Codec, f *Figures) {
	signed(c, f.totals()...)
	signed(c, &f.BytesReceived, &f.BytesDelivered)
}

// writeCounts writes counts, each with the keys above it.
func writeCounts(w *wire.Frames, kind uint8, above []string, counts Counts) {
	for key, n := range counts {
		w.Add(kind, func(c *wire.Codec) {
			for i := range above {
				c.Text(&above[i])
			}
			c.Text(&key)
			signed(c, n)
		})
	}
}

func writeHours(w *wire.Frames, f *Figures) {
	for account, hours := range f.Sent {
		for hour, sent := range hours {
			w.Add(entrySent, func(c *wire.Codec) { c.Text(&account); c.Text(&hour); signed(c, &sent.Recipients, &sent.Failed) })
		}
	}
	for hour, logins := range f.LoginHours {
		w.Add(entryLogins, func(c *wire.Codec) { c.Text(&hour); signed(c, &logins.OK, &logins.Failed) })
	}
	for hour, h := range f.Hours {
		w.Add(entryHour, func(c *wire.Codec) { c.Text(&hour); h.encode(c) })
	}
}

func writeRefusals(w *wire.Frames, f *Figures) {
	for action, stages := range f.Refusals {
		for stage, reasons := range stages {
			for reason, r := range reasons {
				w.Add(entryRefusal, func(c *wire.Codec) {
					c.Text(&action)
					c.Text(&stage)
					c.Text(&reason)
					signed(c, &r.Total, &r.Temporary)
				})
				r.write(w)
			}
		}
	}
}

func (r *Refusal) write(w *wire.Frames) {
	for addr, n := range r.By {
		w.Add(entryRefusedClient, func(c *wire.Codec) { c.Addr(&addr); signed(c, n) })
	}
	for which, counts := range r.addresses() {
		writeCounts(w, entryRefusedAddress, []string{string(rune('0' + which))}, *counts)
	}
}

func (r *Refusal) addresses() []*Counts { return []*Counts{&r.Senders, &r.Rcpts} }

func (h *Hour) encode(c *wire.Codec) {
	signed(c, &h.Received, &h.Delivered, &h.Deferrals, &h.Bounced, &h.Rejected, &h.Connections)
}

func (t *Traffic) encode(c *wire.Codec) {
	signed(c, &t.Count, &t.Deferrals)
	signed(c, &t.Bytes)
	signed(c, &t.DelaySum, &t.DelayMax)
	wire.Numbers(c, &t.Delivered, &t.DeferredFrom, &t.DeferredTo)
	c.Text(&t.Reason)
}

// FiguresReader adds stored figures to others.
type FiguresReader struct {
	into    *Figures
	lists   lists    // of into
	refusal *Refusal // of the latest entry of one
}

// Reader returns a reader of what Write wrote. It adds to f, as Merge does.
func (f *Figures) Reader() *FiguresReader { return &FiguresReader{into: f, lists: f.lists()} }

// Entry reads an entry, and reports whether it knows its kind.
func (r *FiguresReader) Entry(kind uint8, c *wire.Codec) (known bool) {
	f := r.into
	switch kind {
	case entryTotals: // the first entry of each
		f.sweepSent()
		var more Figures
		encodeTotals(c, &more)
		addTotals(f, &more)
	case entryCount:
		keys, n := readCount(c, 2)
		if counts := r.lists.counts; c.Err == nil && isPlace(c, keys[0], len(counts)) {
			addCount(counts[keys[0][0]-'0'], keys[1], n)
		}
	case entryDeferred:
		var mail uint64
		var n int
		wire.Numbers(c, &mail)
		signed(c, &n)
		f.Deferred.add(mail, n)
	case entryClient:
		var which int
		var addr netip.Addr
		signed(c, &which)
		if c.Addr(&addr); c.Err != nil || which < 0 || which >= len(r.lists.clients) {
			c.Fail()
			break
		}
		r.lists.clients[which].add(addr)
	case entryUser:
		var user string
		c.Text(&user)
		f.Users.add(user)
	case entryTraffic:
		r.traffic(c)
	case entryConnected:
		r.connected(c)
	case entrySpan:
		r.span(c)
	default:
		return r.hours(kind, c) || r.details(kind, c)
	}
	return true
}

// readCount reads what writeCounts wrote: some keys and the count.
func readCount(c *wire.Codec, keys int) (all []string, n int) {
	all = make([]string, keys)
	for i := range all {
		c.Text(&all[i])
	}
	signed(c, &n)
	return all, n
}

// isPlace reports whether a key is the number of a list.
func isPlace(c *wire.Codec, key string, lists int) bool {
	if len(key) == 1 && key[0] >= '0' && int(key[0]-'0') < lists {
		return true
	}
	c.Fail()
	return false
}

// hours reads the entries that are counted by hour, and reports whether it knows the kind.
func (r *FiguresReader) hours(kind uint8, c *wire.Codec) (known bool) {
	var account, hour string
	switch kind {
	case entrySent:
		var sent SentHour
		c.Text(&account)
		c.Text(&hour)
		signed(c, &sent.Recipients, &sent.Failed)
		r.into.addSent(account, hour, sent)
	case entryLogins:
		var logins LoginHour
		c.Text(&hour)
		signed(c, &logins.OK, &logins.Failed)
		r.into.addLogins(hour, logins)
	case entryHour:
		var h Hour
		c.Text(&hour)
		h.encode(c)
		sum := r.into.hour(hour)
		*sum = sum.Plus(h)
	default:
		return false
	}
	return true
}

func (r *FiguresReader) span(c *wire.Codec) {
	var cause string
	var span Span
	c.Text(&cause)
	if span.encode(c); c.Err == nil {
		addSpan(r.into, cause, span)
	}
}

func (r *FiguresReader) traffic(c *wire.Codec) {
	var which int
	var key string
	var t Traffic
	signed(c, &which)
	c.Text(&key)
	t.encode(c)
	if all := r.lists.traffic; c.Err == nil && which >= 0 && which < len(all) {
		sum, _ := trafficAt(all[which], key)
		sum.add(&t)
		return
	}
	c.Fail()
}

// details reads the entries by reason and text, and reports whether it knows the kind.
func (r *FiguresReader) details(kind uint8, c *wire.Codec) (known bool) {
	f := r.into
	switch kind {
	case entryRefusal:
		var action, stage, reason string
		var total, temporary int
		c.Text(&action)
		c.Text(&stage)
		c.Text(&reason)
		signed(c, &total, &temporary)
		if actionOf(action) == event.NoAction && action != "" {
			c.Fail()
			return true
		}
		r.refusal, _ = f.refusal(actionOf(action), stage, []byte(reason))
		r.refusal.Total += total
		r.refusal.Temporary += temporary
	case entryRefusedClient, entryRefusedAddress:
		r.refused(kind, c)
	case entryReason:
		keys, n := readCount(c, 3)
		if c.Err == nil && isPlace(c, keys[0], len(r.lists.reasons)) {
			f.restoreText(inner(r.lists.reasons[keys[0][0]-'0'], keys[1]), keys[2], n)
		}
	case entryTrouble:
		keys, n := readCount(c, 3)
		if c.Err == nil {
			f.restoreText(inner(inner2(f.Trouble, keys[0]), keys[1]), keys[2], n)
		}
	default:
		return false
	}
	return true
}

// refused reads the client or mail address of a refusal.
func (r *FiguresReader) refused(kind uint8, c *wire.Codec) {
	if r.refusal == nil {
		c.Fail()
		return
	}
	if kind == entryRefusedClient {
		var addr netip.Addr
		var n int
		c.Addr(&addr)
		signed(c, &n)
		r.into.addClient(r.refusal.By, addr, n)
		return
	}
	keys, n := readCount(c, 2)
	lists := r.refusal.addresses()
	if c.Err != nil || !isPlace(c, keys[0], len(lists)) {
		return
	}
	r.into.addAddress(lists[keys[0][0]-'0'], keys[1], n)
}
