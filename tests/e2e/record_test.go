//go:build e2e

package e2e

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var writeSamples = flag.Bool("record", false, "write the recorded logs to tests/samples")

// maxSample keeps what is checked in small. How many bytes a recording has varies
// by some percent with the timing.
const maxSample = 512 << 10

// TestRecord records every form in which the daemons' lines reach csmail, of each
// release that is there: see [releases]. With -record they become the samples of
// tests/samples.
func TestRecord(t *testing.T) {
	all, err := releases()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			folder := t.TempDir()
			if *writeSamples {
				folder = filepath.Join("..", "samples", r.samples)
			}
			t.Run("everyday", func(t *testing.T) { writeRecorded(t, folder, everyday(t, r.setup)) })
			t.Run("provoked", func(t *testing.T) { writeRecorded(t, folder, provoked(t, r.setup)) })
		})
	}
}

func writeRecorded(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if len(text) == 0 || len(text) > maxSample {
			t.Errorf("%s has %d bytes, expected 1 to %d", name, len(text), maxSample)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// everyday is the clients of [scenarios], in every form of log.
func everyday(t *testing.T, s setup) map[string][]byte {
	t.Helper()
	syslog := mustRecord(t, clients(), s)
	s.OwnLogs = true
	own := mustRecord(t, clients(), s)
	journal := filepath.Join(t.TempDir(), "mail.journal")
	if err := writeJournal(journal, syslog.lines); err != nil {
		t.Fatal(err)
	}
	entries, err := readJournal(journal)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(entries, []byte("\n")); got != len(syslog.lines) {
		t.Errorf("the journal has %d entries, expected %d", got, len(syslog.lines))
	}
	return map[string][]byte{
		"mail-rfc3164.log": formatLines(syslog.lines, logLine.rfc3164),
		"mail-rfc3339.log": formatLines(syslog.lines, logLine.rfc3339),
		"journal.json":     entries,
		"postfix-own.log":  own.postfixOwn,
		"dovecot-own.log":  own.dovecotOwn,
	}
}

func mustRecord(t *testing.T, players []*Client, s setup) *recording {
	t.Helper()
	rec, err := record(players, s)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
