package render

import (
	"regexp"
	"time"
)

var stamp = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// inZone rewrites the RFC 3339 times in a text of ours. The daemon and the LAPI
// do not know the zone of the person who asks, so their texts carry UTC; beside
// the times of the log that would read as another moment.
func inZone(text string, zone *time.Location) string {
	return stamp.ReplaceAllStringFunc(text, func(s string) string {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return t.In(zone).Format(time.DateTime)
	})
}
