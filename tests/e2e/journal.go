//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
)

const journalRemote = "/lib/systemd/systemd-journal-remote"

// writeJournal makes a real journal file at path, with systemd's own writer.
func writeJournal(path string, lines []logLine) error {
	export := path + ".export"
	if err := os.WriteFile(export, formatLines(lines, logLine.export), 0o644); err != nil {
		return err
	}
	if out, err := exec.Command(journalRemote, "-o", path, export).CombinedOutput(); err != nil {
		return fmt.Errorf("systemd-journal-remote: %w: %s", err, out)
	}
	return os.Remove(export)
}

// journalFields keeps the sample small: what else an entry has says nothing of mail.
const journalFields = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME"

// readJournal prints the entries of the journal file as JSON, one a line.
func readJournal(path string) ([]byte, error) {
	out, err := exec.Command("journalctl", "--file", path, "-o", "json", "--output-fields="+journalFields, "--no-pager").Output()
	if err != nil {
		return nil, fmt.Errorf("journalctl: %w", err)
	}
	return out, nil
}
