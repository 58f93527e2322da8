package logline

import (
	"strings"
	"testing"
	"time"
)

// headerOf is what a test expects of a header.
type headerOf struct {
	host, program string
	pid           int
	message       string
}

func checkHeaders(t *testing.T, tests map[string]headerOf) {
	t.Helper()
	for text, want := range tests {
		h, message, ok := Split(Line{Text: text, Zone: time.UTC})
		if got := (headerOf{h.Host, h.Program, h.PID, message}); !ok || got != want {
			t.Errorf("%q: %t, %+v, want %+v", text, ok, got, want)
		}
	}
}

// A level (busybox, socklog) is a facility and a severity that syslog has, or it is
// a host.
func TestLevels(t *testing.T) {
	tests := map[string]headerOf{
		"Jun  3 04:11:09 ftp.info a[1]: x":         {"ftp.info", "a", 1, "x"},
		"Jun  3 04:11:09 mail.example a[1]: x":     {"mail.example", "a", 1, "x"},
		"Jun  3 04:11:09 auth a[1]: x":             {"auth", "a", 1, "x"},
		"Jun  3 04:11:09 mx1 mail.example a[1]: x": {"mx1", "", 0, "mail.example a[1]: x"},
		"Jun  3 04:11:09 mx1 mail.info":            {"mx1", "", 0, "mail.info"},
	}
	for facility := range strings.FieldsSeq("mail auth authpriv daemon") {
		for severity := range strings.FieldsSeq("emerg alert crit err error warn warning notice info debug") {
			level := facility + "." + severity
			tests["Jun  3 04:11:09 "+level+" a[1]: x"] = headerOf{"", "a", 1, "x"}
			tests["Jun  3 04:11:09 mx1 "+level+" a[1]: x"] = headerOf{"mx1", "a", 1, "x"}
			tests["2026-06-03T04:11:09Z "+level+": a[1]: x"] = headerOf{"", "a", 1, "x"}
		}
	}
	checkHeaders(t, tests)
}

// Templates write the level in brackets, or leave the priority in front of the tag.
func TestBracketedLevels(t *testing.T) {
	checkHeaders(t, map[string]headerOf{
		"2026-06-03T04:11:09Z [INFO] a/b[1]: x":            {"", "a/b", 1, "x"},
		"2026-06-03T04:11:09Z [warning] mx1 a/b[1]: x":     {"mx1", "a/b", 1, "x"},
		"2026-06-03T04:11:09Z mx1 [mail.info] a/b[1]: x":   {"mx1", "a/b", 1, "x"},
		"2026-06-03T04:11:09Z mx1 [info]  a/b[1]: x":       {"mx1", "a/b", 1, "x"},
		"Jun  3 04:11:09 mx1 <mail.notice> a/b[1]: x":      {"mx1", "a/b", 1, "x"},
		"Jun  3 04:11:09 mx1 <err> dovecot: x":             {"mx1", "dovecot", 0, "x"},
		"Jun  3 04:11:09 mx1 <22>dovecot: x":               {"mx1", "dovecot", 0, "x"},
		"Jun  3 04:11:09 mx1 <22>a/b[1]: x":                {"mx1", "a/b", 1, "x"},
		"Jun  3 04:11:09 mx1 <22x>dovecot: x":              {"mx1", "<22x>dovecot", 0, "x"},
		"Jun  3 04:11:09 mx1 [info] no tag here":           {"mx1", "", 0, "[info] no tag here"},
		"Jun  3 04:11:09 mx1 [inform] a[1]: x":             {"mx1", "", 0, "[inform] a[1]: x"},
		"Jun  3 04:11:09 mx1 [info> a[1]: x":               {"mx1", "", 0, "[info> a[1]: x"},
		"Jun  3 04:11:09 [postfix/smtpd] connect from x":   {"", "postfix/smtpd", 0, "connect from x"},
		"Jun  3 04:11:09 mx1 app[7]: [info] a/b[1]: x":     {"mx1", "app", 7, "[info] a/b[1]: x"},
		"2026-06-03T04:11:09Z mx1 app: <22>dovecot: login": {"mx1", "app", 0, "<22>dovecot: login"},
	})
}

// Each process of Dovecot's begins the lines of Dovecot's own log file.
func TestDovecotProcesses(t *testing.T) {
	tests := map[string]headerOf{
		"Jun 03 04:11:09 imapd: Info: x":      {"", "imapd", 0, "Info: x"},
		"Jun 03 04:11:09 (systemd): x y":      {"", "(systemd)", 0, "x y"},
		"Jun 03 04:11:09 (imap) a[1]: x":      {"(imap)", "a", 1, "x"},
		"Jun 03 04:11:09 Warning: imap: x":    {"", "dovecot", 0, "Warning: imap: x"},
		"Jun 03 04:11:09 Fatal: master: x":    {"", "dovecot", 0, "Fatal: master: x"},
		"Jun 03 04:11:09 Panic: imap(u): x":   {"", "dovecot", 0, "Panic: imap(u): x"},
		"Jun 03 04:11:09 Debug: auth: x":      {"", "dovecot", 0, "auth: x"},
		"Jun 03 04:11:09 Notice: auth: x":     {"", "Notice", 0, "auth: x"},
		"Jun  3 04:11:09 2001:db8::1 a[1]: x": {"2001:db8::1", "a", 1, "x"},
	}
	for process := range strings.FieldsSeq(`imap-login pop3-login submission-login managesieve-login auth-worker auth imap-hibernate imap-urlauth
		imap pop3 submission managesieve lmtp lda master anvil stats config log doveadm dict indexer-worker indexer replicator`) {
		for _, form := range []string{process + ": Info: x", process + "(u)<7><s>: Info: x"} {
			tests["Jun 03 04:11:09 "+form] = headerOf{"", "dovecot", 0, form}
		}
	}
	checkHeaders(t, tests)
}

// What has a header in an odd form has one all the same.
func TestOddHeaders(t *testing.T) {
	checkHeaders(t, map[string]headerOf{
		"<191>Jun  3 04:11:09 mail a[1]: x":                                                                  {"mail", "a", 1, "x"},
		"1 2026-06-03T04:11:09Z - a - - - x":                                                                 {"", "a", 0, "x"},
		"1 2026-06-03T04:11:09Z mail - 7 - - x":                                                              {"mail", "", 7, "x"},
		"1 2026-06-03T04:11:09Z mail a 7 - [b c=\"d\"]":                                                      {"mail", "a", 7, ""},
		"1 2026-06-03T04:11:09Z mail a 7 - -":                                                                {"mail", "a", 7, ""},
		"<0>Jun  3 04:11:09 mail a[1]: x":                                                                    {"mail", "a", 1, "x"},
		"Jun  3 04:11:09 mail a[1: x":                                                                        {"mail", "", 0, "a[1: x"},
		"Jun  3 04:11:09 mail [1]: x":                                                                        {"mail", "", 0, "[1]: x"},
		"Jun  3 04:11:09 mail : x":                                                                           {"mail", "", 0, ": x"},
		"Jun  3 04:11:09 mail  x":                                                                            {"mail", "", 0, " x"},
		"Jun  3 04:11:09 mail a[1]:":                                                                         {"mail", "a", 1, ""},
		"Jun  3 04:11:09 mail a[1]: [ID 197553 mail.info":                                                    {"mail", "a", 1, "[ID 197553 mail.info"},
		"2026-06-03T04:11:09Z stderr F Jan  1 00:00:00 mail a[1]: x":                                         {"mail", "a", 1, "x"},
		"2026-06-03T04:11:09Z 2026-01-01T00:00:00Z mail a[1]: x":                                             {"mail", "a", 1, "x"},
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":[104,256]}`:                                    {"", "", 0, ""},
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":[104,255]}`:                                    {"", "", 0, "h\xff"},
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":[104,x]}`:                                      {"", "", 0, ""},
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":[ 104 , 105 ]}`:                                {"", "", 0, "hi"},
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"a\u00e9\\"}`:                                  {"", "", 0, `aé\`},
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"a\x"}`:                                        {"", "", 0, ""},
		`{"__REALTIME_TIMESTAMP":1780459869000000,"_PID":7,"MESSAGE":"x"}`:                                   {"", "", 7, "x"},
		`{"_PID":7,"__REALTIME_TIMESTAMP":1780459869000000}`:                                                 {"", "", 7, ""},
		"{\"__REALTIME_TIMESTAMP\":\"1780459869000000\",\"MESSAGE\":\"x\"} \t\n":                             {"", "", 0, "x"},
		`{"A":{"b":["}",{"c":"\""}]},"B":[{"d":1}],"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"x"}`: {"", "", 0, "x"},
		`{"log":"Jun  3 04:11:09 mail a[1]: x\r\n","stream":"stdout"}`:                                       {"mail", "a", 1, "x"},
	})
}

// Half a header is none, and half an object is none: a line may have been cut.
func TestAlmostHeaders(t *testing.T) {
	const stamp = `"__REALTIME_TIMESTAMP":"1780459869000000"`
	for _, text := range []string{
		"(22>Jun  3 04:11:09 mail a[1]: x", "<>Jun  3 04:11:09 mail a[1]: x", "<22Jun  3 04:11:09 mail a[1]: x", "<2222>Jun  3 04:11:09 mail a[1]: x",
		"Jun  3 04:11:09xmail a[1]: x", "Jun  3 04:11:09.", "Jun 3 04:11:09.5", "Jun  3 04x11:09 mail a[1]: x", "Jun  3 04:11x09 mail a[1]: x",
		"Jun  3 x4:11:09 mail a[1]: x", "Jun  3 04:x1:09 mail a[1]: x", "Jun  3 04:11:x9 mail a[1]: x", "Jun 31 04:11:09 mail a[1]: x",
		"Junx 3 04:11:09 mail a[1]: x", "Jun 3004:11:09 mail a[1]: x", "Feb 30 04:11:09 mail a[1]: x", "Jun  3 04:11:61 mail a[1]: x",
		"Jun  3 04:11:09.x mail a[1]: x", "Jun  3 04:11:09 mail", "Jun  3 04:11:09 <mail.info a: x", "Jun  3 04:11:09 [] x",
		"Jun  3 04:11:09 [a]x", "Jun  3 04:11:09 : x",
		"2026-06-03T04:11", "2026-06-03T04:11:09", "2026-06-03T04:11:09+02", "2026-06-03T04:11:09Z", "2026-06-03T04:11:09+02:0",
		"2026-06-03x04:11:09 mail a[1]: x", "2026-06x03T04:11:09 mail a[1]: x", "2026-00-03T04:11:09 mail a[1]: x", "2026-06-00T04:11:09 mail a[1]: x",
		"2026-04-31T04:11:09 mail a[1]: x", "0000-06-03T04:11:09 mail a[1]: x", "202x-06-03T04:11:09 mail a[1]: x", "2026-x6-03T04:11:09 mail a[1]: x",
		"2026-06-x3T04:11:09 mail a[1]: x", "2026-06-03T04:11:09+0x00 mail a[1]: x", "2026-06-03T04:11:09+x0:00 mail a[1]: x", "2026-06-03T04:11:09Zx mail a[1]: x",
		"2026-06-03T04:11:09*02:00 mail a[1]: x",
		"a b | Jun  3 04:11:09 mail a[1]: x", " | Jun  3 04:11:09 mail a[1]: x", strings.Repeat("a", 130) + " | Jun  3 04:11:09 mail a[1]: x",
		"1 2026-06-03T04:11:09Z mail a 1 - x", "1 2026-06-03T04:11:09Z mail a 1 - [x]y", "1 2026-06-03T04:11:09Z mail a 1",
		"1 Foo mail a 1 - - x", "<22>1 x", "2 2026-06-03T04:11:09Z mail a 1 - - x", `1 2026-06-03T04:11:09Z mail a 1 - [x y="\`,
		"{" + stamp + `,"MESSAGE":"x"`, "{" + stamp + `,"MESSAGE":"x"]`, "{" + stamp + `"MESSAGE":"x"}`, "{" + stamp + `,"MESSAGE":"x}`, "{" + stamp + `,"MESSAGE":}`,
		"{" + stamp + `,"MESSAGE" "x"}`, "{" + stamp + `,"MESSAGE"}`, "{" + stamp + `,MESSAGE:"x"}`, "{" + stamp + `,"MESSAGE":["x}`, "{" + stamp + `,"MESSAGE":[1}`,
		"{" + stamp + `,"MESSAGE":{"a":"}`, "{" + stamp + `,x:"y"}`, "{", "}", `{"__REALTIME_TIMESTAMP":"17804598690000000000","MESSAGE":"x"}`,
		`{"log":"x","time":"2026-06-03T04:11:09Z"}`, `{"log":"","time":"2026-06-03T04:11:09Z"}`, "[" + stamp + `}`,
	} {
		if h, message, ok := Split(Line{Text: text, Zone: time.UTC}); ok {
			t.Errorf("%q: got host %q, program %q, message %q", text, h.Host, h.Program, message)
		}
	}
}

// rsyslog's repetition stands in a wrapped line as well.
func TestWrappedRepeat(t *testing.T) {
	const said = "message repeated 3 times: [ abc]"
	for text, want := range map[string]int{
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"` + said + `"}`: 3,
		`{"__REALTIME_TIMESTAMP":"1780459869000000","MESSAGE":"abc"}`:          1,
		`{"log":"Jun  3 04:11:09 mail a[1]: ` + said + `\n"}`:                  3,
		"2026-06-03T04:11:09Z stdout F Jun  3 04:11:09 mail a[1]: " + said:     3,
		"mail-1  | Jun  3 04:11:09 mail a[1]: " + said:                         3,
		"1 2026-06-03T04:11:09Z mail a 1 - - " + said:                          3,
	} {
		if h, message, ok := Split(Line{Text: text, Zone: time.UTC}); !ok || message != "abc" || h.Repeat != want {
			t.Errorf("%q: %t, %d times %q, want ok true, message \"abc\", Repeat %d", text, ok, h.Repeat, message, want)
		}
	}
	for _, message := range []string{"3 times: [ abc]", "message repeated 1234567890 times: [ abc]", "message repeated  times: [ abc]", "message repeated 3 [ abc]"} {
		h, got, ok := Split(Line{Text: "Jun  3 04:11:09 mail a[1]: " + message, Zone: time.UTC})
		if !ok || h.Repeat != 1 || got != message {
			t.Errorf("%q: %t, %d times %q", message, ok, h.Repeat, got)
		}
	}
}

// A stamp in whatever form is the same moment.
func TestStamps(t *testing.T) {
	for text, want := range map[string]string{
		"2026-06-02T23:11:09-05:00 mail a: x":                                       "2026-06-03T04:11:09Z",
		"2026-06-02T22:41:09-0530 mail a: x":                                        "2026-06-03T04:11:09Z",
		"2026-06-03T09:41:09+05:30 mail a: x":                                       "2026-06-03T04:11:09Z",
		"2026-06-03T04:11:09.1234567891Z mail a: x":                                 "2026-06-03T04:11:09.123456789Z",
		"2026-06-03T04:11:09.000000001Z mail a: x":                                  "2026-06-03T04:11:09.000000001Z",
		"2026-06-03T10:10:09+05:59 mail a: x":                                       "2026-06-03T04:11:09Z",
		"@400000006a1fa9673b9ac9ff a: x":                                            "2026-06-03T04:11:09.999999Z",
		"2026-06-03T04:11:60Z mail a: x":                                            "2026-06-03T04:12:00Z",
		"2026-12-31T00:00:00Z mail a: x":                                            "2026-12-31T00:00:00Z",
		"2026-01-01T23:59:59Z mail a: x":                                            "2026-01-01T23:59:59Z",
		`{"log":"Jan  1 00:00:00 mail a: x\n","time":"2026-06-03T04:11:09.5Z"}`:     "2026-06-03T04:11:09.5Z",
		`{"log":"2026-06-03T04:11:09Z mail a: x\n","time":"x"}`:                     "2026-06-03T04:11:09Z",
		`{"__REALTIME_TIMESTAMP":"1780459869123456","MESSAGE":"x"}`:                 "2026-06-03T04:11:09.123456Z",
		"2026-06-03T04:11:09.5Z 2026-01-01T00:00:00Z mail a[1]: x":                  "2026-06-03T04:11:09.5Z",
		"2026-06-03T04:11:09.5Z stderr F 2026-01-01T00:00:00Z mail postfix/a[1]: x": "2026-06-03T04:11:09.5Z",
	} {
		line := Line{Text: text, Zone: time.UTC}
		h, _, ok := Split(line)
		if got := h.Time(line).UTC().Format(time.RFC3339Nano); !ok || got != want {
			t.Errorf("%q: %t, %s, want %s", text, ok, got, want)
		}
	}
	for i, month := range strings.Fields("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec") {
		line := Line{Text: month + " 28 04:11:09 mail a: x", Zone: time.UTC, Received: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}
		h, _, ok := Split(line)
		if got := h.Time(line); !ok || !got.Equal(time.Date(2026, time.Month(i+1), 28, 4, 11, 9, 0, time.UTC)) {
			t.Errorf("%s: got %t, %s, want ok true, %s", month, ok, got, time.Date(2026, time.Month(i+1), 28, 4, 11, 9, 0, time.UTC))
		}
		last := time.Date(2024, time.Month(i+2), 0, 0, 0, 0, 0, time.UTC).Day()
		for day, want := range map[int]bool{last: true, last + 1: false} {
			text := month + " " + time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day-1).Format("02")
			if day == 32 {
				text = month + " 32"
			}
			if _, _, ok := Split(Line{Text: text + " 04:11:09 mail a: x", Zone: time.UTC}); ok != want {
				t.Errorf("%s: got %t, want %t", text, ok, want)
			}
		}
	}
}

// Templates of rsyslog and syslog-ng write stamps with a year or with a comma.
func TestStampsOfTemplates(t *testing.T) {
	want := time.Date(2019, 6, 3, 4, 11, 9, 500_000_000, time.UTC)
	for _, stamp := range []string{
		"Jun  3 2019 04:11:09.5", "Jun 03 2019 04:11:09.5", "Jun 3 2019 04:11:09.5", "2019 Jun  3 04:11:09.5",
		"2019-06-03 04:11:09,5", "2019-06-03T04:11:09,500Z", "2019-06-03 06:11:09,5+02:00",
	} {
		line := Line{Text: stamp + " mx a[1]: x", Zone: time.UTC}
		h, message, ok := Split(line)
		if got := h.Time(line); !ok || !got.Equal(want) || h.Host != "mx" || h.PID != 1 || message != "x" {
			t.Errorf("%q: got %t, %s, %+v, %q, want %s of mx", stamp, ok, got, h, message, want)
		}
	}
	for _, text := range []string{
		"Jun  3 0000 04:11:09 mx a: x", "Jun  3 20196 04:11:09 mx a: x", "Jun  3 2019 04:11:0", "Jun  3 2019 04:11:09", "2019 Jun  3 04:11",
		"2019 Jun 33 04:11:09 mx a: x", "20 9 Jun  3 04:11:09 mx a: x", "2019-06-03 04:11:09, mx a: x,",
	} {
		if h, message, ok := Split(Line{Text: text, Zone: time.UTC}); ok && h.Program != "" {
			t.Errorf("%q: got %+v, %q, want no header", text, h, message)
		}
	}
}
