package situations

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"csmail/pkg/cli"
)

// told is one alert, however a command tells of it.
type told struct{ Scenario, Scope, Value, Verdict string }

// csmail runs a command that must succeed without a word.
func csmail(t *testing.T, args ...string) string {
	t.Helper()
	var out, complaint bytes.Buffer
	status := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &complaint})
	if status != 0 || complaint.Len() > 0 {
		t.Fatalf("%q: status %d: %s", args, status, complaint.String())
	}
	return out.String()
}

// No Postfix or Dovecot of this host has a say. Each situation is a command with a little
// heap of its own: collecting garbage seldom saves a third of the processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Setenv("PATH", "/nonexistent")
	os.Setenv("MAIL_CONFIG", "/nonexistent")
	os.Exit(m.Run())
}

// Scan, backtest, explain and why say the same of the same log: backtest and
// explain the same alerts in the same order, why those of an address, and scan of
// each source the scenarios and the gravest verdict.
func TestCommandsAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("every situation by four commands")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "csmail.yaml")
	write(t, config, "guard: {relays: [198.51.100.251]}\n")
	logs := map[string][]string{}
	for _, pattern := range []string{"../samples/*.log", "../samples/debian13/*.log", "../../scenarios/tests/*/*.log"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			logs[file] = []string{file}
		}
	}
	for _, s := range append(Honest(), Outages()...) {
		logs[s.Name] = []string{written(t, s.Name, s.Log.String())}
	}
	logs["repetitions"] = []string{written(t, "repetitions", repetitions)}
	logs["two files"] = halves(t, botnet().Log.String())
	for name, files := range logs {
		for _, set := range []string{"balanced", "strict"} {
			t.Run(set+"/"+name, func(t *testing.T) {
				t.Parallel()
				agree(t, append([]string{"-c", config, "--scenarios", set}, files...))
			})
		}
	}
}

// repetitions are lines that classic syslogd did not write.
const repetitions = `Jun  3 04:11:12 mx1 postfix/smtpd[45]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username=a
Jun  3 04:11:13 mx1 last message repeated 7 times
Jun  3 04:11:14 mx1 kernel: x
Jun  3 04:11:15 mx1 last message repeated 70 times
`

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' {
			return '-'
		}
		return r
	}, name)+".log")
	write(t, path, text)
	return path
}

// halves deals the lines of a log out to two files, the later one named first.
func halves(t *testing.T, text string) []string {
	t.Helper()
	var parts [2]strings.Builder
	for i, line := range slices.Collect(strings.Lines(text)) {
		parts[(i+1)%2].WriteString(line)
	}
	return []string{written(t, "second", parts[0].String()), written(t, "first", parts[1].String())}
}

func agree(t *testing.T, args []string) {
	alerts := backtested(t, args)
	if got := explained(t, args); !slices.Equal(got, alerts) {
		t.Fatalf("explain tells of %d alerts %+v\nbacktest of %d %+v", len(got), got, len(alerts), alerts)
	}
	addresses := compareScan(t, args, alerts)
	for i, addr := range addresses {
		if i != 0 && i != len(addresses)/2 && i != len(addresses)-1 {
			continue // why reads the whole log each time
		}
		want := slices.DeleteFunc(slices.Clone(alerts), func(a told) bool { return !a.covers(addr) })
		if got := asked(t, addr, args); !slices.Equal(got, want) {
			t.Errorf("why %s tells of %+v, backtest of %+v", addr, got, want)
		}
	}
}

func backtested(t *testing.T, args []string) []told {
	t.Helper()
	var got struct{ Alerts []told }
	decode(t, csmail(t, append([]string{"backtest", "-q", "-o", "json"}, args...)...), &got)
	return got.Alerts
}

func decode(t *testing.T, text string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
}

var (
	verdictStage = regexp.MustCompile("^ (?:\\|-|`-) guard: (\\w+)")
	alertStage   = regexp.MustCompile("^ (?:\\|-|`-) alert (\\S+) on (\\S+) (.*)$")
)

// explained reads the alerts out of the trees. Text of a log stands in no line
// that begins as a stage does.
func explained(t *testing.T, args []string) []told {
	t.Helper()
	var alerts []told
	verdict := ""
	for line := range strings.Lines(csmail(t, append([]string{"explain", "-q"}, args...)...)) {
		line = strings.TrimSuffix(line, "\n")
		if m := verdictStage.FindStringSubmatch(line); m != nil {
			verdict = m[1]
		}
		if m := alertStage.FindStringSubmatch(line); m != nil {
			alerts = append(alerts, told{m[1], m[2], m[3], verdict})
		}
	}
	return alerts
}

func (a told) covers(addr netip.Addr) bool {
	if p, err := netip.ParsePrefix(a.Value); err == nil {
		return p.Contains(addr)
	}
	return a.Scope == "Ip" && a.Value == addr.String()
}

var gravity = []string{"none", "alert", "hold", "ban"}

// compareScan holds each row of scan against the alerts, and returns the
// addresses.
func compareScan(t *testing.T, args []string, alerts []told) []netip.Addr {
	t.Helper()
	var rows []struct {
		Source    netip.Addr
		Scenarios []string
		Verdict   string
	}
	decode(t, csmail(t, append([]string{"scan", "-q", "-o", "json"}, args...)...), &rows)
	var addresses []netip.Addr
	met := map[told]bool{}
	for _, row := range rows {
		addresses = append(addresses, row.Source)
		verdict, scenarios := "none", []string{}
		for _, a := range alerts {
			if !a.covers(row.Source) {
				continue
			}
			met[a] = true
			scenarios = append(scenarios, a.Scenario)
			if slices.Index(gravity, a.Verdict) > slices.Index(gravity, verdict) {
				verdict = a.Verdict
			}
		}
		slices.Sort(scenarios)
		if scenarios = slices.Compact(scenarios); row.Verdict != verdict || !slices.Equal(row.Scenarios, scenarios) {
			t.Errorf("scan says of %s %q by %q, backtest %q by %q", row.Source, row.Verdict, row.Scenarios, verdict, scenarios)
		}
	}
	for _, a := range alerts {
		if a.Scope != "Username" && !met[a] {
			t.Errorf("scan has no row for %+v", a)
		}
	}
	return addresses
}

func asked(t *testing.T, addr netip.Addr, args []string) []told {
	t.Helper()
	var got struct{ Alerts []told }
	decode(t, csmail(t, append([]string{"why", "-q", "--no-lapi", "-o", "json", addr.String()}, args...)...), &got)
	if got.Alerts == nil {
		return []told{}
	}
	return got.Alerts
}

// Nothing of the samples is left out of the comparison.
func TestEverySampleIsCompared(t *testing.T) {
	err := filepath.WalkDir("../samples", func(path string, _ fs.DirEntry, err error) error {
		depth := strings.Count(strings.TrimPrefix(filepath.ToSlash(path), "../samples"), "/")
		if strings.HasSuffix(path, ".log") && depth > 1 && !strings.Contains(path, "debian13/") {
			return fmt.Errorf("%s is in a folder that the test does not know", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
