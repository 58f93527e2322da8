package render

import (
	"regexp"
	"strings"
	"time"
)

var stamp = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\b`)

// utc is the form of times in the guard's reasons.
const utc = time.DateTime + " UTC"

// inZone rewrites times in csmail's own texts that carry UTC or an offset. The daemon and
// the LAPI do not know the time zone of the person who reads, so their texts carry UTC.
// Beside the times of the log these would look like other moments.
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
