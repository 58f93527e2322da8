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

const maxSample = 320 << 10

// TestRecord records every form in which the daemons' lines reach csmail. With
// -record they become the samples of tests/samples.
func TestRecord(t *testing.T) {
	folder := t.TempDir()
	if *writeSamples {
		folder = filepath.Join("..", "samples")
	}
	for name, text := range samples(t) {
		if len(text) == 0 || len(text) > maxSample {
			t.Errorf("%s has %d bytes, expected 1 to %d", name, len(text), maxSample)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Error(err)
		}
	}
}

func samples(t *testing.T) map[string][]byte {
	t.Helper()
	syslog := mustRecord(t, false)
	own := mustRecord(t, true)
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

func mustRecord(t *testing.T, ownLogs bool) *recording {
	t.Helper()
	rec, err := record(clients(), ownLogs)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
