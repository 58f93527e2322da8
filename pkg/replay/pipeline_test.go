package replay

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/input/archive"
)

// The results on several cores are those on one, with findings that stay valid: in a
// flood, in ordinary traffic, and where one turns into the other.
func TestPipelineChangesNothing(t *testing.T) {
	var log text
	for i := range 200 {
		var block strings.Builder
		for line := range 100 {
			message := fmt.Sprintf("warning: unknown[192.0.2.%d]: SASL LOGIN authentication failed: x, sasl_username=u%d", (i*line)%90, line%5)
			switch {
			case i/50%2 == 1 && line%2 == 0:
				message = fmt.Sprintf("connect from a[198.51.100.%d]", line)
			case line%10 == 9:
				message = fmt.Sprintf("disconnect from unknown[192.0.2.%d] ehlo=1 auth=0/3 commands=1/4", (i*line)%90)
			}
			fmt.Fprintf(&block, "Jun  3 04:%02d:%02d mail postfix/smtpd[%d]: %s\n", i/4, line/2, line%7, message)
		}
		log = append(log, block.String())
	}
	results := func(cores int) []string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		var all []string
		_, err := Run(t.Context(), []archive.Input{log}, Options{Zone: time.UTC, Engine: judging(t), Result: func(source string, r *engine.Result) {
			all = append(all, fmt.Sprint(source, r.Line, r.Kind, r.Attempts, r.Folded, r.Guessed, len(r.Excused()), len(r.Released()), len(r.Superseded())))
			for _, f := range r.Findings {
				all = append(all, fmt.Sprint(f.Alert.Scenario, f.Alert.Value(), f.Alert.Last, f.Verdict.Action))
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want, got := results(1), results(4)
	if !slices.Equal(got, want) {
		t.Errorf("got %d results, want %d, or some differ", len(got), len(want))
	}
	if !slices.ContainsFunc(want, func(s string) bool { return strings.Contains(s, "csmail/") }) {
		t.Error("got no finding, want some")
	}
}

// A pipeline begins in a flood and ends behind it.
func TestPipelineBegins(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	r := newRun(Options{Result: func(string, *engine.Result) {}, Engine: engine.New(engine.Options{})}, nil)
	for _, tt := range []struct {
		offences int
		want     bool
	}{{0, false}, {loadWindow * 3 / 5, false}, {loadWindow * 3 / 4, true}, {loadWindow * 3 / 5, true}, {loadWindow / 3, false}} {
		r.load = load{loadWindow, tt.offences}
		if r.spread(); (r.pipeline != nil) != tt.want {
			t.Errorf("%d offences of %d: got a pipeline %t, want %t", tt.offences, loadWindow, r.pipeline != nil, tt.want)
		}
	}
	r.stopPipeline()
}
