package cli

import (
	"context"
	"fmt"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/geo"
	"csmail/pkg/report/document"
)

// asksDaemon reports whether the running daemon can know what is asked: one
// calendar day of the host's zone, of all sources, by the configured scenarios.
func (r dailyReport) asksDaemon(files []string) bool {
	return r.day != "" && len(files) == 0 && !r.journal && r.journalFile == "" && r.envelope == "" && len(r.trusted) == 0 &&
		len(r.input.scope.Only) == 0 && len(r.judgeOptions.scenarios) == 0 && r.input.zone == time.Local
}

// ofDaemon returns the report that the daemon has of the day, nil if it has none or
// not all of it: then the logs are read.
func (r dailyReport) ofDaemon(ctx context.Context, files []string, std Streams) *document.Document {
	if !r.asksDaemon(files) {
		return nil
	}
	date := r.input.scope.Since.Format(time.DateOnly)
	answer, err := control.NewClient(r.config.Socket).Report(ctx, date, zoneName(r.input.zone))
	if err != nil || !answer.Whole {
		return nil
	}
	d, err := document.Load(answer.Document, r.input.zone, r.now.In(r.input.zone).Truncate(time.Second))
	if err != nil {
		fmt.Fprintf(std.Err, "csmail: warning: the daemon's report cannot be read, so the logs are: %v\n", err)
		return nil
	}
	places, err := geo.Open(geo.Options{Country: r.config.Geo.Country, ASN: r.config.Geo.ASN})
	if err != nil {
		return nil // reading the logs meets the same error
	}
	defer places.Close()
	d.Locate((&collected{places: places}).place)
	return d
}
