// Package engine runs the real crowdsec, for the tests that compare csmail with
// it: crowdsec reads a file of log lines in its replay mode, where time is the
// time of the lines, with the parsers and scenarios that it is given, and the
// package returns what it made of them. The alerts come over the protocol of
// CrowdSec's Local API, which the package speaks as a server on loopback. It
// never touches the CrowdSec of the host, needs no network, and leaves no
// process behind.
package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"csmail/tests/lapitest"
)

// Alert is what an alert is compared by.
type Alert struct {
	Scenario string
	Scope    string // Ip, Range, or what the scenario says
	Value    string // the source
	Events   int    // events_count: what was poured until the overflow
}

// Compare orders alerts by scenario, source and count.
func (a Alert) Compare(b Alert) int {
	return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Scope, b.Scope),
		cmp.Compare(a.Value, b.Value), cmp.Compare(a.Events, b.Events))
}

// Setup is one crowdsec: its binary and all that it reads but the log.
type Setup struct {
	Crowdsec string // path of the binary
	Patterns string // folder of grok patterns

	// Parsers are paths of parsers by the stage that each belongs to.
	Parsers map[string][]string

	// Scenarios are the texts of scenario files by file name, one that crowdsec
	// takes: *.yaml.
	Scenarios map[string][]byte

	// Data are the files that scenarios name under data, by name.
	Data map[string][]byte

	// Expected are parts of complaints that are no error.
	Expected []string
}

// stages are those of a setup, in crowdsec's order.
const (
	stageRaw    = "s00-raw"
	stageParse  = "s01-parse"
	stageEnrich = "s02-enrich"
)

// Hub returns the folder of the hub's items in Debian's crowdsec package. Where
// it is missing, the error's hint says how to get it.
func Hub() (string, error) {
	root, err := debian()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "usr", "share", "crowdsec", "hub"), nil
}

func debian() (string, error) {
	legacy, err := lapitest.Find(lapitest.Legacy)
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(legacy.Crowdsec), "..", ".."), nil
}

// NewSetup returns a setup of the current release with the parsers that every log needs,
// those of the hub that take the syslog header off and read the date, and with
// the given ones of stage s01-parse. It has no scenarios yet.
func NewSetup(parsers ...string) (Setup, error) {
	found, err := lapitest.Find(lapitest.Current)
	if err != nil {
		return Setup{}, err
	}
	root, err := debian()
	if err != nil {
		return Setup{}, err
	}
	hub := filepath.Join(root, "usr", "share", "crowdsec", "hub", "parsers")
	return Setup{
		Crowdsec: found.Crowdsec,
		Patterns: filepath.Join(root, "etc", "crowdsec", "patterns"),
		Parsers: map[string][]string{
			stageRaw:    {filepath.Join(hub, stageRaw, "crowdsecurity", "syslog-logs.yaml")},
			stageParse:  parsers,
			stageEnrich: {filepath.Join(hub, stageEnrich, "crowdsecurity", "dateparse-enrich.yaml")},
		},
	}, nil
}

// Replay gives the log, whose lines are of the acquisition type logType, to
// crowdsec, waits until it has ended, and returns its alerts in the order of
// [Alert.Compare]. A complaint of crowdsec is an error.
func (s Setup) Replay(ctx context.Context, logType string, log []byte) ([]Alert, error) {
	dir, err := os.MkdirTemp("", "csmail-engine-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	sink := newSink()
	defer sink.close()
	if err := s.run(ctx, dir, sink.server.URL, logType, log, "-order-event"); err != nil {
		return nil, err
	}
	alerts, err := sink.alerts()
	slices.SortFunc(alerts, Alert.Compare)
	return alerts, err
}

// run writes everything that crowdsec reads into dir and runs it to its end.
func (s Setup) run(ctx context.Context, dir, lapi, logType string, log []byte, args ...string) error {
	if err := s.write(dir, lapi); err != nil {
		return err
	}
	path := filepath.Join(dir, "input.log")
	if err := os.WriteFile(path, log, 0o600); err != nil {
		return err
	}
	args = append([]string{
		"-c", filepath.Join(dir, "config.yaml"), "-warning", "-no-api", "-type", logType, "-dsn", "file://" + path,
	}, args...)
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, s.Crowdsec, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = endsWithParent()
	// One bucket is one goroutine in crowdsec, and those of one scenario share
	// their blackhole without a lock. On one processor each overflow ends before
	// the next begins, so that the alerts are the same at every run.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("crowdsec: %w: %s", err, tail(out.Bytes()))
	}
	return complaint(out.Bytes(), append([]string{"GeoLite2"}, s.Expected...)) // it has no map of the world here
}

// tail returns the last lines of an output.
func tail(out []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-5):], []byte("\n"))
}

// complaint returns the first line in which crowdsec says that it could not use
// an event, a parser or a scenario, unless it is an expected one.
func complaint(out []byte, expected []string) error {
	for line := range bytes.Lines(out) {
		bad := bytes.Contains(line, []byte("level=error")) || bytes.Contains(line, []byte("level=fatal"))
		if bad && !slices.ContainsFunc(expected, func(part string) bool { return bytes.Contains(line, []byte(part)) }) {
			return fmt.Errorf("crowdsec complains: %s", bytes.TrimSpace(line))
		}
	}
	return nil
}
