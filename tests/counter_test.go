package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/cli"
)

// counter counts the grand totals of a log in another way than pkg/report/daily does: it
// reads the whole log into lists of what happened to each queue file, and only then
// counts. It shares no code with the product, so a mistake would have to be made twice.
type counter struct {
	totals     map[string]int
	files      map[string][]*queueFile // by host and ID, the latest last
	clients    map[string]bool
	screened   map[string]bool
	rejected   map[string]bool
	senders    map[string]bool
	recipients map[string]bool
	deferred   map[*queueFile]bool
	heldBy     map[string]bool // processes whose next mail was held without a queue ID
}

// queueFile is one queue file with what became of it.
type queueFile struct {
	born       time.Time
	wasBorn    bool
	fromSMTPD  bool
	sender     string
	size       int
	isSized    bool
	isHeld     bool
	parent     *queueFile
	deliveries []handed
}

type handed struct {
	at        time.Time
	delay     time.Duration
	recipient string
	agent     string
	answer    string
	host      string
	isLocal   bool
}

var (
	counterTag      = regexp.MustCompile(`^(?:[0-9T:.+Z-]+|[A-Z][a-z]{2} +\d+ [\d:]+) (\S+) ([^\s\[:]+)(?:\[(\d+)\])?: (.*)$`)
	counterBirth    = regexp.MustCompile(`^([0-9A-Za-z]{6,}): (client=|uid=\d+ from=)(.*)$`)
	counterQueued   = regexp.MustCompile(`^([0-9A-Za-z]{6,}): from=<(.*)>, size=(\d+), nrcpt=\d+ \(queue active\)$`)
	counterHanded   = regexp.MustCompile(`^([0-9A-Za-z]{6,}): to=<(.*?)>, (?:orig_to=<.*?>, )?relay=(\S+?), (?:conn_use=\d+, )?delay=([\d.]+), delays=\S+, dsn=\S+, status=(\S+) \((.*)\)$`)
	counterRefusal  = regexp.MustCompile(`^(?:(NOQUEUE|[0-9A-Za-z]{6,}): )?(?:milter-|milter-header-)?(reject|reject_warning|hold|discard|warning): (\S+) (?:from |)(.*)$`)
	counterReply    = regexp.MustCompile(`^[^\[\]]*\[([0-9a-fA-F:.]+)\](?::\d+)?: (?:(\d)\d\d[ -])?(?:(\d)\.\d+\.\d+ )?`)
	counterContent  = regexp.MustCompile(`^([0-9A-Za-z]{6,}): (?:milter-)?(reject|warning|hold|discard): (header|body) .*(?:helo=<[^>]*>|: (?:(\d)\d\d )?(?:(\d)\.\d+\.\d+ )?[^:]*)$`)
	counterEnvelope = regexp.MustCompile(`^.*; from=<([^>]*)>`)
	counterOwn      = regexp.MustCompile(`^[A-Z][a-z]{2} +\d+ [\d:]+ (?:imap|pop3|submission|managesieve)-login: Info: (?:Login|Logged in): `)
	counterConnect  = regexp.MustCompile(`^connect from [^\[]*\[([^\]]+)\]`)
	counterScreened = regexp.MustCompile(`^CONNECT from \[([^\]]+)\]`)
	counterAuth     = regexp.MustCompile(`^disconnect from .* auth=(\d+)`)
	counterAnswered = regexp.MustCompile(`queued as ([0-9A-Za-z]+)`)
	counterRepeated = regexp.MustCompile(`^message repeated (\d+) times: \[ (.*)\]$`)
)

func countLog(text string) map[string]int {
	c := &counter{
		totals: map[string]int{}, files: map[string][]*queueFile{}, clients: map[string]bool{}, screened: map[string]bool{}, rejected: map[string]bool{},
		senders: map[string]bool{}, recipients: map[string]bool{}, deferred: map[*queueFile]bool{}, heldBy: map[string]bool{},
	}
	for line := range strings.Lines(text) {
		if counterOwn.MatchString(line) { // Dovecot's own log file has no host
			c.totals["logins_ok"]++
			continue
		}
		m := counterTag.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		repeat, message := 1, m[4]
		if r := counterRepeated.FindStringSubmatch(message); r != nil {
			repeat, _ = strconv.Atoi(r[1])
			message = r[2]
		}
		for range repeat {
			c.line(counterTime(line), m[1], m[2], m[3], message)
		}
	}
	c.link()
	c.sum()
	return c.totals
}

func counterTime(line string) time.Time {
	word, _, _ := strings.Cut(line, " ")
	if at, err := time.Parse(time.RFC3339, word); err == nil {
		return at
	}
	at, _ := time.Parse(time.Stamp, line[:min(len(line), 15)])
	return at
}

func (c *counter) line(at time.Time, host, tag, pid, message string) {
	parts := strings.Split(tag, "/")
	daemon := parts[len(parts)-1]
	if parts[0] == "dovecot" {
		if login, _, _ := strings.Cut(message, ": "); strings.HasSuffix(login, "-login") && (strings.HasPrefix(message, login+": Login: ") || strings.HasPrefix(message, login+": Logged in: ")) {
			c.totals["logins_ok"]++
		}
		return
	}
	if len(parts) < 2 {
		return
	}
	switch daemon {
	case "smtpd":
		c.smtpd(at, host, pid, message)
	case "postscreen":
		if m := counterScreened.FindStringSubmatch(message); m != nil {
			c.totals["connections_postscreen"]++
			c.screened[m[1]] = true
		}
		c.refusal(host, pid, daemon, message)
	case "pickup":
		c.birth(at, host, pid, message)
	case "cleanup":
		c.refusal(host, pid, daemon, message)
	case "qmgr":
		if m := counterQueued.FindStringSubmatch(message); m != nil {
			if f := c.file(host, m[1]); !f.isSized {
				f.sender, f.isSized = strings.ToLower(m[2]), true
				f.size, _ = strconv.Atoi(m[3])
			}
		}
		if strings.Contains(message, ", status=expired, ") || strings.Contains(message, ", status=force-expired, ") {
			c.totals["expired"]++
		}
	case "smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "relay":
		c.handed(at, host, daemon, message)
	}
}

func (c *counter) smtpd(at time.Time, host, pid, message string) {
	c.birth(at, host, pid, message)
	c.refusal(host, pid, "smtpd", message)
	if m := counterConnect.FindStringSubmatch(message); m != nil {
		if addr, err := netip.ParseAddr(m[1]); err != nil || !addr.IsLoopback() {
			c.totals["connections_smtpd"]++
			if err == nil {
				c.clients[m[1]] = true
			}
		}
	}
	if m := counterAuth.FindStringSubmatch(message); m != nil && m[1] != "0" {
		c.totals["logins_ok"]++
	}
}

// file returns the latest queue file of an ID.
func (c *counter) file(host, id string) *queueFile {
	key := host + " " + id
	if all := c.files[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	f := &queueFile{}
	c.files[key] = append(c.files[key], f)
	return f
}

func (c *counter) birth(at time.Time, host, pid, message string) {
	m := counterBirth.FindStringSubmatch(message)
	if m == nil {
		return
	}
	f := &queueFile{born: at, wasBorn: true, fromSMTPD: m[2] == "client="}
	c.files[host+" "+m[1]] = append(c.files[host+" "+m[1]], f)
	if c.heldBy[host+pid] {
		delete(c.heldBy, host+pid)
		f.isHeld = true
	}
	if _, before, ok := strings.Cut(m[3], "orig_queue_id="); ok {
		id, _, _ := strings.Cut(before, ",")
		if all := c.files[host+" "+id]; len(all) > 0 {
			f.parent = all[len(all)-1]
		}
	}
}

func (c *counter) refusal(host, pid, daemon, message string) {
	var action, id, first, second, addr string
	if m := counterContent.FindStringSubmatch(message); m != nil && daemon == "cleanup" {
		id, action, first, second = m[1], m[2], m[4], m[5]
	} else if m := counterRefusal.FindStringSubmatch(message); m != nil && (m[2] != "warning" || daemon == "cleanup") && m[3] != "header" && m[3] != "body" {
		id, action = m[1], m[2]
		if r := counterReply.FindStringSubmatch(m[4]); r != nil {
			addr, first, second = r[1], r[2], r[3]
		}
	} else {
		return
	}
	switch action {
	case "reject":
		c.totals["rejected"]++
		if first == "4" || first == "" && second == "4" {
			c.totals["rejected_temporary"]++
		}
		if addr != "" {
			c.rejected[addr] = true
		}
	case "reject_warning", "warning":
		c.totals["reject_warnings"]++
	case "hold", "discard":
		c.totals[map[string]string{"hold": "held", "discard": "discarded"}[action]]++
		if id == "NOQUEUE" || id == "" {
			c.heldBy[host+pid] = true
			return
		}
		f := c.file(host, id)
		f.isHeld = true
		if m := counterEnvelope.FindStringSubmatch(message); m != nil && f.sender == "" {
			f.sender = strings.ToLower(m[1])
		}
	}
}

func (c *counter) handed(at time.Time, host, agent, message string) {
	m := counterHanded.FindStringSubmatch(message)
	if m == nil {
		return
	}
	f := c.file(host, m[1])
	seconds, _ := strconv.ParseFloat(m[4], 64)
	switch m[5] {
	case "sent":
		f.deliveries = append(f.deliveries, handed{at, time.Duration(seconds * float64(time.Second)), strings.ToLower(m[2]), agent, m[6], host, strings.Contains(m[3], "[127.0.0.1]") || strings.Contains(m[3], "[::1]")})
	case "deferred", "SOFTBOUNCE":
		c.totals["deferrals"]++
		c.deferred[f] = true
	case "bounced":
		c.totals["bounced"]++
	}
}

// link finds out which queue files are what a filter brought back of others.
func (c *counter) link() {
	for _, all := range c.files {
		for _, f := range all {
			f.deliveries = slices.DeleteFunc(f.deliveries, func(h handed) bool { return c.isHop(f, h) })
		}
	}
}

// isHop counts a delivery that handed the mail to a filter.
func (c *counter) isHop(f *queueFile, h handed) bool {
	for _, m := range counterAnswered.FindAllStringSubmatch(h.answer, -1) {
		for _, child := range c.files[h.host+" "+m[1]] {
			if child != f && child.fromSMTPD && !child.born.Before(h.at.Add(-h.delay-2*time.Second)) && !child.born.After(h.at.Add(time.Second)) {
				child.parent = f
				c.totals["requeued"]++
				return true
			}
		}
	}
	if !h.isLocal {
		return false
	}
	for _, all := range c.files {
		for _, child := range all {
			if child.parent == f {
				c.totals["requeued"]++
				return true
			}
		}
	}
	return false
}

func (c *counter) sum() {
	for _, all := range c.files {
		for _, f := range all {
			c.sumFile(f)
		}
	}
	for name, set := range map[string]map[string]bool{"clients_smtpd": c.clients, "clients_postscreen": c.screened, "senders": c.senders, "recipients": c.recipients} {
		c.totals[name] = len(set)
	}
	c.totals["sending_domains"], c.totals["recipient_domains"] = domains(c.senders), domains(c.recipients)
	roots := map[*queueFile]bool{}
	for f := range c.deferred {
		for f.parent != nil {
			f = f.parent
		}
		roots[f] = true
	}
	c.totals["deferred"] = len(roots)
}

func (c *counter) sumFile(f *queueFile) {
	switch {
	case f.wasBorn && f.parent == nil && (f.isSized || f.isHeld):
		c.totals["received"]++
		c.totals["bytes_received"] += f.size
		c.senders[f.sender] = true
	case f.wasBorn && f.parent == nil:
		c.totals["not_completed"]++
	}
	for _, h := range f.deliveries {
		switch {
		case strings.HasPrefix(h.answer, "forwarded as "):
			c.totals["forwarded"]++
		case h.agent == "discard" || strings.Contains(h.answer, "Ok, discarded") || strings.Contains(h.answer, "DISCARD"):
			c.totals["discarded"]++
		default:
			c.totals["delivered"]++
			c.totals["bytes_delivered"] += f.size
			c.recipients[h.recipient] = true
		}
	}
}

func domains(addresses map[string]bool) int {
	found := map[string]bool{}
	for a := range addresses {
		switch at := strings.LastIndex(a, "@"); {
		case a == "":
			found["<>"] = true
		case at < 0:
			found["(local)"] = true
		default:
			found[a[at+1:]] = true
		}
	}
	return len(found)
}

// reportTotals are the same figures as csmail report counts them.
func reportTotals(t *testing.T, path string, names map[string]int) map[string]int {
	t.Helper()
	var out, errs bytes.Buffer
	if status := cli.Main(t.Context(), []string{"report", "--quiet", "-o", "json", "--timezone", "UTC", path}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 {
		t.Fatalf("csmail report %s: status %d: %s", path, status, errs.String())
	}
	var doc map[string]any
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	connections, _ := doc["connections"].(map[string]any)
	logins, _ := doc["logins"].(map[string]any)
	for name, value := range map[string]any{
		"connections_smtpd": connections["smtpd"], "clients_smtpd": connections["smtpd_clients"], "connections_postscreen": connections["postscreen"],
		"clients_postscreen": connections["postscreen_clients"], "logins_ok": logins["ok"],
	} {
		doc[name] = value
	}
	got := map[string]int{}
	for name := range names {
		n, ok := doc[name].(float64)
		if !ok {
			t.Fatalf("the report has no %s", name)
		}
		if n != 0 {
			got[name] = int(n)
		}
	}
	return got
}

// filteredDay is a day of mails that pass a content filter, or are thrown away by it, that
// bounce, wait, expire or are forwarded, and of clients that give up.
func filteredDay() string {
	var b strings.Builder
	at := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	say := func(daemon, format string, args ...any) {
		fmt.Fprintf(&b, "%s mx1 postfix/%s: %s\n", at.Format("2006-01-02T15:04:05.000000Z07:00"), daemon, fmt.Sprintf(format, args...))
		at = at.Add(20 * time.Millisecond)
	}
	for i := range 700 {
		at = at.Add(time.Minute)
		a, c := fmt.Sprintf("A%05XF", i), fmt.Sprintf("C%05XF", i)
		to := fmt.Sprintf("u%d@d%d.example", i%50, i%9)
		say("smtpd[7]", "connect from h%d.example[198.51.100.%d]", i%30, i%30+1)
		say("smtpd[7]", "%s: client=h%d.example[198.51.100.%d]", a, i%30, i%30+1)
		if i%11 == 0 { // gives up
			say("smtpd[7]", "disconnect from h%d.example[198.51.100.%d] ehlo=1 mail=1 rcpt=1 rset=1 quit=1 commands=5", i%30, i%30+1)
			continue
		}
		say("cleanup[8]", "%s: message-id=<%d@h.example>", a, i)
		say("qmgr[9]", "%s: from=<S%d@h%d.example>, size=%d, nrcpt=1 (queue active)", a, i%40, i%30, 2000+i)
		say("smtpd[7]", "disconnect from h%d.example[198.51.100.%d] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5", i%30, i%30+1)
		answer := "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as " + c
		switch i % 7 {
		case 1:
			answer = "250 2.7.0 Ok, discarded, id=77-01 - spam"
		case 2: // the filter names the mail before it
			say("smtpd[10]", "%s: client=h.example[198.51.100.9], orig_queue_id=%s, orig_client=h.example[198.51.100.9]", c, a)
			answer = "250 2.0.0 accepted"
		default:
			say("smtpd[10]", "connect from localhost[127.0.0.1]")
			say("smtpd[10]", "%s: client=localhost[127.0.0.1]", c)
		}
		say("smtp[11]", "%s: to=<%s>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0.1/0/0/0.9, dsn=2.0.0, status=sent (%s)", a, to, answer)
		say("qmgr[9]", "%s: removed", a)
		if i%7 == 1 {
			continue
		}
		say("qmgr[9]", "%s: from=<S%d@h%d.example>, size=%d, nrcpt=1 (queue active)", c, i%40, i%30, 2500+i)
		switch i % 5 {
		case 0:
			say("smtp[12]", "%s: to=<%s>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx[203.0.113.5]:25: Connection timed out)", c, to)
			say("smtp[12]", "%s: to=<%s>, relay=none, delay=301, delays=300/0/1/0, dsn=4.4.1, status=deferred (connect to mx[203.0.113.5]:25: Connection timed out)", c, to)
			say("qmgr[9]", "%s: from=<S%d@h%d.example>, status=expired, returned to sender", c, i%40, i%30)
		case 1:
			say("smtp[12]", "%s: to=<%s>, relay=mx[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx said: 550 5.1.1 no such user)", c, to)
		case 2:
			say("local[13]", "%s: to=<%s>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (forwarded as F%05XF)", c, to, i)
		default:
			say("lmtp[14]", "%s: to=<%s>, relay=d[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 saved)", c, to)
		}
		say("qmgr[9]", "%s: removed", c)
	}
	return b.String()
}

// Each grand total of a report is that of the independent counter, on the recorded logs
// and on a generated one with the shape of a real MX.
func TestTotalsAreAnIndependentCounters(t *testing.T) {
	paths := []string{
		"samples/mail-rfc3339.log", "samples/mail-rfc3164.log", "samples/postfix-own.log", "samples/dovecot-own.log", "samples/provoked.log",
		"samples/debian13/mail-rfc3339.log", "samples/debian13/mail-rfc3164.log", "samples/debian13/postfix-own.log", "samples/debian13/provoked.log",
	}
	if !testing.Short() {
		dir := t.TempDir()
		if out, err := exec.Command("go", "run", "./bench", "-lines", "100000", "-logs", "mx", "-write", dir).CombinedOutput(); err != nil {
			t.Fatalf("generating a log: %v\n%s", err, out)
		}
		paths = append(paths, filepath.Join(dir, "mx.log"))
	}
	filtered := filepath.Join(t.TempDir(), "filtered.log")
	if err := os.WriteFile(filtered, []byte(filteredDay()), 0o600); err != nil {
		t.Fatal(err)
	}
	paths = append(paths, filtered)
	names := map[string]int{}
	for _, name := range strings.Fields("received delivered forwarded requeued deferred deferrals bounced expired not_completed rejected rejected_temporary reject_warnings held discarded " +
		"bytes_received bytes_delivered senders sending_domains recipients recipient_domains connections_smtpd clients_smtpd connections_postscreen clients_postscreen logins_ok") {
		names[name] = 0
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := countLog(string(text))
			for name, n := range want {
				if n == 0 {
					delete(want, name)
				}
			}
			if len(want) < 3 && !strings.Contains(path, "dovecot") {
				t.Fatalf("the counter found only %v", want)
			}
			if diff := cmp.Diff(want, reportTotals(t, path, names)); diff != "" {
				t.Errorf("(-counter +report):\n%s", diff)
			}
		})
	}
}
