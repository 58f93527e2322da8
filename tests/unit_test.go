package tests

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// unit returns what the shipped unit sets: each key with its values.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../config/csmail.service")
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings
}

// The default source of the daemon is the journal, so the unit must leave journalctl
// what it reads: systemd-journal's files, and with --follow the boot ID in /proc/sys.
func TestUnitLetsTheJournalBeRead(t *testing.T) {
	settings := unit(t)
	for _, subset := range settings["ProcSubset"] {
		if subset != "all" {
			t.Errorf("ProcSubset=%s hides /proc/sys/kernel/random/boot_id from journalctl --follow", subset)
		}
	}
	for key, want := range map[string]string{"SupplementaryGroups": "systemd-journal", "ReadWritePaths": "", "InaccessiblePaths": ""} {
		got := strings.Fields(strings.Join(settings[key], " "))
		if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	for _, calls := range settings["SystemCallFilter"] {
		if strings.HasPrefix(calls, "~") && strings.Contains(calls, "@process") {
			t.Errorf("SystemCallFilter=%s: journalctl could not be started", calls)
		}
	}
}

// A LAPI that is away must not keep the service from its start, nor a reload from the
// running one; and the collector must know of the limit before the kernel does.
func TestUnitStartsWithoutTheLAPI(t *testing.T) {
	settings := unit(t)
	for _, command := range append(settings["ExecStartPre"], settings["ExecReload"]...) {
		if strings.Contains(command, "run -t") && !strings.Contains(command, "--offline") {
			t.Errorf("%s waits for the LAPI", command)
		}
	}
	if got := strings.Join(settings["Environment"], " "); !strings.HasPrefix(got, "GOMEMLIMIT=") {
		t.Errorf("Environment=%q sets no GOMEMLIMIT", got)
	}
}

// postscreen waits for ten seconds for a csmail that hangs, then port 25 is down. csmail
// asks systemd for a period of 5 s; a hung process does not end by SIGABRT.
func TestUnitEndsAHungCsmailBeforePostscreenGivesUp(t *testing.T) {
	settings := unit(t)
	if got := settings["WatchdogSec"]; !slices.Equal(got, []string{"60"}) {
		t.Errorf("WatchdogSec=%q, want 60: without a watchdog csmail asks for none", got)
	}
	if got := settings["TimeoutAbortSec"]; !slices.Equal(got, []string{"2"}) {
		t.Errorf("TimeoutAbortSec=%q, want 2: with the period it must stay below 10 s", got)
	}
}
