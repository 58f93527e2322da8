package cli

import (
	"fmt"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/render"
	"csmail/pkg/replay"
)

// summary returns the totals of a log; found describes the result.
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

// eventsFound describes the result of csmail events.
func eventsFound(events, sources int) string {
	return fmt.Sprintf("%d events, %d sources", events, sources)
}
