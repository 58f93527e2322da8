package logline

import (
	"testing"
	"time"
)

// The stamps of journalctl's forms, and what is nearly one.
func TestJournalStamps(t *testing.T) {
	const tail = " mx postfix/smtpd[1]: x"
	zone := berlin(t)
	for stamp, want := range map[string]string{
		"Wed 2026-06-03 06:11:09 CEST":         "2026-06-03T04:11:09Z",
		"Wed 2026-06-03 06:11:09.5 CEST":       "2026-06-03T04:11:09.5Z",
		"Wed 2026-06-03 04:11:09 UTC":          "2026-06-03T04:11:09Z",
		"Wed 2026-06-03 00:11:09 EDT":          "2026-06-03T04:11:09Z",
		"Wed 2026-06-03 01:11:09 -03":          "2026-06-03T04:11:09Z",
		"Wed 2026-06-03 09:41:09 +0530":        "2026-06-03T04:11:09Z",
		"Wed 2026-06-03 06:11:09 CST":          "2026-06-03T04:11:09Z", // of three zones: the line's
		"Wed 2026-06-03 06:11:09 XYZT":         "2026-06-03T04:11:09Z",
		"Sun 2026-10-25 02:30:00 CEST":         "2026-10-25T00:30:00Z",
		"Sun 2026-10-25 02:30:00 CET":          "2026-10-25T01:30:00Z",
		"1780459869.123456":                    "2026-06-03T04:11:09.123456Z",
		"1780459869.1":                         "2026-06-03T04:11:09.1Z",
		"[ 5000.000000]":                       "1970-01-01T01:23:20Z",
		"[12345678.500000]":                    "1970-05-23T21:21:18.5Z",
		"[    0.000000]":                       "1970-01-01T00:00:00.000001Z",
		"[ 5000.000000                ]":       "1970-01-01T01:23:20Z",
		"[ 5001.000000 <    1.000000 >]":       "1970-01-01T01:23:21Z",
		"Wed 2026-06-03T06:11:09 CEST":         "",
		"Wedn 2026-06-03 06:11:09 CEST":        "",
		"Wod 2026-06-03 06:11:09 CEST":         "",
		"Wed 2026-06-03 06:11:09":              "",
		"Wed 2026-06-03 06:11:09 cest":         "",
		"Wed 2026-06-03 06:11:09 UNIVERSAL":    "",
		"Wed 2026-06-03 06:11:09 +99":          "",
		"178045986.123456":                     "",
		"17804598690.12345":                    "",
		"1780459869.":                          "",
		"178045986x.123456":                    "",
		"1780459869 123456":                    "",
		"[ 5000]":                              "",
		"[ 5000.x]":                            "",
		"[ 5000.000000 x]":                     "",
		"[999999999.000000]":                   "",
		"[ 5000.000000":                        "",
		"[s=1;i=2] [ 5000.000000]":             "",
		"[ 5000.000000 <    1.000000 >] [x= 1": "",
	} {
		line := Line{Text: stamp + tail, Received: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Zone: zone}
		h, message, ok := Split(line)
		if want == "" {
			if ok && h.Program == "postfix/smtpd" {
				t.Errorf("%q: got a header %+v", stamp, h)
			}
			continue
		}
		if got := h.Time(line).UTC().Format(time.RFC3339Nano); !ok || got != want || h.Host != "mx" || h.Program != "postfix/smtpd" || message != "x" {
			t.Errorf("%q: got %t, %s, %q, %q, %q, want %s", stamp, ok, got, h.Host, h.Program, message, want)
		}
		if got, undated := h.IsUndated(), stamp[0] == '['; got != undated {
			t.Errorf("%q: undated %t, want %t", stamp, got, undated)
		}
	}
}

// What stands before the tag: a severity, an address, more spaces than one.
func TestOrigins(t *testing.T) {
	smtpd := func(host string) headerOf { return headerOf{host, "postfix/smtpd", 1, "x y"} }
	checkHeaders(t, map[string]headerOf{
		"2026-06-03T04:11:09.5+01:00 INFO    postfix/smtpd[1]: x y":  smtpd(""),
		"2026-06-03T04:11:09.5+01:00 WARNING postfix/smtpd[1]: x y":  smtpd(""),
		"Jun  3 04:11:09 INFO postfix/smtpd[1]: x y":                 smtpd(""),
		"Jun  3 04:11:09 err     postfix/smtpd[1]: x y":              smtpd(""),
		"Jun  3 04:11:09 INFO    mx postfix/smtpd[1]: x y":           smtpd("mx"),
		"Jun  3 04:11:09 mx INFO    postfix/smtpd[1]: x y":           smtpd("mx"),
		"Jun  3 04:11:09 mx WARNING postfix/smtpd[1]: x y":           smtpd("mx"),
		"Jun  3 04:11:09 192.0.2.7 mx postfix/smtpd[1]: x y":         smtpd("mx"),
		"Jun  3 04:11:09 192.0.2.7   mx   postfix/smtpd[1]: x y":     smtpd("mx"),
		"Jun  3 04:11:09 2001:db8::7 mx postfix/smtpd[1]: x y":       smtpd("mx"),
		"Jun  3 04:11:09 192.0.2.7 postfix/smtpd[1]: x y":            smtpd("192.0.2.7"),
		"Jun  3 04:11:09 192.0.2.7 INFO postfix/smtpd[1]: x y":       smtpd("192.0.2.7"),
		"Jun  3 04:11:09 mx    postfix/smtpd[1]: x y":                smtpd("mx"),
		"Jun  3 04:11:09    mx postfix/smtpd[1]: x y":                smtpd("mx"),
		"Jun  3 04:11:09 mail.info   mx postfix/smtpd[1]: x y":       smtpd("mx"),
		"Jun  3 04:11:09 Info postfix/smtpd[1]: x y":                 smtpd("Info"), // no severity is written so
		"Jun  3 04:11:09 INFO last message repeated 2 times":         {"", "", 0, "last message repeated 2 times"},
		"Jun  3 04:11:09 INFO    last message repeated 2 times":      {"", "", 0, "last message repeated 2 times"},
		"Jun  3 04:11:09 mx WARNING of a kernel":                     {"mx", "", 0, "WARNING of a kernel"},
		"Jun  3 04:11:09 192.0.2.7 last message repeated 2 times":    {"192.0.2.7", "", 0, "last message repeated 2 times"},
		"Jun  3 04:11:09 mx two postfix/smtpd[1]: x y":               {"mx", "", 0, "two postfix/smtpd[1]: x y"},
		"Jun  3 04:11:09 mx cron[7]: INFO postfix/smtpd[1]: x y":     {"mx", "cron", 7, "INFO postfix/smtpd[1]: x y"},
		"Jun  3 04:11:09 mx cron[7]: 192.0.2.7 m postfix/smtpd[1]: ": {"mx", "cron", 7, "192.0.2.7 m postfix/smtpd[1]: "},
	})
}

// Lines of journalctl's forms of JSON.
func TestFraming(t *testing.T) {
	const object = `{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"dovecot","_PID":"7","MESSAGE":"x"}`
	checkHeaders(t, map[string]headerOf{
		object:                    {"", "dovecot", 7, "x"},
		"\x1e" + object:           {"", "dovecot", 7, "x"},
		"data: " + object:         {"", "dovecot", 7, "x"},
		"\x1e" + object + "\t\r":  {"", "dovecot", 7, "x"},
		"data: " + object + "   ": {"", "dovecot", 7, "x"},
	})
	for _, text := range []string{"data:" + object, " data: " + object, "\x1e\x1e" + object, "data: data: " + object} {
		if h, _, ok := Split(Line{Text: text, Zone: time.UTC}); ok {
			t.Errorf("%q: got a header %+v", text, h)
		}
	}
}
