//go:build e2e

package engine

import (
	"bytes"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/render"
	"csmail/pkg/scenario/expression"
)

// TestParserBringsEverything: what csmail prints for CrowdSec arrives in crowdsec
// as it was, every field of evt.Meta and evt.Parsed, and the time to the nanosecond.
func TestParserBringsEverything(t *testing.T) {
	var log bytes.Buffer
	var events []*event.Event
	at := time.Date(2026, 3, 1, 0, 0, 0, 123456789, time.FixedZone("", 3600))
	for _, p := range templates() {
		e := p.fill(t, netip.MustParseAddr("2001:db8::1"), "anna@example.org")
		at = at.Add(time.Second + time.Nanosecond)
		e.Time, e.Host = at, "mx1"
		e.User, e.Helo, e.Mechanism = `anna"<\`+"\u00e9\u2028\x01\n@example.org", "{}", "null"
		meta, parsed := expression.View(e)
		if err := render.CrowdSecEvent(&log, e, meta, parsed); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	s, err := NewSetup(parserFile)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := s.Parse(t.Context(), "csmail", log.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != len(events) {
		t.Fatalf("%d of %d lines arrive", len(lines), len(events))
	}
	for i, e := range events {
		meta, parsed := expression.View(e)
		got := maps.Clone(lines[i].Meta)
		for _, key := range []string{"datasource_path", "datasource_type", "timestamp"} { // crowdsec's own
			delete(got, key)
		}
		if !maps.Equal(got, meta) {
			t.Errorf("%s: evt.Meta\n\tgot  %v\n\twant %v", e.Kind, got, meta)
		}
		if !maps.Equal(lines[i].Parsed, parsed) {
			t.Errorf("%s: evt.Parsed\n\tgot  %v\n\twant %v", e.Kind, lines[i].Parsed, parsed)
		}
		if want := e.Time.UTC().Format(time.RFC3339Nano); lines[i].Time != want {
			t.Errorf("%s: time %s, want %s", e.Kind, lines[i].Time, want)
		}
	}
}

// TestParserLeavesOthersAlone: lines that are not csmail's, or no JSON, go on to
// the next parser and are no event here.
func TestParserLeavesOthersAlone(t *testing.T) {
	s, err := NewSetup(parserFile)
	if err != nil {
		t.Fatal(err)
	}
	line := `{"time":"2026-03-01T00:00:00Z","meta":{"kind":"auth-failed","source_ip":"192.0.2.1"},"parsed":{}}` + "\n"
	for logType, want := range map[string]int{"csmail": 1, "other": 0} {
		lines, err := s.Parse(t.Context(), logType, []byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != want {
			t.Errorf("type %s: %d lines, want %d", logType, len(lines), want)
		}
	}
	if _, err := s.Parse(t.Context(), "csmail", []byte("no JSON\n")); err == nil || !strings.Contains(err.Error(), "crowdsec complains") {
		t.Errorf("a line that is no JSON passes in silence: %v", err)
	}
}
