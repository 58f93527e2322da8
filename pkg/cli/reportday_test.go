package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/daemon"
)

// The day of the log in testdata/report.txtar, half of it, 24 hours of two days and
// several days, as a daemon that followed the log has it and as it is read from the
// file.
func TestReportOfDaemonEqualsTheLog(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/report.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := "2026-11-27T12:00:00+00:00 mx1 postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix\n"
	for _, f := range archive.Files {
		if f.Name == "mail.log" {
			text += string(f.Data)
		}
	}
	dir := t.TempDir()
	log, conf := filepath.Join(dir, "mail.log"), filepath.Join(dir, "csmail.yaml")
	write(t, log, "")
	write(t, conf, fmt.Sprintf("lapi: {credentials: %[1]s/none.yaml}\nstate: %[1]s/s.db\nsocket: %[1]s/sock\nsources: [{source: file, filenames: [%[2]s], timezone: UTC}]\n", dir, log))
	stop := follow(t, conf)
	write(t, log, text)
	ask := control.NewClient(filepath.Join(dir, "sock"))
	for range 400 {
		if s, err := ask.Status(t.Context()); err == nil && s.Lines == int64(strings.Count(text, "\n")) && s.Sources[0].Lag == 0 && s.State.Unstored == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := os.Rename(log, log+".1"); err != nil { // the daemon alone knows it now
		t.Fatal(err)
	}
	for _, window := range [][]string{
		{"--day", "2026-11-28"},
		{"--since", "2026-11-28", "--until", "2026-11-28 12:00"},
		{"--since", "2026-11-28 09:00", "--until", "2026-11-29 09:00"},
		{"--since", "2026-11-28", "--until", "2026-11-30"},
	} {
		for _, output := range []string{"json", "csv"} {
			ofDaemon := reportOf(t, output, conf, window...)
			ofLog := reportOf(t, output, conf, append(window, log+".1")...)
			if ofDaemon != ofLog {
				t.Errorf("%q -o %s: the daemon's is\n%s\nthat of the log is\n%s", window, output, ofDaemon, ofLog)
			}
		}
	}
	stop()
}

// follow runs a daemon until stop is called. Its clock shows the afternoon of the log's
// day: a day later the offences would be too old for its first start.
func follow(t *testing.T, conf string) (stop func()) {
	t.Helper()
	began, day := time.Now(), time.Date(2026, 11, 28, 15, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{
			Load: func() (config.Config, error) { return config.Load(conf) }, Path: conf, Log: slog.New(slog.DiscardHandler),
			Now: func() time.Time { return day.Add(time.Since(began)) },
			Notify: func(m string) {
				if m == "READY=1" {
					close(ready)
				}
			},
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the daemon ended: %v", err)
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// reportOf runs csmail report, and leaves out what is of the run and of the lines
// and days beside the day.
func reportOf(t *testing.T, output, conf string, args ...string) string {
	t.Helper()
	var out, problems strings.Builder
	status := Main(t.Context(), append([]string{"report", "-q", "-c", conf, "-o", output}, args...), Streams{In: strings.NewReader(""), Out: &out, Err: &problems})
	if status != 0 || problems.Len() > 0 {
		t.Fatalf("status %d: %s", status, problems.String())
	}
	if output == "json" {
		var doc map[string]any
		if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"generated", "lines", "before"} {
			delete(doc, key)
		}
		text, _ := json.MarshalIndent(doc, "", " ")
		return string(text)
	}
	var kept []string
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, "lines") && !strings.Contains(line, "Generated") && !strings.Contains(line, "made ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
