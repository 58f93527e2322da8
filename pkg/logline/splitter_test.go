package logline

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// checkSplitter has one Splitter read the lines of a log one after the other and
// compares each with what Split makes of it.
func checkSplitter(t *testing.T, log string, received, read time.Time, zone *time.Location) (compared int) {
	t.Helper()
	checkReading(t, log, received, read, zone, &Reading{Envelope: true})
	return checkReading(t, log, received, read, zone, nil)
}

func checkReading(t *testing.T, log string, received, read time.Time, zone *time.Location, reading *Reading) (compared int) {
	t.Helper()
	var s Splitter
	for text := range strings.SplitSeq(log, "\n") {
		line := Line{Text: text, Received: received, Read: read, Zone: zone, Reading: reading}
		want, wantMessage, wantOK := Split(line)
		var got Header
		message, ok := s.Split(&line, &got)
		if ok != wantOK || message != wantMessage && ok {
			t.Fatalf("%q: message %q, %v, want %q, %v", text, message, ok, wantMessage, wantOK)
		}
		if !ok {
			continue
		}
		if at, wantAt := s.Time(&line, &got), want.Time(line); !at.Equal(wantAt) || at.String() != wantAt.String() {
			t.Fatalf("%q: time %s, want %s", text, at, wantAt)
		}
		if got.compared {
			compared++
		}
		got.compared = false
		if got != want {
			t.Fatalf("%q: header %+v, want %+v", text, got, want)
		}
	}
	return compared
}

// Each pair is a line that is remembered and one that is compared with it.
func TestSplitter(t *testing.T) {
	const tail = " mail postfix/smtpd[4242]: connect from unknown[192.0.2.1]"
	tests := map[string]struct {
		first, second string
		compared      bool
	}{
		"the same":              {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09" + tail, true},
		"a later second":        {"Jun  3 04:11:09" + tail, "Jun  3 04:11:59" + tail, true},
		"a leap second":         {"Jun  3 04:11:09" + tail, "Jun  3 04:11:60" + tail, false},
		"no second":             {"Jun  3 04:11:09" + tail, "Jun  3 04:11:61" + tail, false},
		"no digit":              {"Jun  3 04:11:09" + tail, "Jun  3 04:11:0x" + tail, false},
		"another minute":        {"Jun  3 04:11:09" + tail, "Jun  3 04:12:09" + tail, false},
		"another host":          {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail2 postfix/smtpd[1]: x", false},
		"a priority":            {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail <22>dovecot: x", false},
		"a level in brackets":   {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail [info] dovecot: x", false},
		"another program":       {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail dovecot: x", true},
		"a long pid":            {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[123456789]: x", true},
		"too long a pid":        {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1234567890]: x", false},
		"no pid in brackets":    {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[]: x", false},
		"nothing but brackets":  {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail [1]: x", false},
		"two pairs of brackets": {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1][2]: x", false},
		"no bracket opens":      {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a1]: x", false},
		"a pid with a letter":   {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1x]: x", false},
		"no tag":                {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail last message repeated 3 times", false},
		"a level":               {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail mail.info postfix/smtpd[1]: x", false},
		"no message":            {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]: ", false},
		"nothing behind a tag":  {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]:", false},
		"two spaces":            {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]:  x", true},
		"carriage return":       {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]: x\r", false},
		"message ID":            {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]: [ID 1 mail.info] x", false},
		"repeated":              {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]: message repeated 3 times: [ x]", false},
		"begins with m":         {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail a[1]: milter x", true},
		"rfc3339":               {"2026-06-03T04:11:09.123456+02:00" + tail, "2026-06-03T04:11:10.654321+02:00" + tail, true},
		"rfc3339, other zone":   {"2026-06-03T04:11:09.123456+02:00" + tail, "2026-06-03T04:11:10.654321+01:00" + tail, false},
		"rfc3339, fewer digits": {"2026-06-03T04:11:09.123456+02:00" + tail, "2026-06-03T04:11:10.65432+02:00" + tail, false},
		"rfc3339, more digits":  {"2026-06-03T04:11:09.123456+02:00" + tail, "2026-06-03T04:11:10.6543210+02:00" + tail, false},
		"rfc3339, no fraction":  {"2026-06-03T04:11:09+02:00" + tail, "2026-06-03T04:11:10+02:00" + tail, true},
		"utc":                   {"2026-06-03T04:11:09Z" + tail, "2026-06-03T04:11:10Z" + tail, true},
		"no offset":             {"2026-06-03 04:11:09" + tail, "2026-06-03 04:11:10" + tail, true},
		"macOS":                 {"2026-06-03T04:11:09Z " + tail, "2026-06-03T04:11:10Z " + tail, false},
		"a runtime's stamp":     {"2026-06-03T04:11:09Z Jan postfix/smtpd[1]: x", "2026-06-03T04:11:10Z Jan  1 00:00:00 mail postfix/smtpd[1]: x", false},
		"a stream":              {"2026-06-03T04:11:09Z stdout F Jan  1 00:00:00 stdout a: x", "2026-06-03T04:11:10Z stdout F: x", false},
		"a host like a stream":  {"Jun  3 04:11:09 stdout a: x", "Jun  3 04:11:09 stdout F x", false},
		"cut in the stamp":      {"Jun  3 04:11:09" + tail, "Jun  3 04:11:", false},
		"cut in the host":       {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 ma", false},
		"cut in the fraction":   {"2026-06-03T04:11:09.123456+02:00" + tail, "2026-06-03T04:11:09.12", false},
		"dovecot's own file":    {"Jun 03 04:11:09 imap-login: Info: x", "Jun 03 04:11:09 imap-login: Info: x", false},
		"one-digit day":         {"Jun 3 04:11:09" + tail, "Jun 3 04:11:10" + tail, false},
		"priority":              {"<22>Jun  3 04:11:09" + tail, "<22>Jun  3 04:11:10" + tail, false},
		"nothing but digits":    {"Jun  3 04:11:09" + tail, "Jun  3 04:11:09 mail 1]: x", false},
		"nines":                 {"2026-06-03T04:11:09.999999Z" + tail, "2026-06-03T04:11:19.989898Z" + tail, true},
		"cut in nanoseconds":    {"2026-06-03T04:11:09.123456789Z m a[1]: x", "2026-06-03T04:11:09.123", false},
		"ten digits":            {"2026-06-03T04:11:09.1234567891Z" + tail, "2026-06-03T04:11:09.1234567891Z" + tail, false},
		"no point":              {"2026-06-03T04:11:09.12Z" + tail, "2026-06-03T04:11:09:12Z" + tail, false},
		"a letter in a second":  {"2026-06-03T04:11:09.12Z" + tail, "2026-06-03T04:11:09.1xZ" + tail, false},
		"1970":                  {"0000000000.000000" + tail, "0000000000.000000" + tail, false},
		"short-full":            {"Wed 2026-06-03 06:11:09 CEST" + tail, "Wed 2026-06-03 06:11:10 CEST" + tail, true},
		"short-full, CET":       {"Wed 2026-06-03 06:11:09 CEST" + tail, "Wed 2026-06-03 06:11:10 CET" + tail, false},
		"a severity":            {"Jun  3 04:11:09 INFO a[1]: x", "Jun  3 04:11:10 INFO a[1]: x", false},
		"a severity for a host": {"Jun  3 04:11:09 INFO of a kernel", "Jun  3 04:11:10 INFO a[1]: x", false},
		"an address":            {"Jun  3 04:11:09 192.0.2.7 a[1]: x", "Jun  3 04:11:10 192.0.2.7 mx a[1]: x", false},
		"a comma":               {"2026-06-03 04:11:09,123" + tail, "2026-06-03 04:11:09,123" + tail, false},
		"a year behind the day": {"Jun  3 2026 04:11:09" + tail, "Jun  3 2026 04:11:10" + tail, false},
		"a year first":          {"2026 Jun  3 04:11:09" + tail, "2026 Jun  3 04:11:10" + tail, false},
		"journald":              {`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"x"}`, `{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"x"}`, false},
	}
	received := time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			compared := checkSplitter(t, tt.first+"\n"+tt.second, received, time.Time{}, time.UTC)
			if (compared > 0) != tt.compared {
				t.Errorf("compared: %v", compared > 0)
			}
		})
	}
}

// Minutes in which the year, a bound or the summer time changes.
func TestSplitterDates(t *testing.T) {
	zone := berlin(t)
	for _, minute := range []string{
		"Dec 31 23:59:", "Jan  1 00:00:", "Feb 29 12:00:", "Mar 29 01:59:", "Mar 29 02:00:", "Oct 25 02:00:", "Jun  3 04:11:",
		"2026-06-03T04:11:", "2016-12-31T23:59:", "2038-01-19T03:14:", "0001-01-01T00:00:",
	} {
		var log strings.Builder
		for second := range 60 {
			fmt.Fprintf(&log, "%s%02d mail a[1]: x\n", minute, second)
		}
		for _, received := range []string{
			"2026-06-03T04:10:40Z", "2026-06-03T04:11:00Z", "2026-06-03T04:11:30Z", "2026-06-02T04:11:30Z", "2026-01-01T00:00:00Z",
			"2025-12-31T23:59:30Z", "2024-02-28T12:00:30Z", "1970-01-01T00:00:00Z",
		} {
			at, err := time.Parse(time.RFC3339, received)
			if err != nil {
				t.Fatal(err)
			}
			checkSplitter(t, log.String(), at, time.Time{}, zone)
			checkSplitter(t, log.String(), at, at.Add(time.Hour), time.UTC)
		}
	}
}

// Each minute is dated for itself, and each form of a stamp is remembered anew.
func TestSplitterMinutes(t *testing.T) {
	const tail = " mail a[1]: x"
	stamps := []string{
		"Jun  3 04:11:09", "Jun  3 04:11:10", "Jun  3 04:12:09", "Jun  3 04:12:10", "Jun  4 04:12:10", "Jun  4 04:12:11",
		"2026-06-03T04:11:09.5Z", "2026-06-03T04:11:10.5Z", "2026-06-03T04:12:09Z", "2026-06-03T04:12:10Z",
	}
	log := strings.Join(stamps, tail+"\n") + tail
	if compared := checkSplitter(t, log, time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC), time.Time{}, time.UTC); compared != len(stamps)/2 {
		t.Errorf("%d lines were compared, want %d", compared, len(stamps)/2)
	}
}

// A live source receives each line at its own time: what a minute came to is asked
// for anew when something that it hangs on changes.
func TestSplitterLive(t *testing.T) {
	zone := berlin(t)
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	const tail = " mail a[1]: x"
	first := Line{Text: "Oct 25 02:30:09" + tail, Received: at("2026-12-01T00:00:00Z"), Read: at("2026-12-01T00:00:00Z"), Zone: zone, After: at("2026-10-25T00:30:00Z")}
	change := func(change func(*Line)) Line {
		line := first
		change(&line)
		return line
	}
	withYear := Line{Text: "2026-06-03T04:11:09" + tail, Received: at("2026-06-03T04:11:10Z"), Read: at("2026-06-03T04:11:10Z"), Zone: time.UTC}
	earlier := withYear
	earlier.Read = at("2026-06-03T03:00:00Z")
	for name, lines := range map[string][]Line{
		"received in another year": {first, change(func(l *Line) { l.Received = at("2024-12-01T00:00:00Z") })},
		"in another zone":          {first, change(func(l *Line) { l.Zone = time.UTC })},
		"an hour later":            {first, change(func(l *Line) { l.After = at("2026-10-25T01:30:00Z") })},
		"read before":              {withYear, earlier},
		"a later second, again":    {first, change(func(l *Line) { l.Text = "Oct 25 02:30:10" + tail }), first},
	} {
		t.Run(name, func(t *testing.T) {
			var s Splitter
			var h Header
			s.Split(&first, &h)
			for _, line := range append(lines[:1:1], lines...) {
				want, _, _ := Split(line)
				if _, ok := s.Split(&line, &h); !ok || !s.Time(&line, &h).Equal(want.Time(line)) {
					t.Errorf("%s: %s, want %s", line.Text, s.Time(&line, &h), want.Time(line))
				}
			}
		})
	}
}

// The clock shows an hour twice if the header has no offset, whether the line was
// compared or not, dated or not.
func TestTwice(t *testing.T) {
	zone := berlin(t)
	received := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		"Oct 25 02:30:09 mail a[1]: x":                              true,
		"Oct 25 01:59:59 mail a[1]: x":                              false,
		"Oct 25 03:00:00 mail a[1]: x":                              false,
		"2026-10-25T02:30:09 mail a[1]: x":                          true,
		"2026-10-25T02:30:09+01:00 mail a[1]: x":                    false,
		`{"__REALTIME_TIMESTAMP":"1792891809000000","MESSAGE":"x"}`: false,
	} {
		var s Splitter
		var h Header
		line := Line{Text: text, Received: received, Zone: zone}
		for pass := range 3 {
			if _, ok := s.Split(&line, &h); !ok {
				t.Fatalf("%s: no header", text)
			}
			if got := s.Twice(&line, &h); got != want {
				t.Errorf("%s, pass %d: %t, want %t", text, pass, got, want)
			}
			s.Time(&line, &h)
			if got := s.Twice(&line, &h); got != want {
				t.Errorf("%s, pass %d, dated: %t, want %t", text, pass, got, want)
			}
		}
	}
}

// A Splitter gives what Split gives, whatever came before.
func FuzzSplitter(f *testing.F) {
	f.Add("Jun  3 04:11:09 mail a[1]: x\nJun  3 04:11:10 mail b: y\nJun  3 04:11:60 mail a[1]: x")
	f.Add("2026-06-03T04:11:09.5+02:00 mail a[1]: x\n2026-06-03T04:11:10.25+02:00 mail a[1]: x")
	f.Add("2026-06-03T04:11:09Z Jan a: x\n2026-06-03T04:11:09Z Jan  1 00:00:00 mail a: b")
	f.Add("Jun  3 04:11:09 mail mail.info a[1]: x\nJun  3 04:11:09 mail a[1][2]: x")
	f.Add("Jun  3 04:11:09 INFO    a[1]: x\nJun  3 04:11:09 INFO a b[1]: x\nJun  3 04:11:09 192.0.2.7 mx b[1]: x")
	f.Add("Wed 2026-06-03 06:11:09 CEST mx a[1]: x\nWed 2026-06-03 06:11:10 CET mx a[1]: x\n1780459869.5 mx a[1]: x\n[ 5000.5] mx a[1]: x")
	f.Add("Jun  3 2026 04:11:09 mx a[1]: x\n2026 Jun  3 04:11:10 mx a[1]: x\n2026-06-03 04:11:09,5 mx a[1]: x\nJun 3 2026 04:11:09.5 mx a[1]: x")
	f.Add("0000000000.0 mx a[1]: x\n0000000000.0 mx a[1]: x\n[ 0.0] mx a[1]: x")
	f.Add("Jun  3 04:11:09 mx docker[1]: Jun  3 02:11:09 m a[1]: x\nJun  3 04:11:10 mx docker[1]: m-1 | Jun  3 02:11:09 m a[1]: x\nJun  3 04:11:11 mx d[1]: a/b[2]: x")
	f.Fuzz(func(t *testing.T, log string) {
		checkSplitter(t, log, time.Unix(1780459869, 0), time.Time{}, time.UTC)
	})
}
