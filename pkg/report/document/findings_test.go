package document

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/guard"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// lineAt makes a log line of 28 November 2026.
func lineAt(at time.Duration, tag, format string, args ...any) string {
	stamp := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC).Add(at).Format("2006-01-02T15:04:05.000000Z07:00")
	return fmt.Sprintf("%s mx1 %s: %s", stamp, tag, fmt.Sprintf(format, args...))
}

const (
	hour   = time.Hour
	minute = time.Minute
	second = time.Second
)

// sent is the log of one mail that alice sent to some recipients, of whom some bounce.
func sent(at time.Duration, id string, recipients, bounced int) []string {
	lines := []string{
		lineAt(at, "postfix/submission/smtpd[3]", "connect from c.example[198.51.100.7]"),
		lineAt(at, "postfix/submission/smtpd[3]", "%s: client=c.example[198.51.100.7], sasl_method=PLAIN, sasl_username=Alice", id),
		lineAt(at, "postfix/qmgr[4]", "%s: from=<alice@example.org>, size=1000, nrcpt=%d (queue active)", id, recipients),
	}
	for i := range recipients {
		status := "sent (250 ok)"
		if i < bounced {
			status = "bounced (host mx said: 550 5.1.1 no such user)"
		}
		lines = append(lines, lineAt(at+2*second, "postfix/smtp[5]", "%s: to=<u%d@d%d.example>, relay=mx[203.0.113.5]:25, delay=2, delays=0/0/1/1, dsn=2.0.0, status=%s", id, i, i%40, status))
	}
	return append(lines, lineAt(at+3*second, "postfix/qmgr[4]", "%s: removed", id))
}

func deferrals(from, step time.Duration, n int, domain string) []string {
	var lines []string
	for i := range n {
		lines = append(lines, lineAt(from+time.Duration(i)*step, "postfix/smtp[5]",
			"AAAAAA1: to=<u@%s>, relay=none, delay=9, delays=9/0/0/0, dsn=4.4.1, status=deferred (connect to mx.%s[203.0.113.9]:25: Connection timed out)", domain, domain))
	}
	return lines
}

// connects is a log of a client that connects once an hour, from one hour to before
// another.
func connects(from, to int) []string {
	var lines []string
	for h := from; h < to; h++ {
		lines = append(lines, lineAt(time.Duration(h)*hour+minute, "postfix/smtpd[6]", "connect from c.example[198.51.100.7]"),
			lineAt(time.Duration(h)*hour+2*minute, "postfix/smtpd[6]", "disconnect from c.example[198.51.100.7] ehlo=1 quit=1 commands=2"))
	}
	return lines
}

func delivered(at time.Duration, domain string) string {
	return lineAt(at, "postfix/smtp[5]", "BBBBBB1: to=<v@%s>, relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)", domain)
}

// refusedNetwork is the log of a network of which one host brings mail and eight are refused.
func refusedNetwork(refusal string) []string {
	lines := []string{
		lineAt(hour-minute, "postfix/smtpd[3]", "connect from mail.d.example[198.51.100.99]"),
		lineAt(hour-minute, "postfix/smtpd[3]", "DDDDDD1: client=mail.d.example[198.51.100.99]"),
		lineAt(hour-minute, "postfix/smtpd[3]", "disconnect from mail.d.example[198.51.100.99] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"),
	}
	for i := range 8 {
		addr := fmt.Sprintf("198.51.100.%d", 10+i)
		lines = append(lines, lineAt(hour+minute, "postfix/smtpd[6]", "NOQUEUE: reject: RCPT from unknown[%s]: "+refusal+"; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>", addr, addr))
	}
	slices.Sort(lines)
	return lines
}

// repeated is a line, once a minute.
func repeated(n int, tag, text string) []string {
	var lines []string
	for i := range n {
		lines = append(lines, lineAt(hour+time.Duration(i)*minute, tag, "%s", text))
	}
	return lines
}

// toMany is the log of mails to domains of which each defers, and takes the mail later if
// it only greylists.
func toMany(domains int, step time.Duration, greylists bool) []string {
	var lines []string
	for i := range domains {
		domain := fmt.Sprintf("w%d.example", i)
		lines = append(lines, deferrals(hour+time.Duration(i)*step, minute, 2, domain)...)
		if greylists {
			lines = append(lines, delivered(hour+time.Duration(i)*step+5*minute, domain))
		}
	}
	return lines
}

// deliveries is the log of mails to domains that take them.
func deliveries(domains int) []string {
	var lines []string
	for i := range domains {
		lines = append(lines, delivered(hour+time.Duration(i)*minute, fmt.Sprintf("t%d.example", i)))
	}
	return lines
}

func loginAt(at time.Duration, addr string) string {
	return lineAt(at, "dovecot", "imap-login: Login: user=<alice>, method=PLAIN, rip=%s, lip=192.0.2.1, mpid=7, TLS, session=<s>", addr)
}

// known are the habits of an alice who logged in from two networks and sent little.
func known(since string) Habits {
	return Habits{Since: since, Accounts: map[string]*Habit{"alice": {
		Networks: []HabitNetwork{{netip.MustParseAddr("198.51.100.7"), "2026-11-01", "2026-11-27"}, {netip.MustParseAddr("203.0.113.1"), "2026-11-05", "2026-11-20"}},
		Days:     []HabitDay{{Date: "2026-11-20", Networks: 2, Sent: 15}},
	}}}
}

// places is an atlas of test addresses.
func places(addr netip.Addr) (country, as string) {
	switch {
	case addr.Is4() && addr.As4()[0] == 198 && addr.As4()[1] == 51:
		return "DE", ""
	case addr.Is4() && addr.As4()[0] == 203:
		return "AT", ""
	case addr.Is4() && addr.As4()[0] == 192:
		return "BR", ""
	}
	return "", ""
}

func TestFindings(t *testing.T) {
	old, young := "2026-11-01", "2026-11-25"
	for name, tt := range map[string]struct {
		lines  []string
		habits Habits
		atlas  bool
		id     string
		want   string // severity, count and title; "" for none
	}{
		"199 recipients, all bounced": {lines: sent(hour, "AAAAAA1", 199, 199), id: "account-sends-bulk"},
		"200 recipients, few bounced": {lines: sent(hour, "AAAAAA1", 200, 39), id: "account-sends-bulk"},
		"200 recipients, a fifth bounced": {
			lines: sent(hour, "AAAAAA1", 200, 40), id: "account-sends-bulk",
			want: "urgent 200 alice sent mail to 200 recipients in one hour, 40 of them bounced or were deferred",
		},
		"bounces over two hours": {lines: slices.Concat(sent(hour, "AAAAAA1", 150, 150), sent(2*hour, "AAAAAA2", 150, 150)), id: "account-sends-bulk"},
		"bounces of two mails": {
			lines: slices.Concat(sent(hour, "AAAAAA1", 150, 50), sent(hour+minute, "AAAAAA2", 150, 50)), id: "account-sends-bulk",
			want: "urgent 300 alice sent mail to 300 recipients in one hour, 100 of them bounced or were deferred",
		},
		"ten times as many as ever": {
			lines: sent(hour, "AAAAAA1", 200, 0), habits: known(old), id: "account-sends-bulk",
			want: "urgent 200 alice sent mail to 200 recipients in one hour, 0 of them bounced or were deferred",
		},
		"ten times as many, habits young": {lines: sent(hour, "AAAAAA1", 200, 0), habits: known(young), id: "account-sends-bulk"},

		"deferred for four hours": {
			lines: deferrals(hour, 30*minute, 10, "d.example"), id: "destination-stuck",
			want: "warn 10 No mail to d.example was delivered for 4 hours, 10 attempts were deferred",
		},
		"deferred for three hours":    {lines: deferrals(hour, 20*minute, 10, "d.example"), id: "destination-stuck"},
		"nine deferrals":              {lines: deferrals(hour, hour, 9, "d.example"), id: "destination-stuck"},
		"deferred, delivered at last": {lines: append(deferrals(hour, hour, 10, "d.example"), delivered(12*hour, "d.example")), id: "destination-stuck"},
		"delivered, then deferred": {
			lines: append([]string{delivered(minute, "d.example")}, deferrals(hour, hour, 10, "d.example")...), id: "destination-stuck",
			want: "warn 10 No mail to d.example was delivered for 9 hours, 10 attempts were deferred",
		},

		"six silent hours":  {lines: append(connects(0, 10), connects(16, 24)...), id: "silent", want: "urgent 6 No mail for 6 hours, after some in each of the hours before"},
		"five silent hours": {lines: append(connects(0, 10), connects(15, 24)...), id: "silent"},
		"silent to the end": {lines: connects(0, 17), id: "silent", want: "urgent 7 No mail for 7 hours, after some in each of the hours before"},
		"silent after few":  {lines: connects(3, 7), id: "silent"},
		"a quiet night":     {lines: connects(8, 24), id: "silent"},
		"nothing at all":    {id: "silent", want: "urgent 0 The log holds no line of this time"},

		"a login from where it always is": {lines: []string{loginAt(hour, "198.51.2.2")}, habits: known(old), atlas: true, id: "login-from-new-country"},
		"a login from a new country": {
			lines: []string{loginAt(hour, "192.0.2.77")}, habits: known(old), atlas: true, id: "login-from-new-country",
			want: "warn 1 alice logged in from BR, for the first time in 30 days",
		},
		"a login from a new network of a known country": {lines: []string{loginAt(hour, "203.9.0.1")}, habits: known(old), atlas: true, id: "login-from-new-country"},
		"a login from a new network": {
			lines: []string{loginAt(hour, "203.9.0.1")}, habits: known(old), atlas: true, id: "login-from-new-network",
			want: "note 1 alice logged in from a network that is new for it",
		},
		"a login from a new network, no atlas": {
			lines: []string{loginAt(hour, "192.0.2.77")}, habits: known(old), id: "login-from-new-network",
			want: "note 1 alice logged in from a network that is new for it",
		},
		"a new network, habits young": {lines: []string{loginAt(hour, "192.0.2.77")}, habits: known(young), atlas: true, id: "login-from-new-network"},
		"a new account":               {lines: []string{loginAt(hour, "192.0.2.77")}, habits: Habits{Since: old}, atlas: true, id: "login-from-new-network"},

		"mail refused in an outage of the resolver": {lines: []string{
			lineAt(hour, "postfix/smtpd[6]", "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"),
			lineAt(hour+minute, "postfix/smtpd[6]", "NOQUEUE: reject: RCPT from unknown[198.51.100.8]: 450 4.7.25 Client host rejected: cannot find your hostname, [198.51.100.8]; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>"),
		}, id: "resolver-trouble", want: "urgent 1 The resolver did not answer: once"},
		"mail refused in an outage that began before the report": {lines: []string{
			lineAt(-minute, "postfix/smtpd[6]", "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"),
			lineAt(minute, "postfix/smtpd[6]", "NOQUEUE: reject: RCPT from unknown[198.51.100.8]: 450 4.7.25 Client host rejected: cannot find your hostname, [198.51.100.8]; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>"),
		}, id: "resolver-trouble", want: "urgent 1 The resolver did not answer shortly before"},
		"an outage without a refusal": {lines: []string{
			lineAt(hour, "postfix/smtpd[6]", "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"),
		}, id: "resolver-trouble", want: "warn 1 The resolver did not answer: once"},
		"refusals in an outage of the resolver are no provider's": {lines: slices.Concat([]string{
			lineAt(hour, "postfix/smtpd[6]", "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"),
		}, refusedNetwork("450 4.7.25 Client host rejected: cannot find your hostname, [%s]")), id: "provider-refused"},
		"refusals without an outage": {
			lines: refusedNetwork("450 4.7.25 Client host rejected: cannot find your hostname, [%s]"), id: "provider-refused",
			want: "urgent 8 A mail provider is refused: 198.51.100.0/24 mail.d.example",
		},
		"refusals by a block list in an outage of the resolver": {lines: slices.Concat([]string{
			lineAt(hour, "postfix/smtpd[6]", "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"),
		}, refusedNetwork("554 5.7.1 Service unavailable; Client host [%s] blocked using zen.example")), id: "provider-refused", want: "urgent 8 A mail provider is refused: 198.51.100.0/24 mail.d.example"},

		"a table that cleanup cannot ask": {
			lines: repeated(5, "postfix/cleanup[6]", "warning: AAAAAA1: virtual_alias_maps map lookup problem for u@example.org -- message not accepted, try again later"), id: "backend-fault",
			want: "urgent 5 A lookup table failed: 5 times",
		},
		"a table of LDAP":                 {lines: repeated(5, "postfix/trivial-rewrite[6]", "warning: virtual_mailbox_domains: proxy:ldap:/etc/postfix/x.cf: table lookup problem"), id: "backend-fault", want: "urgent 5 A lookup table failed: 5 times"},
		"a database that is down":         {lines: repeated(5, "postfix/proxymap[6]", "warning: connect to mysql server 127.0.0.1: Can't connect to MySQL server on '127.0.0.1' (111)"), id: "backend-fault", want: "urgent 5 A lookup table failed: 5 times"},
		"a table that failed once":        {lines: repeated(1, "postfix/cleanup[6]", "warning: AAAAAA1: virtual_alias_maps map lookup problem for u@example.org -- message not accepted, try again later"), id: "backend-fault"},
		"another warning of a table":      {lines: repeated(5, "postfix/postmap[6]", "warning: /etc/postfix/virtual.db: duplicate entry: \"u@example.org\""), id: "backend-fault"},
		"a sender who writes of a lookup": {lines: repeated(5, "postfix/smtpd[6]", "warning: Illegal address syntax from unknown[198.51.100.8] in MAIL command: <table lookup problem>"), id: "backend-fault"},

		"a full disk, said by smtpd and cleanup": {lines: slices.Concat(
			repeated(3, "postfix/cleanup[9]", "warning: write queue file: No space left on device"),
			repeated(3, "postfix/smtpd[7]", "NOQUEUE: reject: MAIL from c.example[198.51.100.7]: 452 4.3.1 Insufficient system storage; proto=ESMTP helo=<c>"),
		), id: "backend-fault"},
		"a full disk of the mailboxes": {
			lines: repeated(4, "postfix/lmtp[9]", "AAAAAA1: to=<u@example.org>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=4.2.0, status=deferred (host mx1[private/dovecot-lmtp] said: 451 4.2.0 <u@example.org> Failed to save mail: No space left on device (in reply to end of DATA command))"),
			id:    "disk-or-queue", want: "urgent 4 The disk of the mailboxes is full: 4 times",
		},
		"a full disk elsewhere": {
			lines: repeated(4, "postfix/smtp[9]", "AAAAAA1: to=<u@far.example>, relay=mx.far.example[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=4.2.0, status=deferred (host mx.far.example[203.0.113.5] said: 452 4.3.1 No space left on device)"),
			id:    "disk-or-queue",
		},
		"a mailbox over its quota": {
			lines: repeated(4, "postfix/lmtp[9]", "AAAAAA1: to=<u@example.org>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=4.2.2, status=deferred (host mx1[private/dovecot-lmtp] said: 452 4.2.2 <u@example.org> Quota exceeded)"),
			id:    "disk-or-queue",
		},

		"mail to many domains waits": {
			lines: toMany(40, 10*minute, false), id: "queue-grows", want: "warn 40 The queue grows: mail to 40 of 40 domains was deferred, and none was delivered there since",
		},
		"mail to many domains, greylisted":       {lines: toMany(40, 10*minute, true), id: "queue-grows"},
		"mail to many domains waits for an hour": {lines: toMany(40, minute, false), id: "queue-grows"},
		"mail to a few domains waits":            {lines: toMany(9, hour, false), id: "queue-grows"},
		"a few of many domains are dead":         {lines: slices.Concat(toMany(12, hour, false), deliveries(60)), id: "queue-grows"},
	} {
		t.Run(name, func(t *testing.T) {
			since, until := day("2026-11-28")
			w := windowOf(tt.lines, report.Scope{Since: since, Until: until})
			w.Lines = int64(len(tt.lines))
			m := Maker{Zone: time.UTC}
			if tt.atlas {
				m.Place = places
			}
			d := m.Of(w, Surroundings{Since: since, Until: until, Habits: tt.habits})
			var got []string
			for _, f := range d.Findings {
				if f.Advice == "" || f.Detail == "" {
					t.Errorf("%s does not say what to do: %+v", f.ID, f)
				}
				if !slices.Contains(FindingIDs, f.ID) {
					t.Errorf("%s is not listed, so --fail-on refuses it", f.ID)
				}
				if f.ID == tt.id {
					got = append(got, fmt.Sprintf("%s %d %s", f.Severity, f.Count, f.Title))
				}
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("%s: got %q, want %q", tt.id, got, tt.want)
			}
		})
	}
}

func TestCapReached(t *testing.T) {
	d := &Document{Holds: Verdicts{List: []Verdict{
		{Value: "198.51.100.1", Rule: guard.TooManyBans.String()}, {Value: "198.51.100.2", Rule: guard.TooManyGood.String()}, {Value: "198.51.100.3", Rule: guard.Resolver.String()},
	}}}
	found := d.caps()
	if len(found) != 1 || found[0].ID != "cap-reached" || found[0].Severity != Warn || found[0].Count != 2 || !slices.Equal(found[0].Subjects, []string{"198.51.100.1", "198.51.100.2"}) {
		t.Errorf("got %+v, want one of the two bans that a cap held back", found)
	}
	d.Holds.List = d.Holds.List[2:]
	if found := d.caps(); found != nil {
		t.Errorf("of other holds: got %+v, want none", found)
	}
}

// A report that is asked for since long ago begins to look for silence where its figures
// begin, in every zone.
func TestFirstHour(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu"} {
		in := Input{Figures: daily.NewFigures()}
		var err error
		if in.Zone, err = time.LoadLocation(zone); err != nil {
			t.Fatal(err)
		}
		if got := firstHour(in); !got.IsZero() {
			t.Errorf("%s: got %s without figures", zone, got)
		}
		in.Figures.Hours["2026-11-28T09"], in.Figures.Hours["2026-11-28T17"] = &daily.Hour{}, &daily.Hour{}
		got, want := firstHour(in), time.Date(2026, 11, 28, 7, 0, 0, 0, in.Zone)
		if !got.Equal(want) || !HourOf(got, in.Zone).Equal(got) {
			t.Errorf("%s: got %s, want %s", zone, got, want)
		}
	}
}

// The times of a finding are in the zone of the report, whatever zone a log or the host has.
func TestFindingsAreInTheZoneOfTheReport(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.FixedZone("EST", -5*3600))
	in := NewWindow(report.Scope{}).Input()
	in.Zone, in.Generated = time.UTC, at
	in.Collateral = []report.Collateral{{Value: "192.0.2.1", Banned: at, Good: at.Add(time.Hour), Proof: "a login"}}
	for _, f := range New(in).Findings {
		if f.ID != "banned-then-honest" {
			continue
		}
		if got, want := f.Since.Format(time.RFC3339), "2026-11-28T14:00:00Z"; got != want {
			t.Errorf("got it since %s, want %s", got, want)
		}
		return
	}
	t.Error("no finding of an honest client, want one")
}
