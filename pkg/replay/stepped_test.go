package replay

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
)

// attacked is a log of guesses, logins and mail of some clients, in blocks.
func attacked(lines int) text {
	random := rand.New(rand.NewPCG(3, 4))
	var blocks text
	var block strings.Builder
	at := time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC)
	for i := range lines {
		at = at.Add(time.Duration(random.IntN(20)) * time.Second)
		client := fmt.Sprintf("unknown[192.0.2.%d]", random.IntN(30))
		if random.IntN(5) == 0 {
			client = fmt.Sprintf("mail.example.net[198.51.100.%d]", random.IntN(9))
		}
		message := [...]string{
			"connect from " + client,
			fmt.Sprintf("warning: %s: SASL LOGIN authentication failed: x, sasl_username=user%d", client, random.IntN(40)),
			fmt.Sprintf("NOQUEUE: reject: RCPT from %s: 550 5.1.1 <u%d@example.org>: Recipient address rejected: User unknown; from=<> to=<u> proto=SMTP helo=<x>", client, i),
			"disconnect from " + client + " ehlo=1 auth=0/1 quit=1 commands=2/3",
			fmt.Sprintf("%X: client=%s", int64(1<<40)+int64(i), client),
			"no news",
		}[random.IntN(6)]
		fmt.Fprintf(&block, "%s mail postfix/smtpd[%d]: %s\n", at.Format(time.Stamp), 40+random.IntN(9), message)
		if random.IntN(300) == 0 {
			blocks = append(blocks, block.String())
			block.Reset()
		}
	}
	return append(blocks, block.String())
}

func judging(t *testing.T) *engine.Engine {
	t.Helper()
	set, err := detect.Load([]string{"balanced"})
	if err != nil {
		t.Fatal(err)
	}
	return engine.New(engine.Options{Scenarios: set, Limits: bucket.Limits{}})
}

func told(r engine.Result) string {
	var text strings.Builder
	fmt.Fprint(&text, r.Line, r.Folded, r.Repeated, r.Attempts)
	for _, f := range r.Findings {
		fmt.Fprint(&text, " ", f.Verdict.Action, f.Alert.Message, len(f.Alert.Evidence))
	}
	return text.String()
}

// The replay on all cores gives what one step after the other gives, for each
// line.
func TestReplayIsStepped(t *testing.T) {
	blocks := attacked(20_000)
	var want, got []string
	findings, missed := 0, 0
	stepper := judging(t)
	number := int64(0)
	for line := range strings.Lines(strings.Join(blocks, "")) {
		number++
		var r event.Record
		engine.Parse(logline.Line{Text: strings.TrimSuffix(line, "\n"), Received: received, Zone: time.UTC, Number: number}, &r)
		switch {
		case r.Outcome >= event.Witness:
			result := stepper.Step(&r)
			findings += len(result.Findings)
			want = append(want, told(result))
		case r.Outcome == event.Missed:
			missed++
			want = append(want, r.Message)
		}
	}
	_, err := Run(t.Context(), []archive.Input{blocks}, Options{
		Zone: time.UTC, Engine: judging(t),
		Result: func(_ string, r *engine.Result) { got = append(got, told(*r)) },
		Missed: func(line string) { got = append(got, line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if findings < 50 || missed < 50 {
		t.Fatalf("%d findings, %d missed: too few to tell, want findings at least 50, missed at least 50", findings, missed)
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("result %d of %d and %d: got %q, want %q", i, len(got), len(want), got[min(i, len(got)-1)], want[min(i, len(want)-1)])
		}
	}
}
