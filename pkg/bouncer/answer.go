package bouncer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"csmail/pkg/decision"
)

// The bounds of an answer: two million decisions, and more than anybody's table holds.
const (
	maxAnswer    = 512 << 20 // bytes
	maxDecisions = 1_000_000 // further ones are read over
)

// errAnswer means that an answer is not a LAPI's.
var errAnswer = errors.New("unexpected JSON")

// changes are the content of a stream's answer.
type changes struct {
	added   []decision.Raw
	removed []int64
}

// wire is one decision in an answer (pkg/models/decision.go, v1.7.8).
type wire struct {
	ID        int64  `json:"id"`
	Scope     string `json:"scope"`
	Value     string `json:"value"`
	Type      string `json:"type"`
	Origin    string `json:"origin"`
	Scenario  string `json:"scenario"`
	Duration  string `json:"duration"`
	Simulated bool   `json:"simulated"`
}

// readStream reads {"new": [...], "deleted": [...]}. A list may be null.
func readStream(r io.Reader) (c changes, err error) {
	d := json.NewDecoder(r)
	if err := expect(d, json.Delim('{')); err != nil {
		return changes{}, err
	}
	known := 0
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return changes{}, wrapped(err)
		}
		switch token {
		case "new":
			known++
			err = c.readDecisions(d, c.add)
		case "deleted":
			known++
			err = c.readDecisions(d, c.remove)
		default:
			var skipped json.RawMessage
			err = wrapped(d.Decode(&skipped))
		}
		if err != nil {
			return changes{}, err
		}
	}
	if known != 2 {
		return changes{}, fmt.Errorf("%w: no lists of new and deleted decisions", errAnswer)
	}
	return c, expect(d, json.Delim('}'))
}

// readList reads [...] or null.
func readList(r io.Reader) (c changes, err error) {
	d := json.NewDecoder(r)
	if err := c.readDecisions(d, c.add); err != nil {
		return changes{}, err
	}
	return c, nil
}

// add takes a decision without a number for nothing: it could never be removed.
func (c *changes) add(w *wire) {
	if w.ID != 0 && !w.Simulated && len(c.added) < maxDecisions {
		c.added = append(c.added, decision.Raw{ID: w.ID, Scope: w.Scope, Value: w.Value, Type: w.Type, Origin: w.Origin, Scenario: w.Scenario, Duration: w.Duration})
	}
}

func (c *changes) remove(w *wire) {
	if w.ID != 0 && len(c.removed) < maxDecisions {
		c.removed = append(c.removed, w.ID)
	}
}

func (c *changes) readDecisions(d *json.Decoder, take func(*wire)) error {
	token, err := d.Token()
	if err != nil {
		return wrapped(err)
	}
	if token == nil {
		return nil
	}
	if token != json.Delim('[') {
		return fmt.Errorf("%w: %.40q instead of a list", errAnswer, fmt.Sprint(token))
	}
	for d.More() {
		var w wire
		if err := d.Decode(&w); err != nil {
			return wrapped(err)
		}
		take(&w)
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return wrapped(err)
	}
	if token != want {
		return fmt.Errorf("%w: %.40q instead of %s", errAnswer, fmt.Sprint(token), want)
	}
	return nil
}

// wrapped returns a clear error for an answer that is no JSON, or JSON of another
// program. An answer that breaks off is one too: the LAPI was stopped while it sent.
func wrapped(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", errAnswer, err)
}
