package logline

import "time"

// live is how long after it was written a line is read at the most, if its log is
// followed.
const live = time.Minute

// ofTwoHours returns the moment that a clock without its offset meant, if it shows
// the same twice: when summer time ends, the hour before comes once more. The line
// is of the later one if that is when it was read, or if it lies nearer to the line
// before, and of the earlier one if the later has not come yet. t is either.
func (l Line) ofTwoHours(t time.Time) time.Time {
	first, second, twice := bothOf(t)
	if !twice {
		return t
	}
	known := l.Received
	if known.IsZero() || !l.Read.IsZero() && l.Read.Before(known) {
		known = l.Read
	}
	switch {
	case known.IsZero() && l.After.IsZero():
		return t
	case !known.IsZero() && second.After(known.Add(clockSkew)):
		return first
	case !l.After.IsZero() && !l.After.After(first) && first.Sub(l.After) <= live:
		return first // one line after the other
	case !known.IsZero() && known.Sub(second) <= live:
		return second
	case !l.After.IsZero() && second.Sub(l.After).Abs() < first.Sub(l.After).Abs():
		return second
	}
	return first
}

// bothOf returns the two moments with the same local time as t in t's zone, if there are
// two.
func bothOf(t time.Time) (first, second time.Time, twice bool) {
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	if !end.IsZero() { // t is before the change
		if _, next := end.Zone(); next < offset {
			back := time.Duration(offset-next) * time.Second
			if again := t.Add(back); !again.Before(end) {
				return t, again, true
			}
		}
	}
	if !start.IsZero() { // t is after it
		if _, before := start.Add(-1).Zone(); before > offset {
			back := time.Duration(before-offset) * time.Second
			if earlier := t.Add(-back); earlier.Before(start) {
				return earlier, t, true
			}
		}
	}
	return t, t, false
}
