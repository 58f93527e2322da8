package render

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
)

// verdictLine says in one line whether the address is banned, and why. For example:
//
//	192.0.2.7 is banned until Jun  3 08:11: 6 wrong passwords for alice in 54 s
func (a Answer) verdictLine(zone *time.Location) string {
	address := a.Addr.String()
	if d, ok := a.inForce(); ok {
		return fmt.Sprintf("%s is %s until %s: %s", address, bannedText(d, address), dayTime(d.Until, zone), a.deedOf(d.Scenario))
	}
	alert, found := a.gravest()
	if n := len(a.Waiting); n > 0 && (!found || rank(alert) <= rankHold) {
		return address + " is not banned yet: " + waitingText(a.Waiting[n-1], zone)
	}
	if found {
		return address + " " + a.outcome(alert)
	}
	if a.IsUnknown() {
		return address + " is not banned, and nothing is known of it"
	}
	if text := a.nearest(); text != "" {
		return address + " is not banned: " + text
	}
	return address + " is not banned: no scenario found it"
}

// inForce returns the most important decision on the address: one that bouncers enforce
// before a simulated one, one on the address alone before one on its network, and then
// the one that lasts longest.
func (a Answer) inForce() (lapi.Decided, bool) {
	var all []lapi.Decided
	for _, k := range a.LAPI {
		for _, d := range k.Decisions {
			if !d.Over && isOn(d.Value, a.Addr) {
				all = append(all, d)
			}
		}
	}
	if len(all) == 0 {
		return lapi.Decided{}, false
	}
	alone := a.Addr.String()
	return slices.MinFunc(all, func(x, y lapi.Decided) int {
		return cmp.Or(falseFirst(x.Simulated, y.Simulated), falseFirst(x.Value != alone, y.Value != alone), y.Until.Compare(x.Until))
	}), true
}

// isOn reports whether the value of a decision is the address, or a network that holds
// it.
func isOn(value string, addr netip.Addr) bool {
	if network, err := netip.ParsePrefix(value); err == nil {
		return network.Contains(addr)
	}
	single, err := netip.ParseAddr(value)
	return err == nil && single.Unmap() == addr
}

// falseFirst compares two bools for sorting.
func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// bannedText describes a decision, with its network if it is on one. For example: "banned
// in simulation only with 192.0.2.0/24".
func bannedText(d lapi.Decided, address string) string {
	text := "banned"
	if d.Type != "ban" {
		text = "under " + d.Type
	}
	if d.Simulated {
		text += " in simulation only"
	}
	if d.Value != address && d.Value != "" {
		text += " with " + d.Value
	}
	return text
}

// deedOf describes the offence that a scenario found: in csmail's words, or else in the
// LAPI's.
func (a Answer) deedOf(scenario string) string {
	for _, alert := range slices.Backward(a.Alerts) {
		if alert.Scenario == scenario {
			return a.deed(alert)
		}
	}
	for _, k := range a.LAPI {
		if k.Scenario == scenario && k.Message != "" {
			return Printable(k.Message)
		}
	}
	return cmp.Or(Printable(scenario), "a decision without a scenario")
}

// gravest returns the newest of the gravest findings.
func (a Answer) gravest() (report.Alert, bool) {
	var best report.Alert
	found := false
	for _, alert := range a.Alerts {
		if !found || rank(alert) >= rank(best) {
			best, found = alert, true
		}
	}
	return best, found
}

// The ranks that are asked for by name.
const rankHold, rankBan = 2, 3

// rank orders the outcomes of findings: a ban before a hold before an alert, and dropped
// ones last.
func rank(t report.Alert) int {
	switch {
	case t.State == "dropped":
		return 0
	case t.Verdict == guard.Ban.String():
		return rankBan
	case t.Verdict == guard.Hold.String():
		return rankHold
	}
	return 1
}

// isOver reports whether the LAPI took the alert and knows no ban of it any more. It goes
// for an address on which no decision is in force.
func (a Answer) isOver(t report.Alert) bool {
	return rank(t) == rankBan && t.State == "delivered" && a.LAPIErr == ""
}

// outcome describes the state of a finding while no ban is known to be in force. For
// example:
//
//	is not banned: 6 wrong passwords in 54 s, but the guard holds the ban back by the rule proven
func (a Answer) outcome(t report.Alert) string {
	deed := a.deed(t)
	switch {
	case t.State == "dropped":
		return "is not banned: the alert on it was dropped (" + deed + ")"
	case t.Verdict == guard.Hold.String():
		return "is not banned: " + deed + ", but " + holdText(t)
	case t.Verdict != guard.Ban.String():
		return "is not banned: " + t.Scenario + " only tells of it (" + deed + ")"
	case t.State == string(control.Outbox):
		return "is about to be banned, its alert waits for the LAPI: " + deed
	case t.State == string(control.Parked):
		return "is not banned, the LAPI would not take the alert on it: " + deed
	case t.State == "held-back":
		return "is not banned again: " + deed + ", but " + Printable(t.Reason)
	case a.isOver(t):
		return "is no longer banned; it was for " + deed
	case t.State == "delivered":
		return "was banned, and the LAPI was not asked whether it still is: " + deed
	}
	return "is to be banned: " + deed
}

// waitingText says what the guard waits for.
func waitingText(w report.Waiting, zone *time.Location) string {
	text := Printable(w.Scenario) + " found it, and the guard waits until " + dayTime(w.Until, zone) + " at the latest"
	if w.Rule != "" {
		text += " by the rule " + w.Rule
	}
	if w.Reason != "" {
		text += ": " + Printable(w.Reason)
	}
	return text
}

func holdText(t report.Alert) string {
	text := "the guard holds the ban back"
	if t.Rule != "" {
		text += " by the rule " + t.Rule
	}
	if t.Reason != "" {
		text += ": " + Printable(t.Reason)
	}
	return text
}

// deed describes a finding, for example "6 wrong passwords for alice in 54s".
func (a Answer) deed(t report.Alert) string {
	what := fmt.Sprintf("%d attempts that %s counts", t.Count, t.Scenario)
	if len(t.Kinds) == 1 {
		what = deedText(t.Kinds[0])
	}
	if len(t.Kinds) == 1 && t.Kinds[0].Name == event.AuthFailed.String() {
		what += a.names(t)
	}
	if span := t.Last.Sub(t.First); span >= time.Second {
		what += " in " + spanText(span)
	}
	return what
}

// deedText describes one kind of event and its number.
func deedText(k event.Count) string {
	if k.Name == event.AuthFailed.String() {
		return plural(k.N, "wrong password")
	}
	return fmt.Sprintf("%d × %s", k.N, k.Name)
}

// names returns the accounts of wrong passwords, if all lines of the finding are there.
func (a Answer) names(t report.Alert) string {
	var names []string
	if len(a.Evidence) > 0 && a.Evidence[0].Time.After(t.First) {
		return ""
	}
	for _, e := range a.Evidence {
		if e.Kind != event.AuthFailed.String() || e.Time.Before(t.First) || e.Time.After(t.Last) {
			continue
		}
		if name := strings.ToLower(e.User); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " for " + Printable(names[0])
	}
	return fmt.Sprintf(" for %d users", len(names))
}

// spanText writes a time span in its two largest units. For example 54 s, 5 min, 11 h, 3
// days; no unit below twice its size.
func spanText(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return plural(int(d.Hours())/24, "day")
}

// nearest describes how near the fullest bucket is to its limit. For example: "4 of the 6
// attempts that csmail/auth-bf asks for".
func (a Answer) nearest() string {
	var best report.Bucket
	for _, b := range a.Buckets {
		if b.Needed > 0 && b.Count > 0 && (best.Needed == 0 || b.Count*best.Needed > best.Count*b.Needed) {
			best = b
		}
	}
	if best.Needed == 0 {
		return ""
	}
	return fmt.Sprintf("%d of the %d attempts that %s asks for", best.Count, best.Needed, best.Scenario)
}

// dayTime writes a time with its day, without year and seconds.
func dayTime(t time.Time, zone *time.Location) string { return t.In(zone).Format("Jan _2 15:04") }
