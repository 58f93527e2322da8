package render

import (
	"fmt"
	"io"
	"strings"

	"csmail/pkg/control"
)

// Enforcement shows which decisions are enforced where, and who asks.
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
			if r.DryRun {
				what += " (dry run)"
			}
			refused.add(moment(r.At), r.Addr, r.Door, r.Service, what, r.Origin)
		}
		fmt.Fprintln(&b, refused)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
