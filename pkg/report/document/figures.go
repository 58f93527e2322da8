package document

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"csmail/pkg/engine"
	"csmail/pkg/guard"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// addFigures adds the totals and the traffic.
func (d *Document) addFigures(f *daily.Figures) {
	f.Clean()
	d.Received, d.ReceivedBy = f.Received(), f.ReceivedBy.Plain()
	d.Delivered, d.DeliveredBy = f.Delivered(), f.DeliveredBy.Plain()
	d.Forwarded, d.Requeued, d.Deferred, d.Deferrals = f.Forwarded, f.Requeued, len(f.Deferred), f.Deferrals
	d.Bounced, d.Expired, d.Incomplete, d.Unsized = f.Bounced, f.Expired, f.NotCompleted, f.Unsized
	d.Rejected, d.RejectedTemporary, d.RejectedBy = f.Rejected(), f.RejectedTemporary, f.RejectedBy.Plain()
	d.RejectedPercent = oneDecimal(f.RejectedPercent())
	d.RejectedClients, d.RejectWarnings = len(f.RejectedClients), f.RejectWarnings
	d.Held, d.Discarded, d.DiscardedByFilter = f.Held, f.Discarded, f.DiscardedByFilter
	d.BytesReceived, d.BytesDelivered = f.BytesReceived, f.BytesDelivered
	d.Senders, d.SendingDomains = len(f.Senders), len(f.ReceivedDomains)
	d.Recipients = len(f.Recipients)
	d.Connections = connectionsOf(f)
	d.Logins = Logins{f.LoginsOK, f.LoginsFailed, len(f.Users)}
	d.LoginsPerHour = loginsPerHour(f.LoginHours)
	d.PerHour, d.PerDay = perHour(f.Hours), perDay(f.Hours)
	d.ReceivedDomains, d.SendersBy, d.RecipientsBy = volumes(f.ReceivedDomains), volumes(f.Senders), volumes(f.Recipients)
	d.DeliveryDomains = map[string]Delivery{}
	for domain, t := range f.DeliveryDomains {
		entry := Delivery{Count: t.Count, Bytes: t.Bytes, Deferrals: t.Deferrals, DelayMax: oneDecimal(t.DelayMax.Seconds())}
		if t.Count > 0 {
			entry.DelayAvg = oneDecimal(t.DelaySum.Seconds() / float64(t.Count))
			d.RecipientDomains++
		}
		d.DeliveryDomains[domain] = entry
	}
}

// connectionsOf sums up the connections.
func connectionsOf(f *daily.Figures) Connections {
	c := Connections{
		SMTPD: f.SMTPDConnections, SMTPDClients: len(f.SMTPDClients), Postscreen: f.ScreenConnections, PostscreenClients: len(f.ScreenClients),
		SMTPDSeconds: float64(f.SMTPDSeconds), PerHour: map[string]daily.Connected{}, PerDay: map[string]daily.Connected{}, Hosts: map[string]daily.Connected{},
	}
	for key, one := range f.ConnectedHours {
		day, hour, _ := strings.Cut(key, "T")
		c.PerDay[day], c.PerHour[hour] = c.PerDay[day].Plus(*one), c.PerHour[hour].Plus(*one)
	}
	for host, one := range f.Connected {
		c.Hosts[host] = *one
	}
	return c
}

// oneDecimal rounds to one decimal.
func oneDecimal(x float64) float64 { return float64(int(x*10+0.5)) / 10 }

// volumes copies traffic into the form of the contract.
func volumes(traffic map[string]*daily.Traffic) map[string]Volume {
	out := make(map[string]Volume, len(traffic))
	for key, t := range traffic {
		out[key] = Volume{t.Count, t.Bytes}
	}
	return out
}

// perHour adds up by the hour of the day. All 24 hours are in the result.
func perHour(hours map[string]*daily.Hour) map[string]daily.Hour {
	out := make(map[string]daily.Hour, 24)
	for h := range 24 {
		out[fmt.Sprintf("%02d", h)] = daily.Hour{}
	}
	for key, h := range hours {
		_, hour, _ := strings.Cut(key, "T")
		out[hour] = out[hour].Plus(*h)
	}
	return out
}

// loginsPerHour adds up logins by the hour of the day.
func loginsPerHour(hours map[string]*daily.LoginHour) map[string]daily.LoginHour {
	out := make(map[string]daily.LoginHour, 24)
	for h := range 24 {
		out[fmt.Sprintf("%02d", h)] = daily.LoginHour{}
	}
	for key, h := range hours {
		_, hour, _ := strings.Cut(key, "T")
		out[hour] = daily.LoginHour{OK: out[hour].OK + h.OK, Failed: out[hour].Failed + h.Failed}
	}
	return out
}

func perDay(hours map[string]*daily.Hour) map[string]daily.Hour {
	out := map[string]daily.Hour{}
	for key, h := range hours {
		day, _, _ := strings.Cut(key, "T")
		out[day] = out[day].Plus(*h)
	}
	return out
}

// addDetails adds the counts by reason and text.
func (d *Document) addDetails(f *daily.Figures) {
	d.RejectDetail, d.WarningDetail = refusalsOf(f, "reject"), refusalsOf(f, "warning")
	d.HoldDetail, d.DiscardDetail = refusalsOf(f, "hold"), refusalsOf(f, "discard")
	d.BounceDetail, d.DeferralDetail = details(f.Bounces), details(f.Deferring)
	d.Warnings, d.Errors = troubleOf(f.Trouble["warning"]), troubleOf(f.Trouble["error"])
	d.Fatals, d.Panics = troubleOf(f.Trouble["fatal"]), troubleOf(f.Trouble["panic"])
	d.Master, d.TLS = f.Master.Plain(), f.TLS.Plain()
}

// refusalsOf returns the refusals of one action.
func refusalsOf(f *daily.Figures, action string) Refusals {
	out := Refusals{}
	for stage, reasons := range f.Details(action) {
		out[stage] = make(map[string]*Refusal, len(reasons))
		for reason, r := range reasons {
			out[stage][reason] = &Refusal{r.Total, r.Temporary, r.By.Plain(), r.Senders.Plain(), r.Rcpts.Plain()}
		}
	}
	return out
}

// details copies counts by a name and a text.
func details(counts map[string]daily.Counts) map[string]Detail {
	out := make(map[string]Detail, len(counts))
	for key, by := range counts {
		detail := Detail{By: by.Plain()}
		for _, n := range detail.By {
			detail.Total += n
		}
		out[key] = detail
	}
	return out
}

// troubleOf copies the messages of one severity.
func troubleOf(counts map[string]daily.Counts) Trouble {
	t := Trouble{By: details(counts)}
	for _, detail := range t.By {
		t.Total += detail.Total
	}
	return t
}

// addVerdicts adds the values that were banned, held, or only reported, each with its
// first finding.
func (d *Document) addVerdicts(in Input) {
	d.Attackers = Attackers{Total: len(in.Sources), List: in.Sources}
	for _, s := range in.Sources {
		d.Attackers.Attempts += s.Count
	}
	if in.OtherSources != (report.Others{}) {
		d.Attackers.Attempts += in.OtherSources.Attempts
		d.Attackers.Others = &in.OtherSources
	}
	d.Prevented = in.Prevented
	d.Bans, d.Holds, d.Alerts = newVerdicts(), newVerdicts(), newVerdicts()
	for _, value := range in.Watch.order {
		first := in.Watch.values[value]
		switch {
		case first.ban != nil:
			d.Bans.add(*first.ban)
		case first.hold != nil:
			d.Holds.add(*first.hold)
		}
		if first.alert != nil {
			d.Alerts.add(*first.alert)
		}
	}
	for _, v := range []*Verdicts{&d.Bans, &d.Holds, &d.Alerts} {
		v.locate(in.Place)
		slices.SortFunc(v.List, func(a, b Verdict) int { return cmp.Or(a.StopAt.Compare(b.StopAt), strings.Compare(a.Value, b.Value)) })
	}
}

// newVerdicts returns an empty list, which JSON shows as [] instead of null.
func newVerdicts() Verdicts { return Verdicts{ByScenario: map[string]int{}, List: []Verdict{}} }

func (v *Verdicts) add(entry Verdict) {
	v.Total++
	v.ByScenario[entry.Scenario]++
	v.List = append(v.List, entry)
}

// locate adds country and network operator.
func (v *Verdicts) locate(place func(netip.Addr) (country, as string)) {
	if place == nil {
		return
	}
	for i := range v.List {
		value, _, _ := strings.Cut(v.List[i].Value, "/")
		if addr, err := netip.ParseAddr(value); err == nil {
			v.List[i].Country, v.List[i].AS = place(addr)
		}
	}
}

// verdictOf describes a finding.
func verdictOf(f engine.Finding) Verdict {
	v := Verdict{
		Scope: string(f.Alert.Scope), Value: f.Alert.Value(), Scenario: f.Alert.Scenario, StartAt: f.Alert.First, StopAt: f.Alert.Last,
		Events: f.Alert.Count, Message: engine.Describe(f.Alert).Message, Reason: f.Verdict.Reason, At: f.At,
	}
	if f.Verdict.Action == guard.Hold {
		v.Rule = f.Verdict.Rule.String()
	}
	if f.Alert.Source.IsValid() {
		v.Network = engine.Network(f.Alert).String()
		if network := neighbours(f); network != "" {
			v.Network = network
		}
	}
	return v
}

// neighbours returns the /24 or /64 of an address, by which the report joins sources.
func neighbours(f engine.Finding) string {
	bits := 64
	if f.Alert.Source.Is4() {
		bits = 24
	}
	prefix, err := f.Alert.Source.Prefix(bits)
	if err != nil || engine.Network(f.Alert).Bits() < bits {
		return ""
	}
	return prefix.String()
}

// ScenariosByCount returns the scenarios, those with the most values first.
func (v Verdicts) ScenariosByCount() []string {
	names := slices.Sorted(maps.Keys(v.ByScenario))
	slices.SortStableFunc(names, func(a, b string) int { return v.ByScenario[b] - v.ByScenario[a] })
	return names
}
