package document

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// Severity is the importance of a finding.
type Severity string

// The severities. Urgent: mail or an account is being lost. Warn: it will be. Note: good
// to know.
const (
	Urgent Severity = "urgent"
	Warn   Severity = "warn"
	Note   Severity = "note"
)

// Finding is a fact that needs a person, with the remedy.
type Finding struct {
	ID       string    `json:"id"`
	Severity Severity  `json:"severity"`
	Title    string    `json:"title"`
	Detail   string    `json:"detail"`
	Advice   string    `json:"advice"` // a command
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Subjects []string  `json:"subjects"`
	Count    int       `json:"count"`
}

// FindingIDs are the IDs of all findings, for --fail-on.
var FindingIDs = []string{
	"login-after-guessing", "account-under-attack", "banned-then-honest", "banned-after-login", "own-address-listed", "own-mail-unauthenticated", "own-mail-rate-limited", "provider-refused", "backend-fault",
	"resolver-trouble", "blocklist-trouble", "certificate", "disk-or-queue", "destination-stuck", "queue-grows", "bounces-high", "silent",
	"more-than-usual", "own-network-attacks", "lines-not-understood", "restarted",
	"login-from-many-countries", "login-from-new-country", "login-from-new-network", "account-sends-bulk",
	"held-waiting", "lapi-unreachable", "outbox-grows", "source-lags", "cap-reached",
}

// findings returns all that needs a person, the gravest first.
func (d *Document) findings(in Input) []Finding {
	found := []Finding{}
	add := func(list ...Finding) { found = append(found, list...) }
	add(in.Watch.breakIns()...)
	add(in.Watch.attackedAccounts()...)
	add(in.Watch.manyOrigins(in)...)
	add(in.Watch.newOrigins(in)...)
	add(bulkSenders(in)...)
	add(bannedThenHonest(in)...)
	add(bannedAfterLogin(in)...)
	add(d.refusedElsewhere()...)
	add(in.Watch.refusedProviders()...)
	add(d.ownTroubles(in)...)
	add(d.blockListTrouble()...)
	add(d.certificates(in.Watch.faults[event.TLSError])...)
	add(d.fatals()...)
	add(stuckDestinations(in)...)
	add(growingQueue(in)...)
	add(d.highBounces()...)
	add(d.silence(in)...)
	add(d.comparisons()...)
	add(d.ownNetworks()...)
	add(linesNotUnderstood(in)...)
	add(d.restarts()...)
	add(d.caps()...)
	add(in.Others...)
	for i := range found {
		f := &found[i]
		f.Since, f.Until = timeIn(f.Since, in.Zone), timeIn(f.Until, in.Zone)
		if f.Subjects == nil {
			f.Subjects = []string{}
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return rank(a.Severity) - rank(b.Severity) })
	return found
}

// timeIn returns a time in the zone of the report, and no time as it is.
func timeIn(at time.Time, zone *time.Location) time.Time {
	if at.IsZero() || zone == nil {
		return at
	}
	return at.In(zone)
}

func rank(s Severity) int { return slices.Index([]Severity{Urgent, Warn, Note}, s) }

// statusOf returns the report in one word. Silence is never an attack, however urgent.
func statusOf(findings []Finding) string {
	status := "quiet"
	for _, f := range findings {
		switch {
		case f.Severity == Urgent && f.ID != "silent":
			return "attack"
		case f.Severity != Note:
			status = "elevated"
		}
	}
	return status
}

// breakIns returns the break-ins, the most important lines of the day.
func (w *Watch) breakIns() []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[name]
		for _, b := range a.breakIns {
			if name != "" || !w.namesBreakIn(b.addr) {
				found = append(found, b.finding(name))
			}
		}
	}
	return found
}

// namesBreakIn reports whether an account is known that an address broke into. Its other
// logins, of which the log names no account, are likely of the same.
func (w *Watch) namesBreakIn(addr netip.Addr) bool {
	for name, a := range w.accounts {
		if name != "" && slices.ContainsFunc(a.breakIns, func(b breakIn) bool { return b.addr == addr }) {
			return true
		}
	}
	return false
}

// finding describes a break-in. If the log names no user, the address stands for it.
func (b breakIn) finding(name string) Finding {
	f := Finding{
		ID: "login-after-guessing", Severity: Urgent, Count: b.guesses, Since: b.at, Until: b.at,
		Title:    fmt.Sprintf("The password of %s was guessed: %s logged in", cmp.Or(name, "an account"), b.addr),
		Detail:   fmt.Sprintf("The address had failed %s before. Change the password, end its sessions, look at what was sent.", times(b.guesses)),
		Advice:   "csmail scan -i " + b.addr.String(),
		Subjects: []string{b.addr.String()},
	}
	if name != "" {
		f.Advice, f.Subjects = "doveadm kick "+shellWord(name), []string{name, b.addr.String()}
	}
	return f
}

// manySources is the number of addresses with failures on one account from which on it
// counts as an attack.
const manySources = 20

// attackedAccounts returns the accounts under attack.
func (w *Watch) attackedAccounts() []Finding {
	var names []string
	for name, a := range w.accounts {
		if a.failedFrom.count >= manySources {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(w.accounts[b].failures-w.accounts[a].failures, strings.Compare(a, b))
	})
	var found []Finding
	for _, name := range names {
		a := w.accounts[name]
		f := Finding{
			ID: "account-under-attack", Severity: Warn, Count: a.failures, Since: a.first, Until: a.last, Subjects: []string{name},
			Title:  fmt.Sprintf("Account %s: %d wrong passwords from %d addresses", name, a.failures, a.failedFrom.count),
			Detail: "Nobody logged in to it. If it is not used, take it away.", Advice: "csmail scan --user " + shellWord(name),
		}
		if a.loggedIn {
			f.Severity, f.Detail = Urgent, "The account is in use: its owner logged in. A long password that is used nowhere else, or a second factor, is what protects it."
		}
		found = append(found, f)
	}
	return found
}

// bannedThenHonest returns banned sources that later logged in or brought mail.
func bannedThenHonest(in Input) []Finding {
	var found []Finding
	for _, c := range in.Collateral {
		found = append(found, Finding{
			ID: "banned-then-honest", Severity: Urgent, Count: 1, Since: c.Banned, Until: c.Good, Subjects: []string{c.Value},
			Title:  fmt.Sprintf("%s was banned and then turned out well: %s", c.Value, c.Proof),
			Detail: fmt.Sprintf("Banned by %s. If it is a friend, csmail unban and guard.allow of the configuration keep it free.", c.Scenario), Advice: "csmail why " + shellWord(c.Value),
		})
	}
	return found
}

// providerTable is the file that Postfix's POSTSCREEN_README names for exceptions. "permit"
// means the same there and in access(5).
const providerTable = "/etc/postfix/postscreen_access.cidr"

// bannedAfterLogin returns banned sources that had got in before. Those that turned out
// well afterwards, or that broke in, have findings of their own.
func bannedAfterLogin(in Input) []Finding {
	w := in.Watch
	if len(w.proofs) == 0 {
		return nil
	}
	named := w.brokeIn()
	for _, c := range in.Collateral {
		named[c.Value] = true
	}
	var found []Finding
	for _, value := range slices.Sorted(maps.Keys(w.proofs)) {
		first := w.values[value]
		if first == nil || first.ban == nil || named[value] {
			continue
		}
		ban := first.ban
		found = append(found, Finding{
			ID: "banned-after-login", Severity: Warn, Count: ban.Events, Since: ban.StartAt, Until: ban.StopAt, Subjects: []string{value},
			Title:  fmt.Sprintf("%s was banned, though %s", value, w.proofs[value]),
			Detail: fmt.Sprintf("%s by %s. Who is behind it, an office or a person, may not get in now; or a thief has a password. csmail unban lets it in.", ban.Reason, ban.Scenario),
			Advice: "csmail why " + shellWord(value),
		})
	}
	return found
}

// brokeIn returns the addresses that logged in after they had guessed.
func (w *Watch) brokeIn() map[string]bool {
	addresses := map[string]bool{}
	for _, a := range w.accounts {
		for _, b := range a.breakIns {
			addresses[b.addr.String()] = true
		}
	}
	return addresses
}

// refusedProviders are networks in which a neighbour of the refused servers has brought
// mail, so they belong to a provider.
func (w *Watch) refusedProviders() []Finding {
	var found []Finding
	prefixes := slices.SortedFunc(maps.Keys(w.networks), func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	for _, prefix := range prefixes {
		n := w.networks[prefix]
		total := n.listed + n.nameless
		if n.accepted == 0 || n.refused.count < 2 || total < 5 {
			continue
		}
		found = append(found, Finding{
			ID: "provider-refused", Severity: Urgent, Count: total, Since: n.first, Until: n.last, Subjects: []string{prefix.String()},
			Title:  fmt.Sprintf("A mail provider is refused: %s %s", prefix, n.name),
			Detail: fmt.Sprintf("%d of its hosts, %s (%s). A neighbour brought %s. If the network is a provider's, the command puts it into a table, which postscreen_access_list must name as cidr:%s; postscreen reads a changed table after postfix reload. If smtpd refuses, check_client_access with it must stand before the block list.", n.refused.count, times(total), n.reasons(), plural(n.accepted, "mail"), providerTable),
			Advice: fmt.Sprintf("echo '%s permit' >> %s && postfix reload; postconf postscreen_access_list smtpd_client_restrictions smtpd_recipient_restrictions", prefix, providerTable),
		})
	}
	return found
}

// who begins a sentence with the clients that met the trouble, if the log names any.
func (f *fault) who() string {
	if len(f.clients) == 0 {
		return "The log says: "
	}
	return plural(len(f.clients), "client") + " met it: "
}

// troubles returns the outages of the host's own services.
func (w *Watch) troubles(d *Document) []Finding {
	var found []Finding
	for _, row := range []struct {
		kind         event.Kind
		id, what, do string
		severity     Severity
	}{
		{event.AuthFault, "backend-fault", "The login service had trouble", d.journal("journalctl -u dovecot -p warning"), Urgent},
		{event.LookupFault, "backend-fault", tableTrouble, "postconf -n | grep maps", Urgent},
		{event.ServerFault, "backend-fault", "The mail server could not do its work", d.journal("journalctl -u 'postfix*' -p warning"), Urgent},
		{event.DNSFault, "resolver-trouble", "The resolver did not answer", "dig example.com", Warn},
		{event.DNSBLFault, "blocklist-trouble", "A block list refuses our queries, so every client looks listed", "postconf postscreen_dnsbl_sites smtpd_recipient_restrictions", Urgent},
	} {
		f := w.faults[row.kind]
		if f == nil {
			continue
		}
		found = append(found, Finding{
			ID: row.id, Severity: row.severity, Count: f.count, Since: f.first, Until: f.last,
			Title:  fmt.Sprintf("%s: %s", row.what, times(f.count)),
			Detail: f.who() + mostFrequent(f.reasons) + ".", Advice: row.do,
		})
		if row.kind == event.DNSBLFault {
			found[len(found)-1].Detail += " Ask it through a resolver of your own, or take it out."
		}
		if f.refused > 0 {
			last := &found[len(found)-1]
			if f.count == 0 {
				last.Count, last.Title, last.Detail = f.refused, row.what+" shortly before", "The log complains before the time of this report."
			}
			last.Severity = Urgent
			last.Detail += fmt.Sprintf(" Meanwhile mail was refused for now for want of a name: %s.", times(f.refused))
		}
	}
	return found
}

// manyTimeouts is the number of unanswered queries to one list that count as trouble.
const manyTimeouts = 3

// blockListTrouble returns block lists that did not answer, or refuse this host's
// queries.
func (d *Document) blockListTrouble() []Finding {
	timeouts := map[string]int{}
	for text, n := range d.Warnings.By["postscreen"].By {
		if rest, ok := strings.CutPrefix(text, "dnsblog reply timeout "); ok {
			if _, list, ok := strings.Cut(rest, " for "); ok {
				timeouts[list] += n
			}
		}
	}
	var found []Finding
	for _, list := range slices.Sorted(maps.Keys(timeouts)) {
		if n := timeouts[list]; n >= manyTimeouts {
			found = append(found, Finding{
				ID: "blocklist-trouble", Severity: Warn, Count: n, Subjects: []string{list},
				Title:  fmt.Sprintf("%s did not answer: %s", list, times(n)),
				Detail: "Each time a client had to wait. Take the list out of postscreen_dnsbl_sites if it stays so.", Advice: "dig " + shellWord("2.0.0.127."+list),
			})
		}
	}
	return found
}

// first is one message, for a detail.
func (t Trouble) first() string {
	for _, daemon := range slices.Sorted(maps.Keys(t.By)) {
		for _, text := range slices.Sorted(maps.Keys(t.By[daemon].By)) {
			return daemon + ": " + text + " "
		}
	}
	return ""
}

// highBounces returns a share of bounces that is unusually high.
func (d *Document) highBounces() []Finding {
	outgoing := d.DeliveredBy["smtp"] + d.Bounced
	if outgoing < 20 || d.Bounced*5 < outgoing {
		return nil
	}
	return []Finding{{
		ID: "bounces-high", Severity: Warn, Count: d.Bounced,
		Title:  fmt.Sprintf("%d of %d outgoing mails bounced", d.Bounced, outgoing),
		Detail: "See message bounce detail below.", Advice: d.Command("--top 0"),
	}}
}

// ownNetworks returns offences from an address that is never banned: a webmail, a gateway
// of containers, this host. It hides the clients behind it.
func (d *Document) ownNetworks() []Finding {
	var found []Finding
	for _, v := range d.Holds.List {
		if v.Rule != "never" {
			continue
		}
		found = append(found, Finding{
			ID: "own-network-attacks", Severity: Warn, Count: v.Events, Since: v.StartAt, Until: v.StopAt, Subjects: []string{v.Value},
			Title:  fmt.Sprintf("Attacks come through %s, which is never banned", v.Value),
			Detail: "It hides the real clients, which it should name: see docs/safety.md. " + v.Message + ".", Advice: "csmail why " + shellWord(v.Value),
		})
	}
	return found
}

// caps returns the bans that the guard held because of a cap.
func (d *Document) caps() []Finding {
	var values []string
	for _, v := range d.Holds.List {
		if v.Rule == guard.TooManyBans.String() || v.Rule == guard.TooManyGood.String() {
			values = append(values, v.Value)
		}
	}
	if len(values) == 0 {
		return nil
	}
	return []Finding{{
		ID: "cap-reached", Severity: Warn, Count: len(values), Subjects: values[:min(len(values), 10)],
		Title:  fmt.Sprintf("%d bans were held back by the caps", len(values)),
		Detail: "So many at once may be a mistake, or a large attack: release them if it is an attack.", Advice: "csmail held list",
	}}
}

// linesNotUnderstood returns a high share of lines that no grammar matched.
func linesNotUnderstood(in Input) []Finding {
	if in.Missed <= 100 && in.Missed*100 <= in.Lines {
		return nil
	}
	return []Finding{{
		ID: "lines-not-understood", Severity: Note, Count: int(in.Missed), Title: fmt.Sprintf("%d lines of known daemons were not understood", in.Missed),
		Detail: "Attackers may stand in them. Lines of a mail server of today are worth a report to csmail's project.", Advice: "csmail scan --missed",
	}}
}

// restarts returns frequent restarts of Postfix.
func (d *Document) restarts() []Finding {
	count := 0
	for text, n := range d.Master {
		if strings.HasPrefix(text, "daemon started") || strings.HasPrefix(text, "terminating on signal") || strings.HasPrefix(text, "reload") {
			count += n
		}
	}
	if count == 0 {
		return nil
	}
	return []Finding{{
		ID: "restarted", Severity: Note, Count: count, Title: fmt.Sprintf("Postfix was started, stopped or reloaded: %s", times(count)),
		Detail: "See master daemon messages below.", Advice: d.journal("journalctl -u 'postfix*'"),
	}}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// times writes a number of times in words.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// reasons names the kinds of the refusals.
func (n *network) reasons() string {
	switch {
	case n.nameless == 0:
		return event.DNSBLListed.String()
	case n.listed == 0:
		return event.NoHostname.String()
	}
	return event.DNSBLListed.String() + ", " + event.NoHostname.String()
}

// mostFrequent returns the name with the largest count.
func mostFrequent(counts map[string]int) string {
	best := ""
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		if best == "" || counts[text] > counts[best] {
			best = text
		}
	}
	return best
}

// shellWord quotes client text for a command that a person may paste.
func shellWord(text string) string {
	safe := strings.IndexFunc(text, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("@.-_+/", c))
	}) < 0
	if safe && text != "" && text[0] != '-' {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
