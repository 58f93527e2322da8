package situations

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"csmail/pkg/cli"
)

// report is a file in the folder reports: the log of a situation as an administrator would
// send it, with the lines that the situation takes and no more. Its first lines say the
// verdict, which was decided before csmail read the log:
//
//	# why: what happened
//	# ban: who must be banned, and nobody else
//	# strict: the same under the scenarios "strict", if it differs
//	# maybe: who may be banned
//	# events: ADDRESS KIND NUMBER, how many attempts of a kind must count
type report struct {
	ban, strict, maybe []string
	events             []string
	log                string
}

func readReport(t *testing.T, path string) report {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	isStrict := false
	for line := range strings.Lines(string(text)) {
		name, value, isHead := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "# ")), ":")
		if !isHead || !strings.HasPrefix(line, "# ") {
			r.log += line
			continue
		}
		switch value = strings.TrimSpace(value); name {
		case "why":
		case "ban":
			r.ban = strings.Fields(value)
		case "strict":
			r.strict, isStrict = strings.Fields(value), true
		case "maybe":
			r.maybe = strings.Fields(value)
		case "events":
			r.events = append(r.events, value)
		default:
			t.Fatalf("%s: unknown %q", path, name)
		}
	}
	if !isStrict {
		r.strict = r.ban
	}
	return r
}

func TestReports(t *testing.T) {
	paths, err := filepath.Glob("reports/*.log")
	if err != nil || len(paths) < 60 {
		t.Fatalf("got %d reports, %v, want 60 or more", len(paths), err)
	}
	for _, path := range paths {
		r := readReport(t, path)
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		for set, want := range map[string][]string{"balanced": r.ban, "strict": r.strict} {
			t.Run(set+"/"+name, func(t *testing.T) {
				t.Parallel()
				log := filepath.Join(t.TempDir(), "mail.log")
				write(t, log, r.log)
				checkBans(t, backtestFiles(t, set, "", log), want, r.maybe)
				if set == "balanced" {
					checkCounts(t, log, r.events)
				}
			})
		}
	}
}

func checkBans(t *testing.T, alerts []alert, want, maybe []string) {
	t.Helper()
	bans := slices.DeleteFunc(alerts, func(a alert) bool { return a.Verdict != "ban" })
	for _, a := range bans {
		if !slices.ContainsFunc(slices.Concat(want, maybe), func(ip string) bool { return covers(a, ip) }) {
			t.Errorf("wrong ban: %+v", a)
		}
	}
	for _, ip := range want {
		if !slices.ContainsFunc(bans, func(a alert) bool { return covers(a, ip) }) {
			t.Errorf("attacker %s is not banned", ip)
		}
	}
}

// checkCounts compares how many attempts of a kind count with those that a report says.
func checkCounts(t *testing.T, log string, want []string) {
	t.Helper()
	if len(want) == 0 {
		return
	}
	var out, complaint bytes.Buffer
	status := cli.Main(t.Context(), []string{"events", "-q", "-o", "json", log}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &complaint})
	if status != 0 {
		t.Fatalf("status %d: %s", status, complaint.String())
	}
	got := map[string]int{}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var e struct {
			IP, Kind                   string
			Attempts                   int
			Folded, Repeated, Withheld bool
			LoggedIn                   bool `json:"logged_in"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if !e.Folded && !e.Repeated && !e.Withheld && !e.LoggedIn {
			got[e.IP+" "+e.Kind] += e.Attempts
		}
	}
	for _, w := range want {
		who, count := cutLast(w)
		if n, err := strconv.Atoi(count); err != nil || got[who] != n {
			t.Errorf("%s: got %d, want %s", who, got[who], count)
		}
	}
}

// cutLast splits at the last space.
func cutLast(text string) (before, after string) {
	at := strings.LastIndexByte(text, ' ')
	return text[:max(at, 0)], text[at+1:]
}
