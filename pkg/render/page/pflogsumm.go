package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"csmail/pkg/report/daily"
	"csmail/pkg/report/document"
)

// pflogsumm writes the figures in the words and the order of pflogsumm 1.1.5, so that its
// readers find them again.
func (p *printer) pflogsumm(d *document.Document) {
	if !p.short || !d.IsEmpty() {
		p.grandTotals(d)
		p.hours(d)
	}
	if !p.short {
		p.domains(d)
		p.connections(d)
		p.addresses(d)
	}
	p.details("message deferral detail", d.DeferralDetail)
	p.details("message bounce detail (by relay)", d.BounceDetail)
	p.refusals("message reject detail", d.RejectDetail)
	p.refusals("message reject warning detail", d.WarningDetail)
	p.refusals("message hold detail", d.HoldDetail)
	p.refusals("message discard detail", d.DiscardDetail)
	p.details("Warnings", d.Warnings.By)
	p.details("Errors", d.Errors.By)
	p.details("Fatal Errors", d.Fatals.By)
	p.details("Panics", d.Panics.By)
	p.master(d)
}

// grandTotals writes pflogsumm's first section.
func (p *printer) grandTotals(d *document.Document) {
	p.section("Grand Totals")
	if !p.short {
		p.line("messages\n")
	}
	p.amount(int64(d.Received), "received")
	p.amount(int64(d.Delivered), "delivered")
	if p.short {
		p.shortTotals(d)
		return
	}
	p.amount(int64(d.Forwarded), "forwarded")
	p.amount(int64(d.Deferred), "deferred"+p.deferrals(d.Deferrals))
	p.amount(int64(d.Bounced), "bounced")
	if d.Expired > 0 {
		p.amount(int64(d.Expired), "expired")
	}
	p.amount(int64(d.Rejected), fmt.Sprintf("rejected (%d%%)", percentOfAll(d, d.Rejected))+note(d.RejectedTemporary > 0, ", %d of them for now (4xx)", d.RejectedTemporary))
	p.amount(int64(d.RejectWarnings), "reject warnings")
	p.amount(int64(d.Held), "held")
	p.amount(int64(d.Discarded), fmt.Sprintf("discarded (%d%%)", percentOfAll(d, d.Discarded)))
	p.line("")
	p.amount(d.BytesReceived, "bytes received")
	p.amount(d.BytesDelivered, "bytes delivered")
	p.amount(int64(d.Senders), "senders")
	p.amount(int64(d.SendingDomains), "sending hosts/domains")
	p.amount(int64(d.Recipients), "recipients")
	p.amount(int64(d.RecipientDomains), "recipient hosts/domains")
	p.remarks(d)
	p.smtpd(d)
}

// remarks writes below the totals what pflogsumm does not count.
func (p *printer) remarks(d *document.Document) {
	var lines []string
	add := func(isSo bool, format string, args ...any) {
		if isSo {
			lines = append(lines, fmt.Sprintf("  "+format, args...))
		}
	}
	add(d.ReceivedBy["submission"]+d.ReceivedBy["local"] > 0, "received: %d from other servers, %d by submission, %d from this host", d.ReceivedBy["mx"], d.ReceivedBy["submission"], d.ReceivedBy["local"])
	add(len(d.DeliveredBy) > 1, "delivered: %s", listed(d.DeliveredBy, width-13))
	add(d.Requeued > 0, "%d hand-overs to a content filter are not counted as deliveries", d.Requeued)
	add(d.Incomplete > 0, "%d mails were begun and not completed by the client", d.Incomplete)
	add(d.Unsized > 0, "%d deliveries are without their size, which is not in the log", d.Unsized)
	add(d.Connections.Postscreen > 0, "postscreen: %s from %s", plural(d.Connections.Postscreen, "connection"), plural(d.Connections.PostscreenClients, "client"))
	if len(lines) > 0 {
		p.line("\n%s", strings.Join(lines, "\n"))
	}
}

// shortTotals are the grand totals of a quiet day, as far as there is something.
func (p *printer) shortTotals(d *document.Document) {
	for _, t := range []total{{"forwarded", int64(d.Forwarded)}, {"rejected", int64(d.Rejected)}, {"reject warnings", int64(d.RejectWarnings)}, {"held", int64(d.Held)}, {"discarded", int64(d.Discarded)}} {
		if t.n > 0 {
			p.amount(t.n, t.key)
		}
	}
	p.amount(d.BytesReceived, "bytes received")
	p.amount(d.BytesDelivered, "bytes delivered")
}

// percentOfAll returns the whole percents of all mail that was delivered, refused or
// discarded, cut off like pflogsumm's.
func percentOfAll(d *document.Document, n int) int {
	all := d.Delivered + d.Rejected + d.Discarded
	if all == 0 {
		return 0
	}
	return 100 * n / all
}

// deferrals writes the number of lines behind that of mails, for scripts with pflogsumm's
// blanks.
func (p *printer) deferrals(n int) string {
	switch {
	case n == 0:
		return ""
	case p.alone:
		return fmt.Sprintf("  (%s deferrals)", strings.TrimLeft(scaled(int64(n)), " "))
	}
	return fmt.Sprintf("  (%d deferrals)", n)
}

func note(show bool, format string, n int) string {
	if !show {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// amount writes a number like pflogsumm: above 512 k in k, above 512 M in M. For example,
// 1,572,864 becomes 1536k.
func (p *printer) amount(n int64, what string) {
	p.line(" %s  %s", scaled(n), what)
}

func scaled(n int64) string {
	const k, m = 1024, 1024 * 1024
	switch {
	case n > 512*m:
		return fmt.Sprintf("%6dm", n/m)
	case n > 512*k:
		return fmt.Sprintf("%6dk", n/k)
	}
	return fmt.Sprintf("%6d ", n)
}

// hours writes the traffic by hour. For example:
//
//	04:00-05:00        12         11          1          0        214
func (p *printer) hours(d *document.Document) {
	if d.Days > 1 {
		p.traffic("Per-Day Traffic Summary", "date", d.PerDay, dayName)
	}
	if p.short {
		return
	}
	p.traffic("Per-Hour Traffic Summary", "time", d.PerHour, hourName)
}

// traffic writes counts of received, delivered, deferred, bounced and rejected mails in
// columns.
func (p *printer) traffic(title, first string, rows map[string]daily.Hour, name func(string) string) {
	p.section(title)
	p.line("    %-11s   %8s  %9s   %8s    %7s     %8s", first, "received", "delivered", "deferred", "bounced", "rejected")
	p.line("    %s", strings.Repeat("-", 68))
	for _, key := range sortedKeys(rows) {
		h := rows[key]
		line := fmt.Sprintf("    %-11s", name(key))
		for _, n := range []int{h.Received, h.Delivered, h.Deferrals, h.Bounced, h.Rejected} {
			line += "    " + scaled(int64(n))
		}
		p.line("%s", strings.TrimRight(line, " "))
	}
}

// domains writes the domains by volume, as pflogsumm by count and then size.
func (p *printer) domains(d *document.Document) {
	deliveries := sortedRows(d.DeliveryDomains, func(t document.Delivery) (int64, int64) { return int64(t.Count), t.Bytes })
	if p.table("Host/Domain Summary: Message Delivery", len(deliveries), " sent cnt  bytes   defers   avg dly max dly host/domain", " -------- -------  -------  ------- ------- -----------") {
		rows, _ := cut(deliveries, p.top)
		for _, domain := range rows {
			t := d.DeliveryDomains[domain]
			p.line(" %s  %s  %s  %s  %s  %s", scaled(int64(t.Count)), scaled(t.Bytes), scaled(int64(t.Deferrals)), delay(t.DelayAvg), delay(t.DelayMax), clip(domain, width-46))
		}
	}
	received := sortedRows(d.ReceivedDomains, func(v document.Volume) (int64, int64) { return int64(v.Count), v.Bytes })
	if p.table("Host/Domain Summary: Messages Received", len(received), " msg cnt   bytes   host/domain", " -------- -------  -----------") {
		rows, _ := cut(received, p.top)
		for _, domain := range rows {
			v := d.ReceivedDomains[domain]
			p.line(" %s  %s  %s", scaled(int64(v.Count)), scaled(v.Bytes), clip(domain, width-19))
		}
	}
}

// sortedRows lists the keys of a map by two numbers, the greatest first, equal ones by
// name.
func sortedRows[V any](rows map[string]V, of func(V) (first, second int64)) []string {
	keys := sortedKeys(rows)
	slices.SortStableFunc(keys, func(a, b string) int {
		a1, a2 := of(rows[a])
		b1, b2 := of(rows[b])
		return cmp.Or(cmp.Compare(b1, a1), cmp.Compare(b2, a2))
	})
	return keys
}

// table begins a table with its heads, and reports whether it has rows.
func (p *printer) table(title string, rows int, heads ...string) bool {
	if rows == 0 && !p.alone {
		p.empty = append(p.empty, title)
		return false
	}
	p.counted(title, rows)
	for _, head := range heads {
		p.line("%s", head)
	}
	return true
}

// delay writes seconds like pflogsumm (1.1.5, adj_time_units): up to a minute in seconds,
// up to an hour in minutes, else in hours. For example: "60.0 s", "3.0 m", "55.6 h".
func delay(seconds float64) string {
	switch {
	case seconds > 3600:
		return fmt.Sprintf("%5.1f h", seconds/3600)
	case seconds > 60:
		return fmt.Sprintf("%5.1f m", seconds/60)
	}
	return fmt.Sprintf("%5.1f s", seconds)
}

func volumeCounts(volumes map[string]document.Volume) map[string]int {
	counts := make(map[string]int, len(volumes))
	for key, v := range volumes {
		counts[key] = v.Count
	}
	return counts
}

func volumeBytes(volumes map[string]document.Volume) map[string]int {
	counts := make(map[string]int, len(volumes))
	for key, v := range volumes {
		counts[key] = int(v.Bytes)
	}
	return counts
}

// addresses writes senders and recipients by messages and size.
func (p *printer) addresses(d *document.Document) {
	p.list("Senders by message count", volumeCounts(d.SendersBy))
	p.list("Recipients by message count", volumeCounts(d.RecipientsBy))
	p.list("Senders by message size", volumeBytes(d.SendersBy))
	p.list("Recipients by message size", volumeBytes(d.RecipientsBy))
}

func (p *printer) list(title string, counts map[string]int) {
	rows, _ := byCount(counts, p.top)
	if len(rows) == 0 {
		p.none(title)
		return
	}
	p.ranked(title, len(counts))
	for _, r := range rows {
		p.line(" %s  %s", scaled(int64(r.n)), clip(r.text, width-10))
	}
}

// details writes counts by a name and a text.
func (p *printer) details(title string, details map[string]document.Detail) {
	if len(details) == 0 {
		p.none(title)
		return
	}
	p.section(title)
	for _, name := range sortedKeys(details) {
		p.line("  %s (total: %d)", clip(name, width-20), details[name].Total)
		rows, more := byCount(details[name].By, p.top)
		for _, r := range rows {
			p.line("    %s  %s", scaled(int64(r.n)), clip(r.text, width-14))
		}
		p.more("             ", more)
	}
}

// refusal writes one reason with the addresses of the clients, the most frequent first.
func (p *printer) refusal(reason string, r *document.Refusal) {
	total := fmt.Sprintf("(total: %d)", r.Total)
	if r.Temporary == r.Total {
		total = fmt.Sprintf("(total: %d, 4xx)", r.Total)
	}
	p.line("    %s %s", clip(reason, width-5-len(total)), total)
	rows, more := byCount(r.By, p.top)
	for _, line := range rows {
		p.line("      %s  %s", scaled(int64(line.n)), clip(line.text, width-15))
	}
	p.more("               ", more)
	for _, who := range []struct {
		word   string
		counts map[string]int
	}{{"from", r.Senders}, {"to", r.Rcpts}} {
		if len(who.counts) == 0 {
			continue
		}
		p.line("              %s", clip(who.word+" "+listed(who.counts, width-20), width-14))
	}
}

// master writes the messages of Postfix's master daemon.
func (p *printer) master(d *document.Document) {
	const title = "Master daemon messages"
	if len(d.Master) == 0 {
		p.none(title)
		return
	}
	p.section(title)
	rows, more := byCount(d.Master, p.top)
	for _, r := range rows {
		p.line(" %s  %s", scaled(int64(r.n)), clip(r.text, width-10))
	}
	p.more("          ", more)
}
