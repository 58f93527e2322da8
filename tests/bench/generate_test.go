package main

import (
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// A log that csmail does not read is read fast. So every line is understood, and each
// of an attacker's is an event.
func TestEveryLineIsRead(t *testing.T) {
	for _, shape := range shapes {
		path := filepath.Join(t.TempDir(), "mail.log")
		if err := generate(path, 5000, shape.write); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		received := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		reader := engine.Reader{Line: logline.Line{Received: received, Read: received, Zone: time.UTC}}
		var outcomes [event.Noted + 1]int
		lines := 0
		for line := range strings.Lines(string(text)) {
			var record event.Record
			reader.Next(strings.TrimRight(line, "\n"), &record)
			outcomes[record.Outcome]++
			lines++
		}
		if missed := outcomes[event.Missed] + outcomes[event.Ambiguous] + outcomes[event.NoHeader]; missed > 0 {
			t.Errorf("%s: got %d of %d lines that are not understood, want none", shape.name, missed, lines)
		}
		if got := outcomes[event.Noted]; strings.HasPrefix(shape.name, "worst") && got != lines {
			t.Errorf("%s: got %d events of %d lines, want as many", shape.name, got, lines)
		}
	}
}

// The log of colliding names is worth nothing unless they collide.
func TestNamesCollide(t *testing.T) {
	hashes, names := map[uint64]int{}, map[string]bool{}
	for n := range 1 << len(collisions) {
		h := fnv.New64a()
		h.Write([]byte(colliding(n)))
		hashes[h.Sum64()]++
		names[colliding(n)] = true
	}
	if len(hashes) != 1 || len(names) != 1<<len(collisions) {
		t.Errorf("got %d hashes of %d names, want 1 of %d", len(hashes), len(names), 1<<len(collisions))
	}
}
