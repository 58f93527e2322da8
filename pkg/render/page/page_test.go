package page

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
	"csmail/pkg/report/document"
)

var update = flag.Bool("update", false, "write the golden files")

// documentOf makes a report of lines, without an engine that judges.
func documentOf(t testing.TB, lines []string) *document.Document {
	t.Helper()
	figures := daily.NewFigures()
	counting := daily.Options{At: func(time.Time) *daily.Figures { return figures }}
	tracker, logins := daily.NewTracker(counting), daily.NewLogins(counting)
	collector := report.NewCollector(report.Scope{})
	watch := document.NewWatch(func(*event.Event) bool { return true })
	set, err := detect.Load([]string{"balanced"})
	if err != nil {
		t.Fatal(err)
	}
	steps := engine.New(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
	in := document.Input{Generated: time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC), Zone: time.UTC, Hosts: []string{"mx1"}, Lines: int64(len(lines)), Figures: figures, Watch: watch}
	var parser engine.Parser
	for i, text := range lines {
		line := logline.Line{Text: text, Number: int64(i + 1), Zone: time.UTC}
		var r event.Record
		var f event.Flow
		parser.Parse(&line, &r)
		if parser.ParseFlow(&line, &r, &f) {
			logged := r.Logged()
			tracker.Add(&logged, &f)
		}
		if r.Outcome >= event.Witness {
			result := steps.Step(&r)
			collector.Add(&result)
			watch.Add(&result)
			if r.Outcome == event.Noted && !result.Folded {
				logins.Add(&r)
			}
		}
	}
	tracker.Finish()
	in.From, in.To = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 10, 30, 0, 0, time.UTC)
	in.Sources = collector.Sources()
	return document.New(in)
}

// day is a log with a bit of everything.
func day() []string {
	return logOf(`
		09:00:00 postfix/smtpd[1]: connect from a.example[203.0.113.7]
		09:00:01 postfix/smtpd[1]: AAAAAA1: client=a.example[203.0.113.7]
		09:00:01 postfix/qmgr[3]: AAAAAA1: from=<s@a.example>, size=1000, nrcpt=1 (queue active)
		09:00:02 postfix/lmtp[4]: AAAAAA1: to=<bob@example.org>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 saved)
		09:10:02 postfix/smtp[4]: BBBBBB1: to=<x@example.com>, relay=mx.example.com[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, status=bounced (host mx.example.com[198.51.100.1] said: 550 5.7.1 [192.0.2.1] blocked using zen.example.net (in reply to RCPT TO command))
		09:10:03 postfix/smtp[4]: CCCCCC1: to=<y@example.net>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (connect to mx.example.net[198.51.100.2]:25: Connection timed out)
		09:20:00 postfix/smtpd[5]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <z@example.com>: Relay access denied; from=<q@b.example> to=<z@example.com> proto=ESMTP helo=<h>
		09:21:00 dovecot: imap-login: Disconnected (auth failed, 12 attempts in 40 secs): user=<bob@example.org>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.2, TLS, session=<a>
		09:22:00 dovecot: imap-login: Login: user=<bob@example.org>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.2, mpid=7, TLS, session=<b>
		09:23:00 postfix/smtpd[5]: warning: hostname h.example does not resolve to address 203.0.113.9: Name or service not known
		10:30:00 postfix/master[2]: reload -- version 3.7.11, configuration /etc/postfix`)
}

func logOf(short string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(short), "\n") {
		clock, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		lines = append(lines, fmt.Sprintf("2026-11-28T%s+00:00 mx1 %s", clock, rest))
	}
	return lines
}

var formats = map[string]func(w *bytes.Buffer, d *document.Document) error{
	"report.txt":    func(w *bytes.Buffer, d *document.Document) error { return Text(w, d, 10) },
	"report.html":   func(w *bytes.Buffer, d *document.Document) error { return HTML(w, d, 10) },
	"report.csv":    func(w *bytes.Buffer, d *document.Document) error { return CSV(w, d, 0) },
	"report.json":   func(w *bytes.Buffer, d *document.Document) error { return JSON(w, d) },
	"pflogsumm.txt": func(w *bytes.Buffer, d *document.Document) error { return Pflogsumm(w, d, 10) },
}

func TestFormats(t *testing.T) {
	for name, write := range formats {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got, documentOf(t, day())); err != nil {
				t.Fatal(err)
			}
			path := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("%s differs; go test ./pkg/render/page -update shows how. got:\n%s", path, got.String())
			}
		})
	}
}

func TestTextFitsTheScreen(t *testing.T) {
	for _, lines := range [][]string{day(), hostileDay("x"), hostileDay(strings.Repeat("w", 300))} {
		var text bytes.Buffer
		if err := Text(&text, documentOf(t, lines), 0); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(text.String(), "\n") {
			if n := len([]rune(line)); n > width && !strings.HasPrefix(line, "    > ") && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "wwww") {
				t.Errorf("got a line of %d characters, want at most %d: %s", n, width, line)
			}
		}
	}
}

func TestQuietDayIsOneScreen(t *testing.T) {
	var text bytes.Buffer
	var quiet []string
	for i := range 40 { // a small host's day, without anything that is the matter
		quiet = append(quiet, logOf(strings.NewReplacer("HH", fmt.Sprintf("%02d", i/2), "NN", fmt.Sprint(10+i)).Replace(`
			HH:10:00 postfix/smtpd[1]: connect from a.example[203.0.113.7]
			HH:10:01 postfix/smtpd[1]: AAAANN1: client=a.example[203.0.113.7]
			HH:10:01 postfix/qmgr[3]: AAAANN1: from=<sNN@aNN.example>, size=1000, nrcpt=1 (queue active)
			HH:10:02 postfix/lmtp[4]: AAAANN1: to=<bNN@example.org>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 saved)
			HH:10:03 postfix/smtpd[1]: disconnect from a.example[203.0.113.7] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5
			HH:20:00 dovecot: imap-login: Login: user=<bNN@example.org>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.2, mpid=7, TLS, session=<b>`))...)
	}
	if err := Text(&text, documentOf(t, quiet), 10); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(text.String(), "\n"), 24; got > want {
		t.Errorf("got %d lines, want at most %d:\n%s", got, want, text.String())
	}
	head, _, _ := strings.Cut(text.String(), "Grand Totals")
	if got, want := strings.Count(head, "\n"), 8; got > want {
		t.Errorf("got %d lines before the grand totals, want at most %d:\n%s", got, want, head)
	}
	if !strings.Contains(head, "Nothing needs you.") {
		t.Errorf("got %q, want it to say that nothing needs anybody", head)
	}
}

// hostileDay fills each field that a client or a remote server writes.
func hostileDay(text string) []string {
	lines := logOf(strings.ReplaceAll(`
		09:00:00 postfix/smtpd[1]: connect from HOSTILE[203.0.113.7]
		09:00:01 postfix/smtpd[1]: AAAAAA1: client=HOSTILE[203.0.113.7], sasl_method=PLAIN, sasl_username=HOSTILE
		09:00:01 postfix/cleanup[1]: AAAAAA1: message-id=<HOSTILE>
		09:00:01 postfix/qmgr[3]: AAAAAA1: from=<HOSTILE@HOSTILE>, size=1000, nrcpt=1 (queue active)
		09:00:02 postfix/lmtp[4]: AAAAAA1: to=<HOSTILE@HOSTILE>, relay=HOSTILE, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 HOSTILE)
		09:00:02 postfix/smtp[4]: BBBBBB1: to=<HOSTILE>, relay=HOSTILE[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (host h[198.51.100.1] said: 550 HOSTILE blocked using zen)
		09:00:03 postfix/smtp[4]: BBBBBB1: to=<HOSTILE>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (HOSTILE)
		09:20:00 postfix/smtpd[5]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 550 5.1.8 <HOSTILE>: Sender address rejected: HOSTILE; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>
		09:20:00 postfix/smtpd[5]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 550 5.1.1 <HOSTILE>: Recipient address rejected: User unknown; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>
		09:20:01 postfix/cleanup[6]: CCCCCC1: milter-reject: END-OF-MESSAGE from a.example[203.0.113.7]: 5.7.1 HOSTILE; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>
		09:20:02 postfix/smtpd[5]: warning: non-SMTP command from a.example[203.0.113.7]: HOSTILE
		09:20:02 postfix/smtpd[5]: warning: hostname HOSTILE does not resolve to address 203.0.113.9: Name or service not known
		09:20:02 postfix/cleanup[6]: DDDDDD1: reject: header Subject: HOSTILE from HOSTILE[203.0.113.7]; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>: HOSTILE
		09:20:03 postfix/smtpd[5]: fatal: HOSTILE
		09:21:00 dovecot: imap-login: Disconnected (auth failed, 12 attempts in 40 secs): user=<HOSTILE>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.2, TLS, session=<a>
		09:22:00 dovecot: imap-login: Login: user=<HOSTILE>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.2, mpid=7, TLS, session=<b>`, "HOSTILE", text))
	return lines
}

// What clients write comes out inert in each format.
func TestHostileTextIsInert(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `=cmd|'/C calc'!A0`, `+1+1`, `-2+3`, `@SUM(A1)`, "\x1b[31mred\x1b[0m", "a\u202eb", "a\u009bb",
		"a\u2028b", `'; DROP`, "a\tb", `{{.}}`, `</style><style>*{display:none}`, `javascript:alert(1)`, "\xff\xfe", "a\rBcc: evil@example.com", strings.Repeat("A", 2000),
	} {
		d := documentOf(t, hostileDay(text))
		out := map[string]string{}
		for name, write := range formats {
			var b bytes.Buffer
			if err := write(&b, d); err != nil {
				t.Fatalf("%s of %q: %v", name, text, err)
			}
			out[name] = b.String()
		}
		for name, got := range out {
			checkInert(t, name, got, text)
		}
		if subject := Subject(d); strings.ContainsFunc(subject, isUnsafe) {
			t.Errorf("the subject of %q holds control characters: %q", text, subject)
		}
		checkCells(t, out["report.csv"], text)
		var fields map[string]any
		if err := json.Unmarshal([]byte(out["report.json"]), &fields); err != nil {
			t.Errorf("the JSON of %q is broken: %v", text, err)
		}
		if len(out["report.html"]) > 102_400 {
			t.Errorf("the page of %q has %d bytes, want at most 102400", text, len(out["report.html"]))
		}
	}
}

func checkInert(t *testing.T, name, got, text string) {
	t.Helper()
	for _, c := range got {
		if c != '\n' && c != '\ufffd' && isUnsafe(c) {
			t.Errorf("%s of %q holds the character %U", name, text, c)
			break
		}
	}
	if name != "report.html" {
		return
	}
	for _, live := range []string{"<script", "<img", "onerror=alert(1)>", "</style><style>"} {
		if strings.Contains(got, live) {
			t.Errorf("the page of %q holds %q", text, live)
		}
	}
}

func checkCells(t *testing.T, text, of string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Errorf("the CSV of %q is broken: %v", of, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+@\t\r", rune(cell[0])) || strings.HasPrefix(cell, "-") {
				t.Errorf("the CSV of %q has the cell %q, which a spreadsheet runs", of, cell)
			}
		}
	}
}

// On the worst day, with thousands of accounts under attack whose names are as long as a
// line can be, the page is still small enough for a mail program, and no finding hides
// the others.
func TestWorstDayIsSmall(t *testing.T) {
	var lines []string
	for i := range 400 {
		name := fmt.Sprintf("%d-%s", i, strings.Repeat("<&\u202e'\"", 150))
		for source := range 20 {
			lines = append(lines, logOf(fmt.Sprintf(`09:21:00 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 4 secs): user=<%s>, method=PLAIN, rip=203.0.%d.%d, lip=192.0.2.2, TLS, session=<%d-%d>`,
				name, i%250, source, i, source))...)
		}
		lines = append(lines, logOf(fmt.Sprintf(`09:22:00 postfix/smtpd[%d]: NOQUEUE: reject: RCPT from h%d[198.51.100.%d]: 554 5.7.1 <x>: Client host rejected: %s %d; from=<%s@a%d> to=<x@y> proto=ESMTP helo=<h>`,
			i, i, i%250, strings.Repeat("reason ", 30), i, name[:60], i))...)
	}
	lines = append(lines, logOf(`09:59:00 postfix/master[2]: reload -- version 3.7.11, configuration /etc/postfix`)...)
	d := documentOf(t, lines)
	if len(d.Findings) < 100 {
		t.Fatalf("there are only %d findings, so this is no test", len(d.Findings))
	}
	for _, top := range []int{10, 0} {
		var html, text bytes.Buffer
		if err := HTML(&html, d, top); err != nil {
			t.Fatal(err)
		}
		if html.Len() > maxHTML {
			t.Errorf("--top %d: the page has %d bytes, want at most %d", top, html.Len(), maxHTML)
		}
		if err := Text(&text, d, top); err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{html.String(), text.String()} {
			if !strings.Contains(out, "more like these (account-under-attack)") || !strings.Contains(out, "Postfix was started, stopped or reloaded") {
				t.Errorf("--top %d: the accounts under attack hide the rest of the day", top)
			}
		}
	}
}

func TestGroupsOfNeighbours(t *testing.T) {
	var v document.Verdicts
	for i := range 5 {
		addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
		v.List = append(v.List, document.Verdict{Value: addr.String(), Network: "203.0.113.0/24", Message: "m", Scenario: "csmail/" + []string{"spambot", "auth-bf"}[min(i, 1)], StopAt: time.Unix(int64(i), 0)})
	}
	v.List = append(v.List, document.Verdict{Value: "198.51.100.1", Network: "198.51.100.0/24", Message: "m"})
	got := groups(v)
	if len(got) != 2 || got[0].name != "203.0.113.0/24" || got[0].what != "5 addresses, most by auth-bf" || got[1].name != "198.51.100.1" {
		t.Errorf("got %+v, want one row of five neighbours and one address", got)
	}
}

// The numbers are what pflogsumm 1.1.5 writes.
func TestNumbersArePflogsumms(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "  0.0 s", 59.9: " 59.9 s", 60: " 60.0 s", 89.9: "  1.5 m", 3600: " 60.0 m", 5400: "  1.5 h", 129600: " 36.0 h", 431999: "120.0 h",
	} {
		if got := delay(seconds); got != want {
			t.Errorf("a delay of %v seconds is %q, want %q", seconds, got, want)
		}
	}
	for n, want := range map[int64]string{524288: "524288 ", 524289: "   512k", 536870912: "524288k", 536870913: "   512m"} {
		if got := scaled(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "", 306: "  (306  deferrals)", 600000: "  (585k deferrals)"} {
		if got := (&printer{alone: true}).deferrals(n); got != want {
			t.Errorf("%d deferrals are %q, want %q", n, got, want)
		}
	}
	d := document.Document{Delivered: 9304, Rejected: 696, RejectedPercent: 7}
	if got := percentOfAll(&d, d.Rejected); got != 6 {
		t.Errorf("696 of 10000 are %d %%, want 6", got)
	}
	if got := percentOfAll(&document.Document{}, 0); got != 0 {
		t.Errorf("nothing of nothing is %d %%, want 0", got)
	}
}
