package cli

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostileTexts are the worst that a client can write.
var hostileTexts = map[string]string{
	"tags":              `<script>alert(1)</script></style></main><style>*{display:none}</style>'><img src=x onerror=alert(1)>`,
	"an attribute":      `" onmouseover="alert(1)" x="javascript:alert(1)//http://evil.example/`,
	"a template":        `{{.Lines}}{{define "x"}}&lt;script&gt;&#60;b&#62;`,
	"a formula":         `=cmd|'/C calc'!A0`,
	"plus":              `+1+cmd|' /C calc'!A0`,
	"minus":             `-2+3+cmd|' /C calc'!A0`,
	"at":                `@SUM(1+1)*cmd|' /C calc'!A0`,
	"a tab before":      "\t=1+1",
	"controls":          "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J\u009b31m\u0085x\u0090a\x00b\x7fc",
	"a new header":      "a\rBcc: evil@example.com\r\rbody" + `\r\nBcc: evil@example.com\r\n\r\nbody` + "\u2028Bcc: evil@example.com\u2029",
	"an encoded word":   `=?utf-8?q?=0D=0ABcc:_evil@example.com?=`,
	"other directions":  "\u202egnp.exe\u2066x\u200fa\u200bb\ufeffc\u00adx\U000e0041",
	"no UTF-8":          "\xff\xfe\xed\xa0\x80\xc0\xaf\xf0\x9f",
	"a command":         "$(>pwned)`>pwned`",
	"the end of a word": `';>pwned;'";>pwned;"`,
	"an option":         `--version%s%n%d`,
	"other fields":      `a>: b>, relay=x, status=sent (250 ok) <c`,
	"100 KB":            strings.Repeat("<&\"'=A ", 15_000),
	"100 KB in a word":  strings.Repeat("w", 100_000),
	"100 KB unseen":     strings.Repeat("\u202e\x1b", 25_000),
}

// hostileLines fill each field that a client or another server writes with a text.
func hostileLines(text string) string {
	return strings.ReplaceAll(`09:00:00 mx1 postfix/smtpd[1]: connect from HOSTILE[203.0.113.7]
09:00:01 mx1 postfix/smtpd[1]: AAAAAA1: client=HOSTILE[203.0.113.7], sasl_method=HOSTILE, sasl_username=HOSTILE
09:00:01 mx1 postfix/cleanup[1]: AAAAAA1: message-id=<HOSTILE>
09:00:01 mx1 postfix/cleanup[1]: AAAAAA1: warning: header Subject: HOSTILE from HOSTILE[203.0.113.7]; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>: HOSTILE
09:00:01 mx1 postfix/qmgr[3]: AAAAAA1: from=<HOSTILE>, size=1000, nrcpt=1 (queue active)
09:00:02 mx1 postfix/lmtp[4]: AAAAAA1: to=<HOSTILE>, orig_to=<HOSTILE>, relay=HOSTILE, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 HOSTILE)
09:00:02 mx1 postfix/smtp[4]: AAAAAA1: to=<HOSTILE>, relay=HOSTILE[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (host h[198.51.100.1] said: 550 HOSTILE blocked using zen)
09:00:03 mx1 postfix/smtp[4]: AAAAAA1: to=<HOSTILE>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (HOSTILE)
09:00:04 mx1 postfix/smtpd[1]: disconnect from HOSTILE[203.0.113.7] ehlo=1 quit=1 commands=2
09:20:00 mx1 postfix/smtpd[5]: NOQUEUE: reject: RCPT from HOSTILE[203.0.113.9]: 550 5.1.8 <HOSTILE>: Sender address rejected: HOSTILE; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>
09:20:00 mx1 postfix/smtpd[5]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 550 5.1.1 <HOSTILE>: Recipient address rejected: User unknown; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>
09:20:00 mx1 postfix/smtpd[5]: NOQUEUE: reject: HELO from unknown[203.0.113.9]: 504 5.5.2 <HOSTILE>: Helo command rejected: HOSTILE; proto=SMTP helo=<HOSTILE>
09:20:00 mx1 postfix/smtpd[5]: NOQUEUE: hold: RCPT from unknown[203.0.113.9]: <HOSTILE>: Sender address HOSTILE; from=<HOSTILE> to=<HOSTILE> proto=SMTP helo=<HOSTILE>
09:20:00 mx1 postfix/smtpd[5]: NOQUEUE: discard: RCPT from unknown[203.0.113.9]: <HOSTILE>: Sender address HOSTILE; from=<HOSTILE> to=<HOSTILE> proto=SMTP helo=<HOSTILE>
09:20:01 mx1 postfix/cleanup[6]: CCCCCC1: milter-reject: END-OF-MESSAGE from HOSTILE[203.0.113.7]: 5.7.1 HOSTILE; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>
09:20:02 mx1 postfix/cleanup[6]: DDDDDD1: reject: header Subject: HOSTILE from HOSTILE[203.0.113.7]; from=<HOSTILE> to=<HOSTILE> proto=ESMTP helo=<HOSTILE>: HOSTILE
09:20:02 mx1 postfix/smtpd[5]: warning: non-SMTP command from HOSTILE[203.0.113.7]: HOSTILE
09:20:02 mx1 postfix/smtpd[5]: warning: HOSTILE[203.0.113.9]: SASL LOGIN authentication failed: HOSTILE, sasl_username=HOSTILE
09:20:02 mx1 postfix/smtpd[5]: warning: hostname HOSTILE does not resolve to address 203.0.113.9: Name or service not known
09:20:02 mx1 postfix/postscreen[8]: NON-SMTP COMMAND from [203.0.113.9]:4711 after CONNECT: HOSTILE
09:20:02 mx1 postfix/postscreen[8]: PREGREET 9 after 0.1 from [203.0.113.9]:4711: HOSTILE
09:20:02 mx1 postfix/postscreen[8]: warning: dnsblog reply timeout 10s for HOSTILE
09:20:02 mx1 postfix/postscreen[8]: warning: dnsblog reply timeout 10s for HOSTILE
09:20:02 mx1 postfix/postscreen[8]: warning: dnsblog reply timeout 10s for HOSTILE
09:20:03 mx1 postfix/smtpd[5]: error: HOSTILE
09:20:03 mx1 postfix/smtpd[5]: fatal: HOSTILE
09:20:03 mx1 postfix/smtpd[5]: panic: HOSTILE
09:20:03 mx1 postfix/master[2]: warning: process HOSTILE
09:20:03 mx1 postfix/master[2]: reload -- version HOSTILE, configuration /etc/postfix
09:20:03 mx1 postfix/smtpd[5]: Anonymous TLS connection established from HOSTILE[203.0.113.7]: HOSTILE with cipher HOSTILE (256/256 bits)
09:20:04 mx1 sshd[9]: Failed password for invalid user HOSTILE from 203.0.113.44 port 22 ssh2
09:21:00 mx1 dovecot: imap-login: Disconnected (auth failed, 12 attempts in 40 secs): user=<HOSTILE>, method=HOSTILE, rip=203.0.113.99, lip=192.0.2.2, TLS, session=<a>
09:22:00 mx1 dovecot: imap-login: Login: user=<HOSTILE>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.2, mpid=7, TLS, session=<b>
09:22:01 mx1 dovecot: auth: Error: sql(HOSTILE,203.0.113.9): HOSTILE
`+attackOn("HOSTILE"), "HOSTILE", text)
}

// attackOn are failures of many addresses on one account.
func attackOn(user string) string {
	var b strings.Builder
	for i := range 25 {
		fmt.Fprintf(&b, "09:30:%02d mx1 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 4 secs): user=<%s>, method=PLAIN, rip=198.51.100.%d, lip=192.0.2.2, TLS, session=<s%d>\n", i, user, i+1, i)
	}
	return b.String()
}

// What clients write into a log comes out inert of csmail report in each of its forms, and
// in its mail.
func TestReportOfHostileLog(t *testing.T) {
	dir := t.TempDir()
	log, box := filepath.Join(dir, "mail.log"), filepath.Join(dir, "box")
	write(t, filepath.Join(dir, "sendmail"), "#!/bin/sh\nprintf '%s\\n' \"$@\" >"+box+".args\ncat >"+box+"\n")
	if err := os.Chmod(filepath.Join(dir, "sendmail"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		all := append([]string{"report", "-q", "--timezone", "UTC"}, append(args, log)...)
		if status := Main(t.Context(), all, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 || errs.Len() > 0 {
			t.Fatalf("%q: status %d: %q", args, status, errs.String())
		}
		return out.String()
	}
	write(t, log, stamped(hostileLines("plain")))
	tags := tagsOf(run("-o", "html"))
	for name, text := range hostileTexts {
		if testing.Short() && !slices.Contains([]string{"tags", "a formula", "an encoded word", "the end of a word", "a new header"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			write(t, log, stamped(hostileLines(text)))
			checkCharacters(t, "pflogsumm", run("--pflogsumm", "--top", "0"))
			checkPage(t, run("-o", "html", "--top", "0"), tags)
			checkTable(t, run("-o", "csv"))
			checkAdvice(t, run("-o", "json"))
			run("--from", "csmail@mx1.example.org", "--mail", "admin@example.org", "--sendmail", filepath.Join(dir, "sendmail"))
			checkMail(t, box, tags)
		})
	}
}

// stamped gives lines their day.
func stamped(lines string) string {
	return regexp.MustCompile(`(?m)^(\d\d:\d\d:\d\d) `).ReplaceAllString(lines, "2026-11-28T$1+00:00 ")
}

// checkCharacters wants nothing that a terminal or a browser acts on.
func checkCharacters(t *testing.T, form, got string) {
	t.Helper()
	if len(got) < 500 {
		t.Errorf("%s: got %d bytes, so this is no test", form, len(got))
	}
	if !utf8.ValidString(got) {
		t.Errorf("%s is no UTF-8", form)
	}
	for _, c := range got {
		if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == '\u2028' || c == '\u2029') {
			t.Errorf("%s holds the character %U", form, c)
			return
		}
	}
}

var tag = regexp.MustCompile(`<[^>]*>?`)

// tagsOf returns the tags of a page, without the numbers of its charts.
func tagsOf(page string) []string {
	var all []string
	for _, one := range tag.FindAllString(page, -1) {
		all = append(all, regexp.MustCompile(`\d+`).ReplaceAllString(one, "0"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// checkPage wants no tag that the page of a harmless log has not.
func checkPage(t *testing.T, got string, tags []string) {
	t.Helper()
	checkCharacters(t, "the page", got)
	for _, one := range tagsOf(got) {
		if !slices.Contains(tags, one) {
			t.Errorf("the page holds the tag %q", one)
		}
	}
	if len(got) > 100_000 {
		t.Errorf("the page has %d bytes, want at most 100000", len(got))
	}
}

// checkTable wants no cell that a spreadsheet runs.
func checkTable(t *testing.T, got string) {
	t.Helper()
	checkCharacters(t, "CSV", got)
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil {
		t.Errorf("CSV: %v", err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+@-\t\r", rune(cell[0])) {
				t.Errorf("CSV holds the cell %q", cell)
			}
		}
	}
}

// checkAdvice runs what the report advises, where none of its commands exists: what a
// client wrote is a word of the command and nothing else.
func checkAdvice(t *testing.T, got string) {
	t.Helper()
	checkCharacters(t, "JSON", got)
	var doc struct {
		Findings []struct{ ID, Title, Detail, Advice string }
	}
	if err := json.Unmarshal([]byte(got), &doc); err != nil || len(doc.Findings) < 5 {
		t.Fatalf("JSON: %v, %d findings", err, len(doc.Findings))
	}
	dir := t.TempDir()
	for _, f := range doc.Findings {
		if f.Advice == "" || f.Detail == "" {
			t.Errorf("%s does not say what to do", f.ID)
		}
		cmd := exec.Command("/bin/sh", "-c", f.Advice)
		if len(f.Advice) > 100_000 { // longer than an argument may be
			cmd = exec.Command("/bin/sh")
			cmd.Stdin = strings.NewReader(f.Advice + "\n")
		}
		cmd.Dir, cmd.Env = dir, []string{"PATH=/nonexistent"}
		out, _ := cmd.CombinedOutput()
		if strings.Contains(string(out), "yntax error") || strings.Contains(string(out), "nterminated") {
			t.Errorf("%s: the command %q is none: %s", f.ID, clipped(f.Advice), out)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Fatalf("%s: the command %q runs what the client wrote", f.ID, clipped(f.Advice))
		}
	}
}

func clipped(text string) string { return text[:min(len(text), 300)] }

// checkMail wants the headers and the two texts of a report, and no more.
func checkMail(t *testing.T, box string, tags []string) {
	t.Helper()
	args, err := os.ReadFile(box + ".args")
	if err != nil || string(args) != "-i\n-f\ncsmail@mx1.example.org\n--\nadmin@example.org\n" {
		t.Errorf("sendmail got the arguments %q, %v", args, err)
	}
	raw, err := os.ReadFile(box)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if len(line) > 998 || strings.ContainsFunc(strings.TrimSuffix(line, "\r"), func(c rune) bool { return c > 126 || c < 32 && c != '\t' }) {
			t.Errorf("the mail has the line %q", clipped(line))
		}
	}
	message, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for header := range message.Header {
		if !slices.Contains([]string{"Auto-Submitted", "Content-Type", "Date", "From", "List-Id", "Message-Id", "Mime-Version", "Subject", "To"}, header) {
			t.Errorf("the mail has the header %q", header)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "mx1: ") || len([]rune(subject)) > 200 {
		t.Errorf("got the subject %q, %v", subject, err)
	}
	checkCharacters(t, "the subject", subject+strings.Repeat(" ", 500))
	checkParts(t, message, tags)
}

func checkParts(t *testing.T, message *mail.Message, tags []string) {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	var bodies []string
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(base64Of(part))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	if len(bodies) != 2 {
		t.Fatalf("the mail has %d parts, want 2", len(bodies))
	}
	checkCharacters(t, "the mail's text", bodies[0])
	checkPage(t, bodies[1], tags)
}

func base64Of(r io.Reader) io.Reader { return base64.NewDecoder(base64.StdEncoding, r) }
