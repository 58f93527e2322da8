package cli

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/render"
	"csmail/pkg/replay"
)

func summary(t replay.Tally, events, sources int, took time.Duration) render.Totals {
	return render.Totals{
		Lines:     t.Lines,
		Events:    events,
		Sources:   sources,
		Missed:    t.Outcomes[event.Missed],
		Ambiguous: t.Outcomes[event.Ambiguous],
		NoHeader:  t.Outcomes[event.NoHeader],
		Cut:       t.Cut,
		Took:      took,
	}
}
