package cli

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/geo"
	"csmail/pkg/report/document"
)

// asksDaemon reports whether the running daemon may have the report: it is about whole
// hours in the host's zone, all sources, and the configured scenarios.
func (r dailyReport) asksDaemon(files []string) bool {
	scope := r.input.scope
	return len(files) == 0 && !r.journal && r.journalFile == "" && r.envelope == "" && len(r.trusted) == 0 &&
		len(scope.Only) == 0 && len(r.judgeOptions.scenarios) == 0 && r.input.zone == time.Local &&
		!scope.Since.IsZero() && isHour(scope.Since) && (scope.Until.IsZero() || isHour(scope.Until))
}

func isHour(at time.Time) bool { return document.HourOf(at, time.Local).Equal(at) }

// ofDaemon returns the daemon's report, nil if it has none or only a part; then the logs
// are read.
func (r dailyReport) ofDaemon(ctx context.Context, files []string, std Streams) *document.Document {
	if !r.asksDaemon(files) {
		return nil
	}
	answer, err := control.NewClient(r.config.Socket).Report(ctx, r.input.scope.Since, r.input.scope.Until, zoneName(r.input.zone))
	if err != nil || !answer.Whole {
		return nil
	}
	places, err := geo.Open(geo.Options{Country: r.config.Geo.Country, ASN: r.config.Geo.ASN})
	if err != nil {
		return nil // the reading of the logs meets the same error
	}
	defer places.Close()
	d, err := r.makeOf(answer, (&collected{places: places}).place)
	if err != nil {
		fmt.Fprintf(std.Err, "csmail: warning: the daemon's report cannot be read, so the logs are: %v\n", err)
		return nil
	}
	return d
}

// makeOf makes the report of the daemon's answer.
func (r dailyReport) makeOf(answer control.Report, place func(netip.Addr) (country, as string)) (*document.Document, error) {
	m := document.Maker{Generated: r.now.In(r.input.zone).Truncate(time.Second), Zone: r.input.zone, ZoneName: zoneName(r.input.zone), Place: place}
	if answer.Document == nil {
		return m.Make(answer.Window, answer.Around)
	}
	d, err := document.Load(answer.Document, m.Zone, m.Generated)
	if err == nil {
		d.Locate(place)
	}
	return d, err
}
