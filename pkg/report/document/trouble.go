package document

import (
	"maps"
	"slices"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/report/daily"
)

const tableTrouble = "A lookup table failed"

// ownTroubles returns the outages of the host's own services, tables and disks.
func (d *Document) ownTroubles(in Input) []Finding {
	found, full := in.Watch.troubles(d), d.fullDisks()
	if len(full) > 0 { // smtpd says the same in its own words
		found = slices.DeleteFunc(found, func(f Finding) bool { return strings.Contains(f.Detail, "Insufficient system storage") })
	}
	return append(d.withTables(found), full...)
}

// withTables adds the complaints of daemons about tables that they cannot ask. Where clients were
// refused because of it there is such a finding already.
func (d *Document) withTables(found []Finding) []Finding {
	count, example := 0, ""
	for _, daemon := range slices.Sorted(maps.Keys(d.Warnings.By)) {
		for _, text := range slices.Sorted(maps.Keys(d.Warnings.By[daemon].By)) {
			if daily.CauseOf(event.Warning, text) == daily.TableTrouble {
				count += d.Warnings.By[daemon].By[text]
				example = daemon + ": " + text
			}
		}
	}
	if at := slices.IndexFunc(found, func(f Finding) bool { return strings.HasPrefix(f.Title, tableTrouble) }); at >= 0 {
		if example != "" {
			found[at].Detail += " The log says: " + example
		}
		return found
	}
	if count < manyTimeouts {
		return found
	}
	since, until := d.spans[daily.TableTrouble].Times(d.zone)
	return append(found, Finding{
		ID: "backend-fault", Severity: Urgent, Count: count, Since: since, Until: until, Title: tableTrouble + ": " + times(count),
		Detail: "Mail waits until the table answers again. The log says: " + example, Advice: "postconf -n | grep maps",
	})
}

// fullDisks returns reports of a full disk, that of the queue or that of the mailboxes.
func (d *Document) fullDisks() []Finding {
	queue, boxes := 0, 0
	for _, t := range []Trouble{d.Warnings, d.Errors} {
		for _, detail := range t.By {
			for text, n := range detail.By {
				if daily.CauseOf(event.Warning, text) == daily.DiskTrouble {
					queue += n
				}
			}
		}
	}
	for agent, detail := range d.DeferralDetail {
		for text, n := range detail.By {
			if daily.IsFullMailbox(agent, text) {
				boxes += n
			}
		}
	}
	var found []Finding
	add := func(n int, cause, disk, detail, advice string) {
		if n > 0 {
			since, until := d.spans[cause].Times(d.zone)
			found = append(found, Finding{
				ID: "disk-or-queue", Severity: Urgent, Count: n, Since: since, Until: until, Title: "The disk of the " + disk + " is full: " + times(n), Detail: detail, Advice: advice,
			})
		}
	}
	add(queue, daily.DiskTrouble, "mail queue", "Mail is refused for now. Make room.", "df -h /var/spool/postfix /var/mail")
	add(boxes, daily.MailboxTrouble, "mailboxes", "Mail waits in the queue. Make room; postqueue -f sends it then.", "df -h /var/mail /home /var/vmail; df -i /var/mail")
	return found
}

// fatals returns the errors that made Postfix stop.
func (d *Document) fatals() []Finding {
	n := d.Fatals.Total + d.Panics.Total
	if n == 0 {
		return nil
	}
	since, until := d.spans[daily.FatalTrouble].Times(d.zone)
	said := strings.TrimSpace(d.Fatals.first()) + "; " + strings.TrimSpace(d.Panics.first())
	return []Finding{{
		ID: "disk-or-queue", Severity: Urgent, Count: n, Since: since, Until: until, Title: "Postfix stopped with a fatal error or panic: " + times(n),
		Detail: "Mail may not come or go until that is mended. The log says: " + strings.Trim(said, "; "), Advice: d.journal("journalctl -u 'postfix*' -p err"),
	}}
}
