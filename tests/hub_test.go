package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"csmail/pkg/cli"
	"csmail/scenarios"
)

// hubOwn are the files of hub/ that are written by hand. All others are made from
// scenarios/ and parsers/ by go test ./tests -run Hub -update.
var hubOwn = []string{
	"collections/csmail/mail.md",
	"contexts/csmail/mail_base.yaml",
	".tests/csmail-own-refusals/config.yaml",
	".tests/csmail-own-refusals/csmail-own-refusals.log",
	".tests/csmail-own-refusals/scenario.assert",
	".tests/csmail-events/config.yaml",
	".tests/csmail-events/parser.assert",
}

// The folder hub has the layout of CrowdSec's hub, so that a pull request is a copy. What
// is in it stands elsewhere in this repository, and is the same.
func TestHub(t *testing.T) {
	want := hubFiles(t)
	if *update {
		for path, text := range want {
			path = filepath.Join("../hub", path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, text := range want {
		if got, err := os.ReadFile(filepath.Join("../hub", path)); err != nil || string(got) != text {
			t.Errorf("hub/%s is not what scenarios/ and parsers/ say (%v); go test ./tests -run Hub -update", path, err)
		}
	}
	err := filepath.WalkDir("../hub", func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel("../hub", path)
		if _, made := want[filepath.ToSlash(name)]; err == nil && !entry.IsDir() && !made && !slices.Contains(hubOwn, filepath.ToSlash(name)) {
			t.Errorf("hub/%s is neither made nor in hubOwn", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hubFiles are the files of hub/ that are made, by path.
func hubFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{"collections/csmail/mail.yaml": hubCollection()}
	for _, tree := range []string{"parsers", "scenarios/csmail"} {
		err := filepath.WalkDir(filepath.Join("..", tree), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			files[strings.TrimPrefix(filepath.ToSlash(path), "../")] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	paths, _ := scenarios.Paths("strict")
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		folder := ".tests/csmail-" + name + "/"
		files[folder+"config.yaml"] = hubConfig(name)
		log, first := untilOverflow(t, name)
		files[folder+"csmail-"+name+".log"] = agentEvents(t, log)
		files[folder+"scenario.assert"] = hubAssert(first)
	}
	files[".tests/csmail-events/csmail-events.log"] = agentEvents(t, "testdata/hub-events.log")
	return files
}

// hubCollection is the collection of the set balanced.
func hubCollection() string {
	paths, _ := scenarios.Paths("balanced")
	text := `name: csmail/mail
description: "Attacks on Postfix, Dovecot and sshd, from the events of csmail"
author: csmail
tags:
  - linux
  - mail
  - bruteforce
  - spam
labels:
  label: "Mail server"
parsers:
  - csmail/csmail-events
  - csmail/own-refusals
contexts:
  - csmail/mail_base
scenarios:
`
	for _, path := range paths {
		text += "  - " + strings.TrimSuffix(path, ".yaml") + "\n"
	}
	return text
}

func hubConfig(name string) string {
	return fmt.Sprintf(`parsers:
  - crowdsecurity/syslog-logs
  - ./parsers/s01-parse/csmail/csmail-events.yaml
  - crowdsecurity/dateparse-enrich
scenarios:
  - ./scenarios/csmail/%s.yaml
postoverflows:
  - ""
log_file: csmail-%[1]s.log
log_type: csmail
labels: {}
ignore_parsers: true
override_statics: []
`, name)
}

// agentEvents is what the agent reads of a log.
func agentEvents(t *testing.T, log string) string {
	t.Helper()
	return csmailPrints(t, "events", "-q", "-o", "crowdsec", log)
}

func csmailPrints(t *testing.T, args ...string) string {
	t.Helper()
	t.Setenv("PATH", t.TempDir()) // no Postfix or Dovecot of this host has a say
	t.Setenv("MAIL_CONFIG", t.TempDir())
	var out, complaints bytes.Buffer
	if status := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &complaints}); status != 0 {
		t.Fatalf("csmail %q: status %d, %s", args, status, &complaints)
	}
	return out.String()
}

// alert is what csmail says itself of a log.
type alert struct {
	Scenario, Value string
	EventsCount     int `json:"events_count"`
}

// untilOverflow returns a file with the lines of a scenario's test log up to those that
// make it overflow for the first time, and what csmail says of them. (The real crowdsec
// fills a second bucket by another order of its goroutines from run to run.)
func untilOverflow(t *testing.T, name string) (path string, first alert) {
	t.Helper()
	text, err := os.ReadFile("../scenarios/tests/" + name + "/over.log")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSpace(string(text)), "\n")
	path = filepath.Join(t.TempDir(), "over.log")
	alerts := func(n int) []alert {
		if err := os.WriteFile(path, []byte(strings.Join(lines[:n], "")), 0o600); err != nil {
			t.Fatal(err)
		}
		var found struct{ Alerts []alert }
		out := csmailPrints(t, "backtest", "-q", "--scenarios", "../scenarios/csmail/"+name+".yaml", "-o", "json", path)
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return found.Alerts
	}
	n := 1 + sort.Search(len(lines)-1, func(n int) bool { return len(alerts(n+1)) > 0 })
	found := alerts(n)
	if len(found) != 1 {
		t.Fatalf("%s: got the alerts %v, want one at its first overflow", name, found)
	}
	return path, found[0]
}

// hubAssert says of the real crowdsec what csmail says itself: one overflow, for whom, and
// by how many events.
func hubAssert(a alert) string {
	return fmt.Sprintf(`len(results) == 1
%q in results[0].Overflow.GetSources()
results[0].Overflow.Alert.GetScenario() == %q
results[0].Overflow.Alert.GetEventsCount() == %d
`, a.Value, a.Scenario, a.EventsCount)
}
