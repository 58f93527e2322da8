package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// Line is a log line that a parser of each stage took, and what they made of it.
type Line struct {
	Raw    string
	Time   string // evt.MarshaledTime
	Meta   map[string]string
	Parsed map[string]string
}

// dumped is the part of crowdsec's parser-dump.yaml that we read: what went
// through each parser of each stage (pkg/parser and pkg/dumps, v1.7.8).
type dumped map[string]map[string][]struct {
	Success bool `yaml:"success"`
	Evt     struct {
		Line struct {
			Raw string `yaml:"Raw"`
		} `yaml:"Line"`
		MarshaledTime string            `yaml:"MarshaledTime"`
		Meta          map[string]string `yaml:"Meta"`
		Parsed        map[string]string `yaml:"Parsed"`
	} `yaml:"evt"`
}

// Parse gives the log, whose lines are of the acquisition type logType, to
// crowdsec and returns those lines that came through all stages, in order.
func (s Setup) Parse(ctx context.Context, logType string, log []byte) ([]Line, error) {
	dir, err := os.MkdirTemp("", "csmail-engine-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	sink := newSink()
	defer sink.close()
	dump := filepath.Join(dir, "dump")
	if err := s.run(ctx, dir, sink.server.URL, logType, log, "-dump-data", dump); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dump, "parser-dump.yaml"))
	if err != nil {
		return nil, err
	}
	var stages dumped
	if err := yaml.Unmarshal(text, &stages); err != nil {
		return nil, fmt.Errorf("what crowdsec dumped: %w", err)
	}
	var lines []Line
	for _, r := range stages[stageEnrich]["crowdsecurity/dateparse-enrich"] {
		if r.Success {
			lines = append(lines, Line{r.Evt.Line.Raw, r.Evt.MarshaledTime, r.Evt.Meta, r.Evt.Parsed})
		}
	}
	return lines, nil
}
