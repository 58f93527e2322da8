package logline

import (
	"testing"
	"time"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestSplit(t *testing.T) {
	const msg = "connect from unknown[192.0.2.1]"
	const at = "2026-06-03T04:11:09Z"
	tests := map[string]struct {
		line, host, program string
		pid                 int
		message, time       string
	}{
		"rfc3164":             {"Jun  3 04:11:09 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"zero-padded day":     {"Jun 03 04:11:09 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"carriage return":     {"Jun  3 04:11:09 mail postfix/smtpd[4242]: " + msg + "\r", "mail", "postfix/smtpd", 4242, msg, at},
		"priority":            {"<22>Jun  3 04:11:09 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"no pid":              {"Jun  3 04:11:09 mail dovecot: " + msg, "mail", "dovecot", 0, msg, at},
		"journalctl precise":  {"Jun 03 04:11:09.500000 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, "2026-06-03T04:11:09.5Z"},
		"rfc3339":             {"2026-06-03T06:11:09.25+02:00 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, "2026-06-03T04:11:09.25Z"},
		"rfc3339 utc":         {"2026-06-03T04:11:09Z mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"short-iso":           {"2026-06-03T06:11:09+0200 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"two spaces":          {"2026-06-03T04:11:09Z  mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"rfc5424":             {"<22>1 2026-06-03T04:11:09Z mail postfix/smtpd 4242 - - " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"rfc5424 bom":         {"<22>1 2026-06-03T04:11:09Z mail postfix/smtpd 4242 - - \ufeff" + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"rfc5424 data":        {`<22>1 2026-06-03T04:11:09Z mail postfix/smtpd 4242 - [a@1 b="x\"] ]"][c@1] ` + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"rfc5424 bare":        {"1 2026-06-03T04:11:09Z mail postfix/smtpd 4242 - - " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"syslog-ng id":        {"Jun  3 04:11:09 mail postfix/smtpd[4242]: [ID 197553 mail.info] " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"freebsd":             {"Jun  3 04:11:09 <mail.info> mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"busybox":             {"Jun  3 04:11:09 mail mail.info postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"busybox no host":     {"Jun  3 04:11:09 mail.info postfix/smtpd[4242]: " + msg, "", "postfix/smtpd", 4242, msg, at},
		"socklog":             {"2026-06-03T04:11:09Z mail.info: postfix/smtpd[4242]: " + msg, "", "postfix/smtpd", 4242, msg, at},
		"metalog":             {"Jun  3 04:11:09 [postfix/smtpd] " + msg, "", "postfix/smtpd", 0, msg, at},
		"dovecot file":        {"Jun 03 04:11:09 imap-login: Info: Login: user=<a>", "", "dovecot", 0, "imap-login: Info: Login: user=<a>", at},
		"dovecot file date":   {"2026-06-03 04:11:09 auth-worker(9): Info: x", "", "dovecot", 0, "auth-worker(9): Info: x", at},
		"compose":             {"mailserver-1  | Jun  3 04:11:09 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"docker -t":           {"2026-06-03T04:11:09.000000000Z Jan  1 00:00:00 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"cri":                 {"2026-06-03T04:11:09.000000000Z stdout F Jan  1 00:00:00 mail postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"docker json":         {`{"log":"Jan  1 00:00:00 mail postfix/smtpd[4242]: connect from unknown[192.0.2.1]\n","stream":"stdout","time":"2026-06-03T04:11:09Z"}`, "mail", "postfix/smtpd", 4242, msg, at},
		"journald":            {`{"__REALTIME_TIMESTAMP":"1780459869000000","_HOSTNAME":"mail","SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"4242","MESSAGE":"connect from unknown[192.0.2.1]"}`, "mail", "postfix/smtpd", 4242, msg, at},
		"journald spaces":     {`{ "MESSAGE" : "a\"b", "__REALTIME_TIMESTAMP" : "1780459869000000", "SYSLOG_IDENTIFIER" : "dovecot", "X" : ["a","b"] }`, "", "dovecot", 0, `a"b`, at},
		"journald bytes":      {`{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"dovecot","SYSLOG_PID":"7","_PID":"1","MESSAGE":[104,255,105]}`, "", "dovecot", 7, "h\xffi", at},
		"journald null":       {`{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"dovecot","MESSAGE":null}`, "", "dovecot", 0, "", at},
		"metalog, short day":  {"Jun 3 04:11:09 [postfix/smtpd] " + msg, "", "postfix/smtpd", 0, msg, at},
		"socklog, rfc3164":    {"Jun  3 04:11:09 mail.info: postfix/smtpd[4242]: " + msg, "", "postfix/smtpd", 4242, msg, at},
		"raw and busybox":     {"<22>Jun  3 04:11:09 mail mail.info postfix/smtpd[4242]: " + msg, "mail", "postfix/smtpd", 4242, msg, at},
		"instance":            {"Jun  3 04:11:09 mail mx1/smtpd[4242]: " + msg, "mail", "mx1/smtpd", 4242, msg, at},
		"dovecot with pid":    {"Jun  3 04:11:09 mail dovecot[7]: imap-login: x", "mail", "dovecot", 7, "imap-login: x", at},
		"dovecot 1":           {"Jun 03 04:11:09 Info: auth(default): x", "", "dovecot", 0, "auth(default): x", at},
		"dovecot 1 login":     {"Jun 03 04:11:09 Info: imap-login: x", "", "dovecot", 0, "imap-login: x", at},
		"dovecot 1 error":     {"Jun 03 04:11:09 Error: auth(default): x", "", "dovecot", 0, "Error: auth(default): x", at},
		"tag like a level":    {"Jun 03 04:11:09 Info: news", "", "Info", 0, "news", at},
		"multilog":            {"@400000006a1fa9670ee6b280 imap-login: Info: x", "", "dovecot", 0, "imap-login: Info: x", "2026-06-03T04:11:09.25Z"},
		"multilog, dovecot 1": {"@400000006a1fa96700000000 Info: auth(default): x", "", "dovecot", 0, "auth(default): x", at},
		"kernel":              {"Jun  3 04:11:09 mail something without a tag", "mail", "", 0, "something without a tag", at},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			line := Line{Text: tt.line, Received: time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC), Zone: time.UTC}
			h, message, ok := Split(line)
			if !ok {
				t.Fatal("no header")
			}
			if h.Host != tt.host || h.Program != tt.program || h.PID != tt.pid || message != tt.message {
				t.Errorf("got host %q, program %q, pid %d, message %q", h.Host, h.Program, h.PID, message)
			}
			if got := h.Time(line).UTC().Format(time.RFC3339Nano); got != tt.time {
				t.Errorf("time %s, want %s", got, tt.time)
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "\r", "connect from unknown[192.0.2.1]", "Foo  3 04:11:09 mail postfix/smtpd[1]: x",
		"@400000006a1fa967 x: y", "@400000006a1fa9670ee6b280", "@ffffffffffffffff0ee6b280 a: b", "@40000000000000000ee6b280 a: b", "@400000006a1fa967ffffffff a: b",
		"@400000006a1fa967+0e6b280 a: b", "Jun x 04:11:09 mail postfix/smtpd[1]: x", "Jun 0 04:11:09 mail postfix/smtpd[1]: x",
		"Jun 32 04:11:09 mail postfix/smtpd[1]: x", "Jun  3 24:11:09 mail postfix/smtpd[1]: x", "Jun  3 04:11:09",
		"2026-13-03T04:11:09Z mail postfix/smtpd[1]: x", "2026-06-03T04:11:09+9 mail postfix/smtpd[1]: x",
		"2026-06-03T04:11:09+24:00 mail postfix/smtpd[1]: x", "2026-06-03T04:11:09+02:60 mail postfix/smtpd[1]: x",
		"2026-06-03T04:60:09Z mail postfix/smtpd[1]: x", "2026-06-03T04:11:61Z mail postfix/smtpd[1]: x",
		"{}", "{", `{"MESSAGE":"x"}`, `{"__REALTIME_TIMESTAMP":"x","MESSAGE":"y"}`, `{"a" "b"}`, `{"a":}`, `{"a":"b`,
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", "<22>", "<x>Jun  3 04:11:09 mail a: b",
		"<22>1 2026-06-03T04:11:09Z mail postfix/smtpd 4242 - [a \"] x",
	} {
		if h, message, ok := Split(Line{Text: text, Zone: time.UTC}); ok {
			t.Errorf("%q: got program %q, message %q", text, h.Program, message)
		}
	}
}

func TestRepeat(t *testing.T) {
	tests := map[string]struct {
		n       int
		message string
	}{
		"message repeated 3 times: [ abc]":  {3, "abc"},
		"message repeated 3 times: [ a]b]":  {3, "a]b"},
		"message repeated x times: [ abc]":  {1, "message repeated x times: [ abc]"},
		"message repeated 0 times: [ abc]":  {1, "message repeated 0 times: [ abc]"},
		"message repeated 3 times: [ abc":   {1, "message repeated 3 times: [ abc"},
		"x message repeated 3 times: [ ab]": {1, "x message repeated 3 times: [ ab]"},
	}
	for text, want := range tests {
		h, message, ok := Split(Line{Text: "Jun  3 04:11:09 mail postfix/smtpd[1]: " + text, Zone: time.UTC})
		if !ok || h.Repeat != want.n || message != want.message {
			t.Errorf("%q: got %d, %q", text, h.Repeat, message)
		}
	}
}

func TestTime(t *testing.T) {
	zone := berlin(t)
	tests := map[string]struct {
		stamp, received, want string
		zone                  *time.Location
	}{
		"this year":               {"Jun  3 04:11:09", "2026-06-03T12:00:00Z", "2026-06-03T04:11:09Z", time.UTC},
		"over new year":           {"Dec 31 23:59:59", "2026-01-01T00:10:00Z", "2025-12-31T23:59:59Z", time.UTC},
		"old file":                {"Jun  3 04:11:09", "2019-07-01T00:00:00Z", "2019-06-03T04:11:09Z", time.UTC},
		"old file, later in year": {"Dec  3 04:11:09", "2019-07-01T00:00:00Z", "2018-12-03T04:11:09Z", time.UTC},
		"leap day":                {"Feb 29 12:00:00", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z", time.UTC},
		"leap day of this year":   {"Feb 29 12:00:00", "2024-03-01T00:00:00Z", "2024-02-29T12:00:00Z", time.UTC},
		"zone":                    {"Jun  3 04:11:09", "2026-06-03T12:00:00Z", "2026-06-03T02:11:09Z", zone},
		"new year further east":   {"Jan  1 00:30:00", "2025-12-31T23:30:00Z", "2025-12-31T23:30:00Z", zone},
		"east, clock tells":       {"Jan  1 00:30:00", "2025-12-31T23:29:58Z", "2025-12-31T23:30:00Z", zone},
		"five seconds ahead":      {"Jun  3 04:11:09", "2026-06-03T04:11:04Z", "2026-06-03T04:11:09Z", time.UTC},
		"six seconds ahead":       {"Jun  3 04:11:10", "2026-06-03T04:11:04Z", "2026-06-03T04:11:04Z", time.UTC},
		"a clock in 2038":         {"2038-01-19T03:14:07Z", "2026-06-03T04:11:04Z", "2026-06-03T04:11:04Z", time.UTC},
		"summer time skipped":     {"Mar 29 02:30:00", "2026-06-03T04:11:04Z", "2026-03-29T01:30:00Z", zone},
		"clock ahead at new year": {"Jan  1 00:00:01", "2025-12-31T23:59:58Z", "2026-01-01T00:00:01Z", time.UTC},
		"leap day in a month":     {"Feb 29 12:00:00", "2023-12-31T23:59:58Z", "2020-02-29T12:00:00Z", time.UTC},
		"leap day of 2000":        {"Feb 29 12:00:00", "2000-03-01T00:00:00Z", "2000-02-29T12:00:00Z", time.UTC},
		"leap day before 2100":    {"Feb 29 12:00:00", "2100-03-02T00:00:00Z", "2096-02-29T12:00:00Z", time.UTC},
		"no leap day":             {"Feb 28 12:00:00", "2026-03-01T00:00:00Z", "2026-02-28T12:00:00Z", time.UTC},
		"a 29th":                  {"Jan 29 12:00:00", "2026-03-01T00:00:00Z", "2026-01-29T12:00:00Z", time.UTC},
		"explicit old year":       {"2019-06-03T04:11:09Z", "2026-06-03T04:11:04Z", "2019-06-03T04:11:09Z", zone},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			received, err := time.Parse(time.RFC3339, tt.received)
			if err != nil {
				t.Fatal(err)
			}
			line := Line{Text: tt.stamp + " mail postfix/smtpd[1]: x", Received: received, Zone: tt.zone}
			h, _, ok := Split(line)
			if !ok {
				t.Fatal("no header")
			}
			if got := h.Time(line).UTC().Format(time.RFC3339); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A file whose modification time is nonsense does not change a full stamp.
func TestTimeOfAnOddFile(t *testing.T) {
	line := Line{
		Text: "2026-06-03T04:11:09Z mail postfix/smtpd[1]: x", Received: time.Unix(0, 0),
		Read: time.Date(2026, 6, 4, 0, 0, 0, 0, time.UTC), Zone: time.UTC,
	}
	h, _, ok := Split(line)
	if got := h.Time(line).UTC().Format(time.RFC3339); !ok || got != "2026-06-03T04:11:09Z" {
		t.Errorf("got %s", got)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("Jun  3 04:11:09 mail postfix/smtpd[4242]: message repeated 3 times: [ x]")
	f.Add(`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":[1,2]}`)
	f.Add("<22>1 2026-06-03T04:11:09Z mail a 1 - [x y=\"z\"] m")
	f.Add("Wed 2026-06-03 06:11:09 CEST mx a[1]: x")
	f.Add("[ 5001.000000 <    1.000000 >] mx a[1]: x")
	f.Add("\x1e{\"__REALTIME_TIMESTAMP\":\"1\",\"_UID\":\"1000\"}")
	f.Add("a | 2026-06-03T04:11:09Z stdout F Jan  1 00:00:00 mail a: b")
	f.Fuzz(func(t *testing.T, text string) {
		line := Line{Text: text, Received: time.Unix(1780459869, 0), Zone: time.UTC}
		h, _, ok := Split(line)
		if !ok {
			return
		}
		if h.Repeat < 1 {
			t.Errorf("repeat %d, want Repeat at least 1", h.Repeat)
		}
		if at := h.Time(line); at.After(line.Received.Add(clockSkew)) {
			t.Errorf("time %s lies ahead", at)
		}
	})
}
