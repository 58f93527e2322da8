package cli

import (
	"fmt"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/render"
	"csmail/pkg/replay"
)

// summary sums up a log; found says what came of its lines.
func summary(t replay.Tally, found string, took time.Duration) render.Totals {
	return render.Totals{
		Lines:     t.Lines,
		Found:     found,
		Missed:    t.Outcomes[event.Missed],
		Ambiguous: t.Outcomes[event.Ambiguous],
		NoHeader:  t.Outcomes[event.NoHeader],
		Cut:       t.Cut,
		Took:      took,
		Remarks:   t.Remarks,
	}
}

func eventsFound(events, sources int) string {
	return fmt.Sprintf("%d events, %d sources", events, sources)
}
