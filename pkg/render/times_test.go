package render

import (
	"testing"
	"time"
)

// Times of ours are shown in the zone of the person, with their day.
func TestInZone(t *testing.T) {
	zone := time.FixedZone("UTC+2", 2*60*60)
	for text, want := range map[string]string{
		"login dovecot since 2026-06-03T05:16:03Z: last trouble at 2026-06-03 05:20:37 UTC": "login dovecot since 2026-06-03 07:16:03: last trouble at 2026-06-03 07:20:37",
		"forgiven by a person until 2026-06-03 23:04:42 UTC":                                "forgiven by a person until 2026-06-04 01:04:42",
		"2026-06-03T23:04:42.5+00:00":                                                       "2026-06-04 01:04:42",
		"2026-06-03 23:04:42":                                                               "2026-06-03 23:04:42", // names no zone: nobody knows
		"2026-13-03 23:04:42 UTC":                                                           "2026-13-03 23:04:42 UTC",
	} {
		if got := inZone(text, zone); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
