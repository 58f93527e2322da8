package daily

import "time"

// hours returns the names of hours. Many lines are of the same minute, and a minute has
// one hour in every zone, so the names of the latest minutes are kept.
type hours struct {
	zone *time.Location
	kept [8]struct {
		minute int64
		key    string
	}
}

// key returns "2006-01-02T15" in the zone.
func (h *hours) key(at time.Time) string {
	minute := floorMinute(at.Unix())
	slot := &h.kept[minute&7]
	if slot.minute != minute || slot.key == "" {
		slot.minute, slot.key = minute, at.In(h.zone).Format(hourForm)
	}
	return slot.key
}

func floorMinute(seconds int64) int64 {
	if seconds < 0 {
		seconds -= 59
	}
	return seconds / 60
}
