package logline

import (
	"strconv"
	"time"
)

// stamp is a time as the header wrote it. Turning it into a time.Time costs
// more than reading it, and most lines never need that.
type stamp struct {
	year                 int16 // 0: the header has none
	month, day           int8
	hour, minute, second int8
	hasOffset            bool  // else the line's zone counts
	offset               int32 // seconds east of UTC
	nanos                int32
	micros               int64 // since 1970, of a header that has nothing else
}

const (
	// clockSkew is how far a line's clock may run ahead of its arrival.
	clockSkew = 5 * time.Second
	// yearSlack lets a year-less stamp lie ahead of its reference, as it does
	// when the log was written in a zone further east, before the year before
	// is taken instead.
	yearSlack = 24 * time.Hour
	// maxEpoch is the last second of the year 9999.
	maxEpoch = 253_402_300_799
)

// cutStamp takes a stamp and the space after it off the start of text.
func cutStamp(text string) (stamp, string, bool) {
	if len(text) < 16 {
		return stamp{}, "", false
	}
	if text[0] <= '9' && text[4] == '-' {
		return cutISO(text)
	}
	switch {
	case text[0] == '@':
		return cutTAI64N(text)
	case text[0] == '[':
		return cutMonotonic(text)
	case text[10] == '.' && text[0]-'0' <= 9:
		return cutUnix(text)
	case text[8] == '-' && text[3] == ' ':
		return cutWeekday(text)
	case text[4] == ' ' && text[0]-'0' <= 9:
		return cutYearFirst(text)
	}
	return cutRFC3164(text)
}

// cutYearFirst reads "2026 Jun  3 04:11:09 ", which some templates of rsyslog and syslog-ng
// write because RFC 3164 has no year.
func cutYearFirst(text string) (stamp, string, bool) {
	year, ok := number(text[:4])
	if !ok || year == 0 || len(text) < len("2026 Jun  3 04:11:09 ") {
		return stamp{}, "", false
	}
	s, rest, ok := cutRFC3164(text[5:])
	s.year = int16(year)
	return s, rest, ok
}

// looksStamped reports cheaply whether text may begin with a stamp.
func looksStamped(text string) bool {
	return len(text) > 9 && (text[3] == ' ' && text[6] == ' ' && text[9] == ':' || text[4] == '-' && text[7] == '-')
}

// cutRFC3164 reads "Jun  3 04:11:09 " (RFC 3164 section 4.1.2), the zero-padded
// day of Postfix's own log file, the day without padding of metalog, the fraction of
// journalctl's short-precise, and a year behind the day ("Jun  3 2026 04:11:09 ").
func cutRFC3164(text string) (stamp, string, bool) {
	var s stamp
	if text[3] != ' ' {
		return s, "", false
	}
	day, clock := text[4:6], text[7:]
	if text[5] == ' ' {
		day, clock = text[4:5], text[6:]
	} else if text[6] != ' ' {
		return s, "", false
	}
	if day[0] == ' ' {
		day = day[1:]
	}
	month := monthNumber(text[:3])
	n, ok := number(day)
	s.month, s.day = int8(month), int8(n)
	if !ok || month == 0 || n < 1 || n > daysIn(month) {
		return s, "", false
	}
	if clock[2] != ':' {
		year, ok := number(clock[:4])
		if !ok || year == 0 || clock[4] != ' ' || len(clock) <= len("2026 04:11:09") {
			return s, "", false
		}
		s.year, clock = int16(year), clock[5:]
	}
	if !s.readClock(clock[:8]) {
		return s, "", false
	}
	rest, ok := s.cutFraction(clock[8:])
	if !ok || rest == "" || rest[0] != ' ' {
		return s, "", false
	}
	return s, rest[1:], true
}

// cutISO reads RFC 3339 and its looser relatives: a space for the T, an offset
// without a colon (journalctl's short-iso) or no offset at all (Dovecot's
// log_timestamp set to "%Y-%m-%d %H:%M:%S ").
func cutISO(text string) (stamp, string, bool) {
	var s stamp
	if len(text) < 20 || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') {
		return s, "", false
	}
	year, ok1 := number(text[:4])
	month, ok2 := number(text[5:7])
	day, ok3 := number(text[8:10])
	if !ok1 || !ok2 || !ok3 || year == 0 || month < 1 || month > 12 || day < 1 || day > daysIn(month) {
		return s, "", false
	}
	s.year, s.month, s.day = int16(year), int8(month), int8(day)
	if !s.readClock(text[11:19]) {
		return s, "", false
	}
	rest, ok := s.cutFraction(text[19:])
	if !ok {
		return s, "", false
	}
	rest, ok = s.cutOffset(rest)
	if !ok || rest == "" || rest[0] != ' ' {
		return s, "", false
	}
	return s, rest[1:], true
}

// cutTAI64N reads the label that multilog(8) puts before each line: "@", then 8 bytes of
// seconds and 4 of nanoseconds in hexadecimal. Like multilog it counts 10 s between TAI
// and UTC, without the later leap seconds.
func cutTAI64N(text string) (stamp, string, bool) {
	const label = len("@400000004c91b044077a9e94")
	const epoch = 1<<62 + 10
	if len(text) <= label || text[label] != ' ' {
		return stamp{}, "", false
	}
	seconds, err := strconv.ParseUint(text[1:17], 16, 64)
	if err != nil || seconds <= epoch || seconds-epoch > maxEpoch {
		return stamp{}, "", false
	}
	nanos, err := strconv.ParseUint(text[17:label], 16, 32)
	if err != nil || nanos > 999_999_999 {
		return stamp{}, "", false
	}
	return stamp{micros: int64(seconds-epoch)*1e6 + int64(nanos)/1000}, text[label+1:], true
}

// readClock reads "04:11:09"; a leap second is allowed.
func (s *stamp) readClock(text string) bool {
	if text[2] != ':' || text[5] != ':' {
		return false
	}
	hour, ok1 := number(text[:2])
	minute, ok2 := number(text[3:5])
	second, ok3 := number(text[6:8])
	s.hour, s.minute, s.second = int8(hour), int8(minute), int8(second)
	return ok1 && ok2 && ok3 && hour < 24 && minute < 60 && second <= 60
}

// cutFraction reads an optional ".123456", up to nanoseconds. ISO 8601 allows a comma for
// the point.
func (s *stamp) cutFraction(text string) (string, bool) {
	if text == "" || text[0] != '.' && text[0] != ',' {
		return text, true
	}
	end := 1
	for end < len(text) && text[end]-'0' <= 9 {
		end++
	}
	digits := text[1:end]
	if len(digits) > 9 {
		digits = digits[:9]
	}
	n, ok := number(digits)
	for range 9 - len(digits) {
		n *= 10
	}
	s.nanos = int32(n)
	return text[end:], ok
}

// cutOffset reads "Z", "+01:00" or "+0100", or nothing.
func (s *stamp) cutOffset(text string) (string, bool) {
	if text == "" || text[0] == ' ' {
		return text, true
	}
	s.hasOffset = true
	if text[0] == 'Z' {
		return text[1:], true
	}
	if len(text) < 5 || (text[0] != '+' && text[0] != '-') {
		return text, false
	}
	minutes, rest := text[3:5], text[5:]
	if text[3] == ':' {
		if len(text) < 6 {
			return text, false
		}
		minutes, rest = text[4:6], text[6:]
	}
	h, ok1 := number(text[1:3])
	m, ok2 := number(minutes)
	s.offset = int32((h*60 + m) * 60)
	if text[0] == '-' {
		s.offset = -s.offset
	}
	return rest, ok1 && ok2 && h < 24 && m < 60
}

func (s stamp) resolve(line Line) time.Time {
	t, latest := time.UnixMicro(s.micros), line.Read
	switch {
	case s.micros != 0:
	case s.year != 0:
		t = s.in(int(s.year), line.Zone)
	default:
		t, latest = s.yearLess(line.Received, line.Zone), line.Received
	}
	if s.micros == 0 && !s.hasOffset {
		t = line.ofTwoHours(t)
	}
	if latest.IsZero() {
		latest = line.Received
	}
	if !latest.IsZero() && t.After(latest.Add(clockSkew)) {
		return latest
	}
	return t
}

func (s stamp) yearLess(received time.Time, zone *time.Location) time.Time {
	year := received.In(zone).Year()
	latest := received.Add(yearSlack)
	if s.in(year+1, zone).Before(latest) && s.existsIn(year+1) {
		return s.in(year+1, zone) // New Year has come where the log is written
	}
	for !s.existsIn(year) || s.in(year, zone).After(latest) {
		year--
	}
	return s.in(year, zone)
}

// existsIn reports whether the year has the day. Most years lack 29 February.
func (s stamp) existsIn(year int) bool {
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	return leap || s.month != 2 || s.day != 29
}

func (s stamp) in(year int, zone *time.Location) time.Time {
	if s.hasOffset {
		utc := time.Date(year, time.Month(s.month), int(s.day), int(s.hour), int(s.minute), int(s.second), int(s.nanos), time.UTC)
		return utc.Add(-time.Duration(s.offset) * time.Second)
	}
	return time.Date(year, time.Month(s.month), int(s.day), int(s.hour), int(s.minute), int(s.second), int(s.nanos), zone)
}

func monthNumber(name string) int {
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	for i := 0; i < len(months); i += 3 {
		if months[i:i+3] == name {
			return i/3 + 1
		}
	}
	return 0
}

func daysIn(month int) int {
	switch month {
	case 2:
		return 29
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
