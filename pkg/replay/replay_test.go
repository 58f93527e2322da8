package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/input/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var received = time.Date(2026, 6, 4, 0, 0, 0, 0, time.UTC)

// text is a source whose blocks are given, one a string.
type text []string

func (text) Name() string { return "text" }
func (text) Size() int64  { return 100 }
func (t text) Read(_ context.Context, yield func(archive.Block) error) error {
	first := int64(1)
	for _, s := range t {
		b := archive.Block{Text: s, First: first, Received: received, Consumed: 50}
		if err := yield(b); err != nil {
			return err
		}
		first += int64(strings.Count(s, "\n"))
	}
	return nil
}

const prefix = "Jun  3 04:11:09 mail postfix/smtpd[42]: "

func TestOrderAndNumbers(t *testing.T) {
	var blocks text
	for i := range 500 {
		blocks = append(blocks, fmt.Sprintf(prefix+"connect from unknown[192.0.2.1]\n"+prefix+"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: %d\nno header\n", i))
	}
	var lines []int64
	tally, err := Run(t.Context(), []archive.Input{blocks}, Options{Zone: time.UTC, Result: func(_ string, r *engine.Result) {
		lines = append(lines, r.Line)
		if r.Kind == event.AuthFailed && r.Reason != fmt.Sprint(r.Line/3) {
			t.Fatalf("line %d says %q", r.Line, r.Reason)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1000 || lines[0] != 1 || lines[999] != 1499 {
		t.Errorf("%d records", len(lines))
	}
	if tally.Lines != 1500 || tally.Outcomes[event.NoHeader] != 500 || tally.Outcomes[event.Noted] != 500 {
		t.Errorf("tally %+v", tally)
	}
}

func TestSessionsAreJoined(t *testing.T) {
	var kept int
	_, err := Run(t.Context(), []archive.Input{text{
		prefix + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n",
		prefix + "disconnect from unknown[192.0.2.1] auth=0/1 commands=0/1\n",
	}}, Options{Result: func(_ string, r *engine.Result) {
		if !r.Folded {
			kept++
		}
	}})
	if err != nil || kept != 1 {
		t.Errorf("%d kept, error %v, want kept 1", kept, err)
	}
}

func TestNotALog(t *testing.T) {
	_, err := Run(t.Context(), []archive.Input{text{"\x00\x01\n\n"}}, Options{})
	if err == nil || !strings.Contains(err.Error(), `"text" is not a log: none of its 2 lines`) || hint.Of(err) == "" {
		t.Errorf("error %v, want an error containing %q, a hint", err, `"text" is not a log: none of its 2 lines`)
	}
	if _, err := Run(t.Context(), []archive.Input{text{}}, Options{}); err != nil {
		t.Errorf("an empty log: %v", err)
	}
}

func TestMissedAndProgress(t *testing.T) {
	var missed []string
	var last int64
	_, err := Run(t.Context(), []archive.Input{text{prefix + "news\n"}, text{prefix + "connect from a[192.0.2.1]\n"}}, Options{
		Result:   func(string, *engine.Result) {},
		Missed:   func(line string) { missed = append(missed, line) },
		Progress: func(done, total int64) { last = done*1000 + total },
	})
	if err != nil || len(missed) != 1 || missed[0] != prefix+"news" || last != 150*1000+200 {
		t.Errorf("missed %q, progress %d, error %v, want 1 missed, missed %v, last %d", missed, last, err, prefix+"news", 150*1000+200)
	}
}

// endless never ends by itself.
type endless struct{ text }

func (endless) Read(ctx context.Context, yield func(archive.Block) error) error {
	for {
		if err := yield(archive.Block{Text: prefix + "connect from a[192.0.2.1]\n", First: 1, Received: received}); err != nil {
			return err
		}
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := Run(ctx, []archive.Input{endless{}}, Options{Result: func(string, *engine.Result) {
		if n++; n == 100 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %q", err, context.Canceled)
	}
}
