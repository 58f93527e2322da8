package logline

import "strings"

// cutUnix reads "1780459869.123456 ", seconds since 1970 as journalctl's
// short-unix writes them (systemd v252 src/shared/logs-show.c,
// output_timestamp_realtime).
func cutUnix(text string) (stamp, string, bool) {
	const digits = len("1780459869")
	seconds, ok := number(text[:5])
	rest, ok2 := number(text[5:digits])
	if !ok || !ok2 {
		return stamp{}, "", false
	}
	micros, text, ok := cutMicros(text[digits:])
	if !ok || text == "" || text[0] != ' ' {
		return stamp{}, "", false
	}
	return stamp{micros: max(1, (int64(seconds)*100_000+int64(rest))*1e6+micros)}, text[1:], true
}

// cutMonotonic reads "[ 5000.000000] ", the seconds since the host started, as
// journalctl's short-monotonic writes them, and the "[ 5001.000000 <    1.000000 >] "
// of short-delta (systemd v252 src/shared/logs-show.c,
// output_timestamp_monotonic). There is no date in it: see [Header.IsUndated].
func cutMonotonic(text string) (stamp, string, bool) {
	end := strings.Index(text[:min(len(text), 64)], "] ")
	if end < 0 {
		return stamp{}, "", false
	}
	inner, after := text[1:end], text[end+len("] "):]
	inner = strings.TrimLeft(inner, " ")
	whole, fraction, ok := strings.Cut(inner, ".")
	seconds, isNumber := number(whole)
	if !ok || !isNumber || seconds > maxUptime {
		return stamp{}, "", false
	}
	micros, delta, ok := cutMicros("." + fraction)
	if !ok || strings.Trim(delta, " <>.0123456789") != "" {
		return stamp{}, "", false
	}
	return stamp{micros: max(1, int64(seconds)*1e6+micros)}, after, true
}

// maxUptime is nine years, in seconds. A stamp with less than that since 1970 is no date
// but the time since the start of the host, because no log is that old.
const maxUptime = 9 * 365 * 24 * 3600

// cutMicros reads ".123456", with any number of digits.
func cutMicros(text string) (int64, string, bool) {
	var s stamp
	rest, ok := s.cutFraction(text)
	return int64(s.nanos / 1000), rest, ok && len(rest) < len(text)
}

// cutWeekday reads "Wed 2026-06-03 06:11:09 CEST ", as journalctl's short-full and
// with-unit write it (systemd v252 src/basic/time-util.c, format_timestamp_style).
func cutWeekday(text string) (stamp, string, bool) {
	if !isWeekday(text[:3]) {
		return stamp{}, "", false
	}
	s, rest, ok := cutISO(text[4:])
	if !ok || s.hasOffset || text[14] != ' ' {
		return stamp{}, "", false
	}
	name, rest, ok := strings.Cut(rest, " ")
	if !ok || !s.readZone(name) {
		return stamp{}, "", false
	}
	return s, rest, true
}

func isWeekday(name string) bool {
	switch name {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

// readZone reads the name of a time zone, and reports false for any other word. After an
// ambiguous name (CST, IST) or an unknown one the line keeps the default zone: the
// host's, unless the reader sets another.
func (s *stamp) readZone(name string) bool {
	if len(name) >= 3 && (name[0] == '+' || name[0] == '-') { // a zone without a name: -03, +0530
		if len(name) == 3 {
			name += "00"
		}
		rest, ok := s.cutOffset(name)
		return ok && rest == ""
	}
	if len(name) < 2 || len(name) > 6 {
		return false
	}
	for i := range len(name) {
		if name[i]-'A' > 25 {
			return false
		}
	}
	if minutes, known := zoneMinutes(name); known {
		s.hasOffset, s.offset = true, int32(minutes*60)
	}
	return true
}

// zoneMinutes returns the minutes east of UTC of the abbreviations that mean one
// offset in the IANA time zone database (2024a).
func zoneMinutes(name string) (int, bool) {
	switch name {
	case "UTC", "GMT", "WET":
		return 0, true
	case "CET", "MET", "WEST", "WAT":
		return 60, true
	case "CEST", "MEST", "EET", "CAT", "SAST":
		return 120, true
	case "EEST", "MSK", "EAT":
		return 180, true
	case "PKT":
		return 300, true
	case "WIB":
		return 420, true
	case "HKT", "AWST", "WITA":
		return 480, true
	case "JST", "KST", "WIT":
		return 540, true
	case "ACST":
		return 570, true
	case "AEST":
		return 600, true
	case "ACDT":
		return 630, true
	case "AEDT":
		return 660, true
	case "NZST":
		return 720, true
	case "NZDT":
		return 780, true
	case "NST":
		return -210, true
	case "NDT":
		return -150, true
	case "ADT":
		return -180, true
	case "AST", "EDT":
		return -240, true
	case "EST":
		return -300, true
	case "MDT":
		return -360, true
	case "MST", "PDT":
		return -420, true
	case "AKDT":
		return -480, true
	case "AKST":
		return -540, true
	case "HST":
		return -600, true
	}
	return 0, false
}

// IsUndated reports whether the stamp counts from the start of the host, so that
// the line has a place among its neighbours and no date: its time is one of 1970.
func (h *Header) IsUndated() bool { return h.stamp.micros > 0 && h.stamp.micros < maxUptime*1e6 }
