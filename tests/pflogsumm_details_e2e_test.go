//go:build e2e

package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/cli"
)

var (
	detailHour  = regexp.MustCompile(`^    (\d\d):?00-\d\d:?00 +(.*?) *$`)
	detailRow   = regexp.MustCompile(`^ *(\d+[km]? .*?)  +(\S.*)$`)
	detailTotal = regexp.MustCompile(`^( {2,})(\S.*) \(total: (\d+)(?:, 4xx)?\)$`)
	blanks      = regexp.MustCompile(` +`)
	detailText  = regexp.MustCompile(`^ +(\d+)   (\S.*)$`)
	detailTitle = regexp.MustCompile(` *(\(top \d+ of \d+\)|\(\d+\)|: none)? *$`)
)

// details reads the sections behind the grand totals into one line a figure: the section,
// what is counted, and its numbers. Lines of clients below a reason are left out, because
// pflogsumm names hosts there and csmail addresses.
func details(text string) map[string]string {
	found := map[string]string{}
	section, stage, previous := "", "", ""
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "---") {
			section, stage = detailTitle.ReplaceAllString(previous, ""), ""
		}
		previous = line
		switch {
		case section == "" || section == "Grand Totals" || strings.Contains(line, "---") || strings.TrimSpace(line) == "":
		case strings.HasPrefix(section, "Per-"):
			if m := detailHour.FindStringSubmatch(line); m != nil {
				found[section+"|"+m[1]] = blanks.ReplaceAllString(m[2], " ")
			}
		case strings.HasPrefix(section, "Host/Domain") || strings.Contains(section, " by message "):
			if m := detailRow.FindStringSubmatch(line); m != nil {
				found[section+"|"+m[2]] = blanks.ReplaceAllString(m[1], " ")
			}
		case section == "Master daemon messages":
			if m := detailText.FindStringSubmatch(line); m != nil {
				found[section+"|"+m[2]] = m[1]
			}
		default:
			if m := detailTotal.FindStringSubmatch(line); m != nil {
				found[section+"|"+stage+m[2]] = m[3]
			} else if strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") {
				stage = strings.TrimSpace(line) + "|"
			}
		}
	}
	return found
}

func pflogsummDetails(t *testing.T, path string) map[string]string {
	t.Helper()
	return details(pflogsummText(t, path))
}

func pflogsummText(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("pflogsumm", "--smtpd-stats", path).Output()
	if err != nil {
		t.Fatalf("pflogsumm %s: %v; tests/e2e/install.sh installs it", path, err)
	}
	return string(out)
}

func ourDetails(t *testing.T, path string) map[string]string {
	t.Helper()
	return details(ourText(t, path))
}

func ourText(t *testing.T, path string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := cli.Main(t.Context(), []string{"report", "--quiet", "--pflogsumm", "--top", "0", path}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 {
		t.Fatalf("csmail report %s: status %d: %s", path, status, errs.String())
	}
	return out.String()
}

// detailRule says which lines of the two may differ, and why. "-" is pflogsumm's line,
// "+" is csmail's.
type detailRule struct{ line, reason string }

const (
	noDelay    = "a deferral is no delivery, so it gives no delay"
	relayName  = "the relay is named without its address and port, so that the servers of a provider count together"
	cutLine    = "no line is above 78 columns"
	noDelivery = "discard(8) throws a mail away; it delivers nothing"
	noMail     = "a client that leaves after RCPT, or is refused at the end of its message, brought no mail; refusals alone are rejected, without warnings, holds and discards"
	heldMail   = "a mail on hold or discarded counts for its sender, although no size was logged"
	byCleanup  = "what cleanup refuses is told by its stage and reason, not by the daemon's name"
	byMilter   = "refusals by a mail filter at a command are counted"
	noClient   = "a reason holds nothing that the client wrote"
	noCode     = "a reason holds no enhanced code"
	noIPv6     = "pflogsumm takes an IPv6 client's counts of commands for a part of its name, or finds no name, so that its connections do not count together"
)

var detailRules = map[string][]detailRule{
	"mail.log": {
		{`[-+] Host/Domain Summary: Message Delivery\|.* slow.example 0`, noDelay},
		{`[-+] message bounce detail \(by relay\)\|mx.far.example(\[198.51.100.7\]:25)? 40`, relayName},
	},
	"mail-rfc3339.log": {
		{`- Host/Domain Summary: SMTPD Connections\|.*\[2001:db8:.*`, noIPv6},
		{`- Host/Domain Summary: SMTPD Connections\|[0-9: ]+s +\d+s +\d+`, noIPv6},
		{`[+] Host/Domain Summary: SMTPD Connections\|.*(2001:db8:\S+|-v6\.\S+) \d+`, noIPv6},
		{`[-+] Host/Domain Summary: SMTPD Connections\|.*198.51.100.77.forge-user-(v4.example|...) 6`, cutLine},
		{`- Host/Domain Summary: Message Delivery\|.*example (4|14)`, noDelivery},
		{`- Host/Domain Summary: Message Delivery\|.*example.org 14`, noDelivery},
		{`- Recipients by message (count|size)\|(alice|carol|friend)@\S+ \d+`, noDelivery},
		{`[-+] Per-Hour Traffic Summary\|03 18 (18|0) 0 6 80`, noDelivery},
		{`[-+] message bounce detail \(by relay\)\|(203.0.113.250|2001:db8:250::250)(\[.*\]:25)? 3`, relayName},
		{`[-+] message reject detail\|RCPT\|Recipient address rejected: User unknown in virtual mailbox (table|...) 2`, cutLine},
	},
	"provoked.log": {
		{`- Host/Domain Summary: SMTPD Connections\|.*\[2001:db8:.*`, noIPv6},
		{`- Host/Domain Summary: SMTPD Connections\|[0-9: ]+s +\d+s +\d+`, noIPv6},
		{`[+] Host/Domain Summary: SMTPD Connections\|.*(2001:db8:\S+|-v6\.\S+) \d+`, noIPv6},
		{`[-+] Host/Domain Summary: SMTPD Connections\|.*no-password-server-v[46].exa(mple|...) \d+`, cutLine},
		{`- Host/Domain Summary: Message Delivery\|.*example(.org)? [26]`, noDelivery},
		{`- Recipients by message (count|size)\|(carol|friend)@\S+ \d+`, noDelivery},
		{`[-+] (Senders by message count|Host/Domain Summary: Messages Received)\|.*content-v[46].example [12]`, heldMail},
		{`[-+] Per-Hour Traffic Summary\|03 (28 8 0 0 130|10 0 0 0 128)`, noMail},
		{`- message (reject|reject warning|discard) detail\|cleanup\|(header|body|END-OF-MESSAGE) 2`, byCleanup},
		{`[+] message (reject|reject warning|discard) detail\|(header|body)\|.* 2`, byCleanup},
		{`[+] message reject detail\|(END-OF-MESSAGE|MAIL)\|milter: .* 2`, byMilter},
		{`- message reject detail\|(END-OF-MESSAGE|RCPT)\|from=<author@.* [12]`, noClient},
		{`[+] message reject detail\|END-OF-MESSAGE\|bare <LF> received 2`, noClient},
		{`[+] message reject detail\|RCPT\|Service currently unavailable 8`, noClient},
		{`- message reject detail\|RCPT\|554@nowhere.example>: Sender address rejected: Domain not found 2`, noClient},
		{`[-+] message reject detail\|RCPT\|Sender address rejected: Domain not found [46]`, noClient},
		{`[-+] message reject detail\|MAIL\|(4.3.1 )?Insufficient system storage 8`, noCode},
		{`[-+] message reject detail\|RCPT\|Recipient address rejected: User unknown in virtual mailbox( table|...) 12`, cutLine},
	},
}

// The hours, hosts, senders, recipients, deferrals, bounces, refusals and warnings are
// pflogsumm's, but for what is listed above with its reason.
func TestDetailsArePflogsumms(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(plain, []byte(plainDay()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, "samples/mail-rfc3339.log", "samples/provoked.log"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			theirs, ours := pflogsummDetails(t, path), ourDetails(t, path)
			if len(theirs) < 60 {
				t.Fatalf("pflogsumm's report has only %d figures: %q", len(theirs), theirs)
			}
			var differ []string
			for key, value := range theirs {
				if ours[key] != value {
					differ = append(differ, "- "+key+" "+strings.TrimSpace(value))
				}
			}
			for key, value := range ours {
				if theirs[key] != value {
					differ = append(differ, "+ "+key+" "+strings.TrimSpace(value))
				}
			}
			checkDifferences(t, differ, detailRules[filepath.Base(path)])
		})
	}
}

// The sections come in pflogsumm's order and under its names; only errors that are not
// fatal are one more. It has two that are left out: smtp delivery failures, which it finds
// in the log of no Postfix since 2.3, and messages with no size data, which are a number
// below the totals.
func TestSectionsArePflogsumms(t *testing.T) {
	leftOut := []string{"smtp delivery failures", "Messages with no size data", "Errors"}
	path := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(path, []byte(twoDays()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, "samples/mail-rfc3339.log", "samples/provoked.log"} {
		var both [2][]string
		for i, text := range []string{pflogsummText(t, path), ourText(t, path)} {
			lines := strings.Split(text, "\n")
			for n, line := range lines {
				title := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(line), ": none"), "Daily Average", "Summary")
				isTitle := strings.HasSuffix(line, ": none") || n+1 < len(lines) && strings.HasPrefix(lines[n+1], "---")
				if isTitle && !slices.Contains(leftOut, title) {
					both[i] = append(both[i], title)
				}
			}
		}
		if !slices.Equal(both[0], both[1]) || len(both[0]) < 17 {
			t.Errorf("%s: got the sections\n%q, want\n%q", path, both[1], both[0])
		}
	}
}

// twoDays are two days of mails. They were not long ago, because pflogsumm knows no year.
func twoDays() string {
	first, second := time.Now().AddDate(0, 0, -4).Format("Jan _2"), time.Now().AddDate(0, 0, -3).Format("Jan _2")
	return strings.ReplaceAll(plainDay(), "Nov 28", first) + strings.NewReplacer("Nov 28", second, "ABCDE", "ABCDF").Replace(plainDay())
}

// The tables by day are pflogsumm's; those by hour are sums, for which it has means.
func TestDaysArePflogsumms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(path, []byte(twoDays()), 0o600); err != nil {
		t.Fatal(err)
	}
	day := regexp.MustCompile(`(?m)^    [A-Z][a-z]{2} [ \d]\d 20\d\d .*$`)
	var both [2][]string
	for i, text := range []string{pflogsummText(t, path), ourText(t, path)} {
		for _, line := range day.FindAllString(text, -1) {
			both[i] = append(both[i], strings.TrimSpace(blanks.ReplaceAllString(line, " ")))
		}
	}
	if !slices.Equal(both[0], both[1]) || len(both[0]) != 4 {
		t.Errorf("got %q, want %q", both[1], both[0])
	}
}

// checkDifferences wants a rule for each line that differs, and no rule in vain.
func checkDifferences(t *testing.T, differ []string, rules []detailRule) {
	t.Helper()
	slices.Sort(differ)
	used := map[int]bool{}
	for _, line := range differ {
		at := slices.IndexFunc(rules, func(r detailRule) bool { return regexp.MustCompile("^" + r.line + "$").MatchString(line) })
		if at < 0 {
			t.Errorf("got the difference %q, want it listed with its reason, or none", line)
		}
		used[at] = true
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("got no difference like %q (%s), want it taken off the list", r.line, r.reason)
		}
	}
}

// What pflogsumm --smtpd-stats says of the connections as a whole is the same. It folds
// the names of hosts, and cannot read those of IPv6, so their number is not.
func TestConnectionsArePflogsumms(t *testing.T) {
	numbers := regexp.MustCompile(`(?m)^ *(\d+|\d+:\d\d:\d\d) +(connections|avg. connect time.*|total connect time)$`)
	for _, path := range []string{"samples/mail-rfc3164.log", "samples/provoked.log"} {
		out, err := exec.Command("pflogsumm", "--smtpd-stats", path).Output()
		if err != nil {
			t.Fatalf("pflogsumm %s: %v; tests/e2e/install.sh installs it", path, err)
		}
		var ours, errs bytes.Buffer
		if status := cli.Main(t.Context(), []string{"report", "--quiet", "--pflogsumm", path}, cli.Streams{In: strings.NewReader(""), Out: &ours, Err: &errs}); status != 0 {
			t.Fatalf("csmail report %s: status %d: %s", path, status, errs.String())
		}
		want, got := numbers.FindAllString(string(out), -1), numbers.FindAllString(ours.String(), -1)
		for i := range want {
			want[i] = strings.TrimSpace(want[i])
		}
		for i := range got {
			got[i] = strings.TrimSpace(got[i])
		}
		if !slices.Equal(want, got) || len(want) != 3 {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
