package render

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"csmail/pkg/control"
)

// Enforcement prints the doors, the services that ask at them, and the latest refusals.
func Enforcement(w io.Writer, e *control.Enforcement, screen Screen) error {
	var b strings.Builder
	if e == nil {
		b.WriteString("nothing is enforced: bouncer.api_key is empty\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "%d decisions in force%s\n", e.Decisions, since("; the LAPI last sent them at ", e.LastPull))
	if e.DryRun {
		b.WriteString("dry run: nobody is refused\n")
	}
	trouble(&b, "the LAPI: ", e.Error, e.Hint)
	fmt.Fprintf(&b, "%d repaired, %d cannot be enforced, %d left out, %d times spared\n", e.Repaired, e.Ignored, e.LeftOut, e.Spared)
	doors(&b, e.Doors)
	for _, d := range e.Doors {
		if len(d.Places) > 0 && d.Asked == 0 {
			fmt.Fprintf(&b, "! nobody has asked %s since the start: no client came, or the mail server is not set up (docs/enforcement.md)\n", d.Name)
		}
	}
	refusals(&b, e.Refused)
	countries(&b, e.Countries)
	_, err := io.WriteString(w, hanging(b.String(), cmp.Or(screen.Columns, defaultColumns)))
	return err
}

// doors shows the doors, each with how often it was asked and where it is open.
func doors(b *strings.Builder, all []control.Door) {
	rows := [][]string{{"Door", "Asked", "Refused", "Errors", "Last asked", "Open at"}}
	for _, d := range all {
		rows = append(rows, []string{
			d.Name, fmt.Sprint(d.Asked), fmt.Sprint(d.Refused), fmt.Sprint(d.Errors), dayTimeOrNone(d.LastAsked), strings.Join(d.Places, " "),
		})
	}
	printRows(b, rows, 1, 2, 3)
}

// refusals shows the clients that were refused lately, or would have been.
func refusals(b *strings.Builder, all []control.Refused) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n")
	rows := [][]string{{"Refused", "At", "Door", "Service", "Decision", "Origin"}}
	for _, r := range all {
		what, origin := fmt.Sprint(r.ID, " ", r.Type), Printable(r.Origin)
		if r.ID == 0 {
			what, origin = "new country", ""
		}
		if r.DryRun {
			origin += " (dry run)"
		}
		rows = append(rows, []string{r.Addr, dayTimeOrNone(r.At), r.Door, Printable(r.Service), what, strings.TrimSpace(origin)})
	}
	printRows(b, rows)
}

// dayTimeOrNone writes a time, "-" for none.
func dayTimeOrNone(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return dayTime(t, time.Local)
}

// countries shows who logged in from a country that the account never came from.
func countries(b *strings.Builder, c *control.Countries) {
	if c == nil {
		return
	}
	fmt.Fprintf(b, "%d logins from a country new to the account (%s), of %d accounts known\n", c.Logins, c.Mode, c.Accounts)
	if !c.Data {
		b.WriteString("! there is no data on countries: geo.country names the file, by default CrowdSec's GeoLite2-City.mmdb\n")
	}
	if len(c.Abroad) == 0 {
		return
	}
	rows := [][]string{{"Address", "At", "Country", "Account"}}
	for _, a := range c.Abroad {
		rows = append(rows, []string{a.Addr, dayTimeOrNone(a.At), a.Country, Printable(a.Account)})
	}
	printRows(b, rows)
}
