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

	"csmail/pkg/cli"
)

var (
	detailHour  = regexp.MustCompile(`^    (\d\d):?00-\d\d:?00 +(.*?) *$`)
	detailRow   = regexp.MustCompile(`^ *(\d+[km]? .*?)  +(\S.*)$`)
	detailTotal = regexp.MustCompile(`^( {2,})(\S.*) \(total: (\d+)(?:, 4xx)?\)$`)
	blanks      = regexp.MustCompile(` +`)
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
	out, err := exec.Command("pflogsumm", path).Output()
	if err != nil {
		t.Fatalf("pflogsumm %s: %v; tests/e2e/install.sh installs it", path, err)
	}
	return details(string(out))
}

func ourDetails(t *testing.T, path string) map[string]string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := cli.Main(t.Context(), []string{"report", "--quiet", "--pflogsumm", "--top", "0", path}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 {
		t.Fatalf("csmail report %s: status %d: %s", path, status, errs.String())
	}
	return details(out.String())
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
	heldMail   = "a mail on hold or discarded has a sender, although no size was logged"
	byCleanup  = "what cleanup refuses is told by its stage and reason, not by the daemon's name"
	byMilter   = "refusals by a mail filter at a command are counted"
	noClient   = "a reason holds nothing that the client wrote"
	noCode     = "a reason holds no enhanced code"
)

var detailRules = map[string][]detailRule{
	"mail.log": {
		{`[-+] Host/Domain Summary: Message Delivery\|.* slow.example 0`, noDelay},
		{`[-+] message bounce detail \(by relay\)\|mx.far.example(\[198.51.100.7\]:25)? 40`, relayName},
	},
	"mail-rfc3339.log": {
		{`- Host/Domain Summary: Message Delivery\|.*example (4|14)`, noDelivery},
		{`- Host/Domain Summary: Message Delivery\|.*example.org 14`, noDelivery},
		{`- Recipients by message (count|size)\|(alice|carol|friend)@\S+ \d+`, noDelivery},
		{`[-+] Per-Hour Traffic Summary\|03 18 (18|0) 0 6 80`, noDelivery},
		{`[-+] message bounce detail \(by relay\)\|(203.0.113.250|2001:db8:250::250)(\[.*\]:25)? 3`, relayName},
		{`[-+] message reject detail\|RCPT\|Recipient address rejected: User unknown in virtual mailbox (table|...) 2`, cutLine},
	},
	"provoked.log": {
		{`- Host/Domain Summary: Message Delivery\|.*example(.org)? [26]`, noDelivery},
		{`- Recipients by message (count|size)\|(carol|friend)@\S+ \d+`, noDelivery},
		{`[+] (Senders by message (count|size)|Host/Domain Summary: Messages Received)\|.*<> [02]`, heldMail},
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
