package document

import (
	"maps"
	"slices"
	"strings"
)

const tableTrouble = "A lookup table failed"

// ownTroubles returns the outages of the host's own services, tables and disks.
func (d *Document) ownTroubles(in Input) []Finding {
	found, full := in.Watch.troubles(), d.fullDisks()
	if len(full) > 0 { // smtpd says the same in its own words
		found = slices.DeleteFunc(found, func(f Finding) bool { return strings.Contains(f.Detail, "Insufficient system storage") })
	}
	return append(d.withTables(found), full...)
}

// withTables adds what the daemons say of tables that they cannot ask. Where clients were
// refused because of it there is such a finding already.
func (d *Document) withTables(found []Finding) []Finding {
	count, example := 0, ""
	for _, daemon := range slices.Sorted(maps.Keys(d.Warnings.By)) {
		for _, text := range slices.Sorted(maps.Keys(d.Warnings.By[daemon].By)) {
			if isOfTable(text) {
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
	return append(found, Finding{
		ID: "backend-fault", Severity: Urgent, Count: count, Title: tableTrouble + ": " + times(count),
		Detail: "Mail waits until the table answers again. The log says: " + example, Advice: "postconf -n | grep maps",
	})
}

// isOfTable reports whether a warning is about a table that could not be asked (Postfix
// 3.7: cleanup_message.c, trivial-rewrite/resolve.c, global/dict_mysql.c, dict_pgsql.c and
// dict_ldap.c). Before the words that all tables share there is the table's name only, so
// a client's text with these words is none.
func isOfTable(text string) bool {
	for _, start := range []string{"connect to mysql server ", "connect to pgsql server ", "dict_ldap_"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	for _, sign := range []string{" table lookup problem", " map lookup problem for ", " lookup error for "} {
		name, _, ok := strings.Cut(text, sign)
		if ok && !strings.Contains(strings.ReplaceAll(name, ": ", ":"), " ") {
			return true
		}
	}
	return false
}

// fullDisks returns reports of a full disk, that of the queue or that of the mailboxes.
func (d *Document) fullDisks() []Finding {
	queue, boxes := 0, 0
	for _, t := range []Trouble{d.Warnings, d.Errors} {
		for _, detail := range t.By {
			for text, n := range detail.By {
				if containsAny(text, []string{"No space left", "nsufficient system storage", "queue file system: "}) {
					queue += n
				}
			}
		}
	}
	for _, agent := range []string{"lmtp", "local", "virtual", "pipe"} { // smtp quotes other servers
		for text, n := range d.DeferralDetail[agent].By {
			if strings.Contains(text, "No space left") {
				boxes += n
			}
		}
	}
	var found []Finding
	add := func(n int, disk, detail, advice string) {
		if n > 0 {
			found = append(found, Finding{
				ID: "disk-or-queue", Severity: Urgent, Count: n, Title: "The disk of the " + disk + " is full: " + times(n), Detail: detail, Advice: advice,
			})
		}
	}
	add(queue, "mail queue", "Mail is refused for now. Make room.", "df -h /var/spool/postfix /var/mail")
	add(boxes, "mailboxes", "Mail waits in the queue. Make room; postqueue -f sends it then.", "df -h /var/mail /home /var/vmail; df -i /var/mail")
	return found
}

// fatals returns what made Postfix stop.
func (d *Document) fatals() []Finding {
	n := d.Fatals.Total + d.Panics.Total
	if n == 0 {
		return nil
	}
	said := strings.TrimSpace(d.Fatals.first()) + "; " + strings.TrimSpace(d.Panics.first())
	return []Finding{{
		ID: "disk-or-queue", Severity: Urgent, Count: n, Title: "Postfix stopped with a fatal error or panic: " + times(n),
		Detail: "Mail may not come or go until that is mended. The log says: " + strings.Trim(said, "; "), Advice: "journalctl -u 'postfix*' -p err --since yesterday",
	}}
}
