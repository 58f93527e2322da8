package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/hint"
	"csmail/pkg/report/document"
)

// parseWhen reads the value of --since or --until: a duration back from now, with days as
// in cscli (36h, 7d, 1d12h), a date with or without a time of day in the given zone, or
// one of journalctl's words (systemd.time(7)): now, today, yesterday, 2 hours ago.
func parseWhen(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, ok := config.ParseDuration(text); ok {
		return now.Add(-d), nil
	}
	if t, ok := parseWords(strings.ToLower(strings.TrimSpace(text)), now.In(zone)); ok {
		return t, nil
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, hint.Wrap(fmt.Errorf("%q is no time", text),
		"give a duration like 24h or 7d, a date like 2026-06-03 or \"2026-06-03 04:11\", or today, yesterday, \"2 hours ago\"")
}

// parseWords reads a time in words. A day begins at midnight in the zone of now.
func parseWords(text string, now time.Time) (time.Time, bool) {
	switch text {
	case "now":
		return now, true
	case "today":
		return midnight(now, 0), true
	case "yesterday":
		return midnight(now, -1), true
	}
	words := strings.Fields(text)
	if len(words) != 3 || words[2] != "ago" {
		return time.Time{}, false
	}
	n, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil {
		return time.Time{}, false
	}
	switch count := int(n); strings.TrimSuffix(words[1], "s") {
	case "minute", "min":
		return now.Add(-time.Duration(count) * time.Minute), true
	case "hour":
		return now.Add(-time.Duration(count) * time.Hour), true
	case "day":
		return now.AddDate(0, 0, -count), true
	case "week":
		return now.AddDate(0, 0, -7*count), true
	case "month":
		return now.AddDate(0, -count, 0), true
	}
	return time.Time{}, false
}

// midnight returns the begin of the day that is so many days after that of now.
func midnight(now time.Time, days int) time.Time { return document.Midnight(now, days) }

// zoneinfo is the folder of the system's time zones (tzset(3)).
const zoneinfo = "/usr/share/zoneinfo"

// parseZone finds a time zone by its name.
func parseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	advice := "name it as in " + zoneinfo + ", like Europe/Berlin"
	if meant := nearest(name, zoneNames(os.DirFS(zoneinfo))); meant != "" {
		advice = fmt.Sprintf("did you mean %s?", meant)
	}
	return nil, hint.Wrap(fmt.Errorf("time zone %q: %w", name, err), "%s", advice)
}

// zoneNames returns the names of the system's zones, for suggestions.
func zoneNames(system fs.FS) []string {
	var names []string
	_ = fs.WalkDir(system, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // a folder that cannot be read suggests nothing
		case entry.IsDir() && (path == "posix" || path == "right"):
			return fs.SkipDir // the same names again
		case !entry.IsDir() && filepath.Ext(path) == "":
			names = append(names, path)
		}
		return nil
	})
	return names
}
