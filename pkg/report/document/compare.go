package document

import (
	"fmt"
	"time"
)

// comparisons returns findings for figures far from the mean of the earlier days.
func (d *Document) comparisons() []Finding {
	if len(d.Before) == 0 || d.Days != 1 {
		return nil
	}
	var found []Finding
	for _, row := range d.Comparison() {
		if row.Note == "" {
			continue
		}
		severity := Note
		if row.Day >= 4*max(row.Mean, 1) {
			severity = Warn
		}
		found = append(found, Finding{
			ID: "more-than-usual", Severity: severity, Count: row.Day, Title: fmt.Sprintf("%s: %d, the mean of other days is %d", row.Name, row.Day, row.Mean),
			Detail: "That is " + row.Note + " as on the other days.", Advice: d.adviceFor(row.Name),
		})
	}
	return found
}

// adviceFor returns the command that says more of a compared figure.
func (d *Document) adviceFor(figure string) string {
	switch figure {
	case "rejected", "failed logins":
		return "csmail scan --since " + d.From.Format(time.DateOnly) + " --by kind"
	case "received":
		return "systemctl status postfix; ss -ltn sport = :25"
	}
	return d.Command("--top 0")
}

// Compared is one figure with those of the earlier days.
type Compared struct {
	Name              string
	Day, Before, Mean int
	Note              string
}

// muchMore is the least figure for which a comparison is meaningful.
const muchMore = 20

// Comparison compares the day with the earlier days, at most seven.
func (d *Document) Comparison() []Compared {
	if len(d.Before) == 0 {
		return nil
	}
	rows := []Compared{
		{Name: "received", Day: d.Received},
		{Name: "delivered", Day: d.Delivered},
		{Name: "deferred", Day: d.Deferred},
		{Name: "bounced", Day: d.Bounced},
		{Name: "rejected", Day: d.Rejected},
		{Name: "failed logins", Day: d.Logins.Failed},
		{Name: "logins", Day: d.Logins.OK},
	}
	for i, get := range []func(Day) int{
		func(b Day) int { return b.Received }, func(b Day) int { return b.Delivered }, func(b Day) int { return b.Deferred },
		func(b Day) int { return b.Bounced }, func(b Day) int { return b.Rejected }, func(b Day) int { return b.Failed }, func(b Day) int { return b.Logins },
	} {
		sum := 0
		for _, b := range d.Before {
			sum += get(b)
		}
		row := &rows[i]
		row.Before, row.Mean = get(d.Before[len(d.Before)-1]), (sum+len(d.Before)/2)/len(d.Before)
		switch more := row.Name != "received" && row.Name != "delivered" && row.Name != "logins"; {
		case more && row.Day >= muchMore && row.Day > 2*row.Mean:
			row.Note = "more than twice as many"
		case row.Name == "received" && row.Mean >= muchMore && 2*row.Day < row.Mean:
			row.Note = "less than half as many"
		}
	}
	return rows
}
