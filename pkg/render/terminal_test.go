package render

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
)

// hostile holds what a terminal obeys: an escape sequence, its one-byte twin from
// the upper control characters, NUL, a line end, and a turn of the direction.
const hostile = "a\x1b[31m\u009b2J\x00\r\n\u202e\U000e0041b"

func checkPrintable(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\n' {
			t.Errorf("%s: %q in %q", what, r, text)
			return
		}
	}
	if strings.Contains(text, "\r") || strings.Contains(text, "a\n") {
		t.Errorf("%s: a line of the client's own in %q", what, text)
	}
}

// Whatever a client calls itself, no output gives it to the terminal as it is.
func TestTerminal(t *testing.T) {
	account := event.Alert{Scenario: "csmail/x", Scope: event.ScopeAccount, Account: hostile, Message: "an account saw"}
	found := engine.Finding{Alert: account}
	outputs := map[string]func(b *bytes.Buffer) error{
		"pushed": func(b *bytes.Buffer) error {
			Pushed(b, []engine.Finding{found}, []lapi.Outcome{
				{Alert: account, Status: lapi.Pushed, ID: "1"}, {Alert: account, Status: lapi.HeldBack}, {Alert: account, Status: lapi.Rejected},
			}, map[string]lapi.Look{"1": {Known: true, Bans: []lapi.Ban{{Type: hostile}}}}, time.UTC)
			return nil
		},
		"why": func(b *bytes.Buffer) error {
			return Why(b, Answer{
				Why:  report.Why{Addr: netip.MustParseAddr("192.0.2.1"), Alerts: []report.Alert{{Value: Printable(hostile), Checks: []string{"x"}}}},
				LAPI: []lapi.Known{{Value: strings.NewReplacer("\r", "", "\n", "").Replace(hostile)}},
			}, time.UTC, true, Screen{})
		},
		"events": func(b *bytes.Buffer) error {
			e := NewEvents(b, EventsJSON, time.UTC)
			e.Print("x", engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{User: hostile, Helo: hostile}}})
			return e.Flush()
		},
		"crowdsec": func(b *bytes.Buffer) error {
			return CrowdSecEvent(b, &event.Event{}, map[string]string{"username": hostile}, nil)
		},
	}
	for name, write := range outputs {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		checkPrintable(t, name, b.String())
	}
}

// What is escaped reads the same, and all of it is printable.
func TestPlainJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Just(hostile)).Draw(t, "text")
		plain, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		escaped := escape(bytes.Clone(plain))
		var want, got string
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &got); err != nil || got != want {
			t.Fatalf("%q became %q (%v)", want, got, err)
		}
		if i := bytes.IndexFunc(escaped, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("not printable at %d: %q", i, escaped)
		}
	})
}
