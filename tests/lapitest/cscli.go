package lapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Cscli runs cscli with the server's configuration and returns its standard
// output. Its standard error is in the error only.
func (s *Server) Cscli(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.cscli, append([]string{"-c", filepath.Join(s.Dir, configFile)}, args...)...)
	cmd.SysProcAttr = endsWithParent()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("cscli %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// AddMachine registers a machine with a password and returns the path of its
// credentials file, written by cscli.
func (s *Server) AddMachine(ctx context.Context, name string) (string, error) {
	path := filepath.Join(s.Dir, name+"_credentials.yaml")
	_, err := s.Cscli(ctx, "machines", "add", name, "--auto", "--force", "--url", s.URL, "-f", path)
	return path, err
}

// AddBouncer registers a bouncer and returns its key.
func (s *Server) AddBouncer(ctx context.Context, name string) (string, error) {
	key, err := s.Cscli(ctx, "bouncers", "add", name, "-o", "raw")
	return strings.TrimSpace(key), err
}

// Decision is one active decision, as cscli lists it.
type Decision struct {
	ID        int
	AlertID   int
	Value     string
	Scope     string
	Type      string
	Scenario  string
	Origin    string
	Simulated bool
	Duration  time.Duration // what is left of it
}

// Decisions returns the active decisions, in cscli's order. cscli shows
// decisions on the same value and of the same type once.
func (s *Server) Decisions(ctx context.Context) ([]Decision, error) {
	out, err := s.Cscli(ctx, "decisions", "list", "--limit", "0", "-o", "json")
	if err != nil {
		return nil, err
	}
	var alerts []struct {
		ID        int `json:"id"`
		Decisions []struct {
			ID        int    `json:"id"`
			Value     string `json:"value"`
			Scope     string `json:"scope"`
			Type      string `json:"type"`
			Scenario  string `json:"scenario"`
			Origin    string `json:"origin"`
			Simulated bool   `json:"simulated"`
			Duration  string `json:"duration"`
		} `json:"decisions"`
	}
	if err := json.Unmarshal([]byte(out), &alerts); err != nil {
		return nil, fmt.Errorf("cscli decisions list: %w: %q", err, out)
	}
	var decisions []Decision
	for _, a := range alerts {
		for _, d := range a.Decisions {
			left, err := time.ParseDuration(d.Duration)
			if err != nil {
				return nil, fmt.Errorf("cscli decisions list: %w", err)
			}
			decisions = append(decisions, Decision{
				ID: d.ID, AlertID: a.ID, Value: d.Value, Scope: d.Scope, Type: d.Type,
				Scenario: d.Scenario, Origin: d.Origin, Simulated: d.Simulated, Duration: left,
			})
		}
	}
	return decisions, nil
}
