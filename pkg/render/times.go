package render

import (
	"regexp"
	"strings"
	"time"
)

var stamp = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\b`)

// utc is how the guard writes a time in a reason.
const utc = time.DateTime + " UTC"

// inZone rewrites the times in a text of ours that carry UTC or an offset. The daemon and the LAPI
// do not know the zone of the person who asks, so their texts carry UTC; beside
// the times of the log that would read as another moment.
func inZone(text string, zone *time.Location) string {
	return stamp.ReplaceAllStringFunc(text, func(s string) string {
		layout := time.RFC3339
		if strings.HasSuffix(s, " UTC") {
			layout = utc
		}
		t, err := time.Parse(layout, s)
		if err != nil {
			return s
		}
		return t.In(zone).Format(time.DateTime)
	})
}
