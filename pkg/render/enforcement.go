package render

import (
	"fmt"
	"io"
	"strings"

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
	fmt.Fprintf(&b, "%d decisions in force%s\n", e.Decisions, since("; the LAPI last told of them at ", e.LastPull))
	if e.DryRun {
		b.WriteString("dry run: nobody is refused\n")
	}
	trouble(&b, "the LAPI: ", e.Error, e.Hint)
	fmt.Fprintf(&b, "%d repaired, %d cannot be enforced, %d left out, %d times spared\n", e.Repaired, e.Ignored, e.LeftOut, e.Spared)
	t := newGrid(screen, "Door", "Open at", "Asked", "Refused", "Errors", "Last asked")
	for _, d := range e.Doors {
		t.add(d.Name, strings.Join(d.Places, " "), d.Asked, d.Refused, d.Errors, moment(d.LastAsked))
	}
	fmt.Fprintln(&b, t)
	for _, d := range e.Doors {
		if len(d.Places) > 0 && d.Asked == 0 {
			fmt.Fprintf(&b, "! nobody has asked %s yet: docs/enforcement.md shows how the mail server does\n", d.Name)
		}
	}
	if len(e.Refused) > 0 {
		refused := newGrid(screen, "At", "Address", "Door", "Service", "Decision", "Origin")
		for _, r := range e.Refused {
			what := fmt.Sprint(r.ID, " ", r.Type)
			if r.ID == 0 {
				what = "new country"
			}
			if r.DryRun {
				what += " (dry run)"
			}
			refused.add(moment(r.At), r.Addr, r.Door, r.Service, what, r.Origin)
		}
		fmt.Fprintln(&b, refused)
	}
	countries(&b, e.Countries, screen)
	_, err := io.WriteString(w, b.String())
	return err
}

// countries shows who logged in from a country that the account never came from.
func countries(b *strings.Builder, c *control.Countries, screen Screen) {
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
	t := newGrid(screen, "At", "Address", "Country", "Account")
	for _, a := range c.Abroad {
		t.add(moment(a.At), a.Addr, a.Country, Printable(a.Account))
	}
	fmt.Fprintln(b, t)
}
