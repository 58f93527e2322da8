package cli

import (
	"fmt"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/hint"
)

// parseWhen reads the value of --since or --until: a duration back from now,
// with days as cscli has them (36h, 7d, 1d12h), or a date with or without a
// time of day in the given zone.
func parseWhen(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, ok := config.ParseDuration(text); ok {
		return now.Add(-d), nil
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, hint.Wrap(fmt.Errorf("%q is no time", text),
		"give a duration like 24h or 7d, or a date like 2026-06-03 or \"2026-06-03 04:11\"")
}
