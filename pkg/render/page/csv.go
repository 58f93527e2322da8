package page

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"csmail/pkg/report/daily"
	"csmail/pkg/report/document"
)

// CSV writes one figure a row: section,group,key,value.
func CSV(w io.Writer, d *document.Document, top int) error {
	out := table{csv.NewWriter(w)}
	out.row("section", "group", "key", "value")
	for _, t := range totals(d) {
		out.number("totals", "", t.key, t.n)
	}
	out.hours("per_hour", d.PerHour)
	out.hours("per_day", d.PerDay)
	out.connected("smtpd_per_hour", d.Connections.PerHour, 0)
	out.connected("smtpd_per_day", d.Connections.PerDay, 0)
	out.connected("smtpd_hosts", d.Connections.Hosts, top)
	out.counts("received_by", "", d.ReceivedBy, 0)
	out.counts("delivered_by", "", d.DeliveredBy, 0)
	out.counts("rejected_by", "", d.RejectedBy, 0)
	out.volumes("received_domains", d.ReceivedDomains, top)
	out.volumes("senders", d.SendersBy, top)
	out.volumes("recipients", d.RecipientsBy, top)
	for _, domain := range sortedKeys(d.DeliveryDomains) {
		t := d.DeliveryDomains[domain]
		out.number("delivery_domains", domain, "count", int64(t.Count))
		out.number("delivery_domains", domain, "bytes", t.Bytes)
		out.number("delivery_domains", domain, "deferrals", int64(t.Deferrals))
	}
	out.details(d, top)
	out.judged(d)
	out.w.Flush()
	if err := out.w.Error(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// details writes counts by reason and text.
func (t table) details(d *document.Document, top int) {
	t.refusals("reject_detail", d.RejectDetail, top)
	t.refusals("reject_warning_detail", d.WarningDetail, top)
	t.refusals("hold_detail", d.HoldDetail, top)
	t.refusals("discard_detail", d.DiscardDetail, top)
	for _, relay := range sortedKeys(d.BounceDetail) {
		t.counts("bounce_detail", relay, d.BounceDetail[relay].By, top)
	}
	for _, daemon := range sortedKeys(d.DeferralDetail) {
		t.counts("deferral_detail", daemon, d.DeferralDetail[daemon].By, top)
	}
	for _, list := range []struct {
		name string
		of   document.Trouble
	}{{"warnings", d.Warnings}, {"errors", d.Errors}, {"fatals", d.Fatals}, {"panics", d.Panics}} {
		for _, daemon := range sortedKeys(list.of.By) {
			t.counts(list.name, daemon, list.of.By[daemon].By, top)
		}
	}
	t.counts("master", "", d.Master, top)
	t.counts("tls", "", d.TLS, 0)
}

// judged writes the bans and the findings.
func (t table) judged(d *document.Document) {
	for _, list := range []struct {
		name string
		rows document.Verdicts
	}{{"bans", d.Bans}, {"holds", d.Holds}, {"alerts", d.Alerts}} {
		for _, v := range list.rows.List {
			t.number(list.name, v.Scenario, v.Value, int64(v.Events))
		}
	}
	for _, a := range d.Accounts {
		t.number("accounts", "failures", a.Name, int64(a.Failures))
	}
	for _, f := range d.Findings {
		t.number("findings", string(f.Severity), f.ID+": "+f.Title, int64(f.Count))
	}
}

// total is one of the grand totals.
type total struct {
	key string
	n   int64
}

// totals returns the grand totals in their order.
func totals(d *document.Document) []total {
	var list []total
	for _, t := range []struct {
		key string
		n   int
	}{
		{"received", d.Received},
		{"delivered", d.Delivered},
		{"forwarded", d.Forwarded},
		{"requeued", d.Requeued},
		{"deferred", d.Deferred},
		{"deferrals", d.Deferrals},
		{"bounced", d.Bounced},
		{"expired", d.Expired},
		{"not_completed", d.Incomplete},
		{"unsized", d.Unsized},
		{"rejected", d.Rejected},
		{"rejected_temporary", d.RejectedTemporary},
		{"rejected_clients", d.RejectedClients},
		{"reject_warnings", d.RejectWarnings},
		{"held", d.Held},
		{"discarded", d.Discarded},
		{"discarded_by_filter", d.DiscardedByFilter},
	} {
		list = append(list, total{t.key, int64(t.n)})
	}
	list = append(list, total{"bytes_received", d.BytesReceived}, total{"bytes_delivered", d.BytesDelivered})
	for _, t := range []struct {
		key string
		n   int
	}{
		{"senders", d.Senders},
		{"sending_domains", d.SendingDomains},
		{"recipients", d.Recipients},
		{"recipient_domains", d.RecipientDomains},
		{"connections_smtpd", d.Connections.SMTPD},
		{"clients_smtpd", d.Connections.SMTPDClients},
		{"connections_postscreen", d.Connections.Postscreen},
		{"clients_postscreen", d.Connections.PostscreenClients},
		{"logins_ok", d.Logins.OK},
		{"logins_failed", d.Logins.Failed},
		{"logins_users", d.Logins.Users},
		{"banned", d.Bans.Total},
		{"held_back", d.Holds.Total},
		{"attackers", d.Attackers.Total},
		{"attempts", d.Attackers.Attempts},
		{"prevented", d.Prevented},
	} {
		list = append(list, total{t.key, int64(t.n)})
	}
	return list
}

type table struct{ w *csv.Writer }

// row writes cells that a spreadsheet does not take for formulas. An error shows at the
// end.
func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = inert(plain(cell))
	}
	_ = t.w.Write(cells)
}

// inert puts a quote before a text that a spreadsheet would evaluate, for example =cmd().
func inert(cell string) string {
	if cell == "" {
		return cell
	}
	switch cell[0] {
	case '=', '+', '@', '\t', '\r':
		return "'" + cell
	case '-':
		if len(cell) < 2 || cell[1] < '0' || cell[1] > '9' || strings.ContainsAny(cell[1:], "+-*/^(!|@=") {
			return "'" + cell
		}
	}
	return cell
}

func (t table) number(section, group, key string, n int64) {
	t.row(section, group, key, strconv.FormatInt(n, 10))
}

// counts writes the counts of a group, the greatest first.
func (t table) counts(section, group string, counts map[string]int, top int) {
	rows, _ := byCount(counts, top)
	for _, r := range rows {
		t.number(section, group, r.text, int64(r.n))
	}
}

// hours writes counts by hour.
func (t table) hours(section string, hours map[string]daily.Hour) {
	for _, key := range sortedKeys(hours) {
		h := hours[key]
		for _, c := range []total{
			{"received", int64(h.Received)}, {"delivered", int64(h.Delivered)}, {"deferrals", int64(h.Deferrals)}, {"bounced", int64(h.Bounced)}, {"rejected", int64(h.Rejected)},
		} {
			t.number(section, key, c.key, c.n)
		}
	}
}

// connected writes connections by a name.
func (t table) connected(section string, rows map[string]daily.Connected, top int) {
	keys, _ := cut(sortedRows(rows, func(c daily.Connected) (int64, int64) { return int64(c.Count), int64(c.Seconds) }), top)
	if top == 0 {
		keys = sortedKeys(rows)
	}
	for _, key := range keys {
		c := rows[key]
		t.number(section, key, "connections", int64(c.Count))
		t.number(section, key, "seconds", int64(c.Seconds))
		t.number(section, key, "max_seconds", int64(c.Max))
	}
}

// volumes writes messages and bytes by name.
func (t table) volumes(section string, volumes map[string]document.Volume, top int) {
	counts := make(map[string]int, len(volumes))
	for key, v := range volumes {
		counts[key] = v.Count
	}
	rows, _ := byCount(counts, top)
	for _, r := range rows {
		t.number(section, r.text, "count", int64(r.n))
		t.number(section, r.text, "bytes", volumes[r.text].Bytes)
	}
}

// refusals writes refusals by reason.
func (t table) refusals(section string, refusals document.Refusals, top int) {
	for _, stage := range sortedKeys(refusals) {
		for _, reason := range sortedKeys(refusals[stage]) {
			t.counts(section, stage+": "+reason, refusals[stage][reason].By, top)
		}
	}
}
