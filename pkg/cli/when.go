package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// parseWhen reads the value of --since or --until: a duration back from now,
// with days as cscli has them (36h, 7d, 1d12h), or a date with or without a
// time of day in the given zone.
func parseWhen(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, ok := parseDuration(text); ok {
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

// parseDuration reads a Go duration that may begin with days.
func parseDuration(text string) (time.Duration, bool) {
	var total time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		total, text = time.Duration(n)*24*time.Hour, rest
		if text == "" {
			return total, true
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, false
	}
	return total + d, true
}
