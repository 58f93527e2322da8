package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log that the configuration names is read as csmail run reads it, whether it is named on
// the command line or not. Any other log is read as it is.
func TestLogsAreReadAsConfigured(t *testing.T) {
	dir := t.TempDir()
	var wrapped strings.Builder
	for i := range 8 {
		fmt.Fprintf(&wrapped, "Jan  7 08:%02d:00 host docker[32360]: Jan  7 06:%02d:00 mail postfix/smtpd[4%02d]: warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: x\n", i, i, i)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	log, rotated, other := write("mail.log", wrapped.String()), write("mail.log.1", wrapped.String()), write("other.log", wrapped.String())
	const source = "sources:\n  - source: file\n    filenames: [%s]\n"
	plain := write("plain.yaml", fmt.Sprintf(source, log))
	docker := write("docker.yaml", fmt.Sprintf(source+"    envelope: docker\n", log))
	pattern := write("pattern.yaml", fmt.Sprintf(source+"    envelope: docker\n", filepath.Join(dir, "m*.log")))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no log is named":            {[]string{"-c", docker, "scan"}, "203.0.113.66\n"},
		"the log is named":           {[]string{"-c", docker, "scan", log}, "203.0.113.66\n"},
		"a rotated copy":             {[]string{"-c", docker, "scan", rotated}, "203.0.113.66\n"},
		"a pattern":                  {[]string{"-c", pattern, "scan", log}, "203.0.113.66\n"},
		"another log":                {[]string{"-c", docker, "scan", other}, ""},
		"without an envelope":        {[]string{"-c", plain, "scan", log}, ""},
		"another log, with the flag": {[]string{"-c", plain, "scan", "--envelope", "docker", other}, "203.0.113.66\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, complaint bytes.Buffer
			status := Main(t.Context(), append(tt.args, "-o", "raw", "-q"), Streams{In: strings.NewReader(""), Out: &out, Err: &complaint})
			if status != 0 || out.String() != tt.want {
				t.Errorf("got status %d, %q, want %q; %s", status, out.String(), tt.want, complaint.String())
			}
		})
	}
}

// So are the times of its lines, if no flag names a zone.
func TestTimesAreReadAsConfigured(t *testing.T) {
	dir := t.TempDir()
	log, file := filepath.Join(dir, "mail.log"), filepath.Join(dir, "csmail.yaml")
	line := "Jan  7 08:00:00 mx postfix/smtpd[4]: warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: x\n"
	for path, text := range map[string]string{log: strings.Repeat(line, 6), file: "sources:\n  - source: file\n    filenames: [" + log + "]\n    timezone: Asia/Tokyo\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for flag, want := range map[string]string{"": "-01-06T23:00:00Z", "UTC": "-01-07T08:00:00Z"} {
		args := []string{"-c", file, "backtest", "-q", "-o", "json", log}
		if flag != "" {
			args = append(args, "--timezone", flag)
		}
		var out, complaint bytes.Buffer
		if status := Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &complaint}); status != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("--timezone %q: got status %d, %s, want a finding at %q; %s", flag, status, out.String(), want, complaint.String())
		}
	}
}
