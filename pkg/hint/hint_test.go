package hint

import (
	"errors"
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	err := fmt.Errorf("outer: %w", Wrap(errors.New("inner"), "try %d", 1))
	if err.Error() != "outer: inner" || Of(err) != "try 1" || Of(errors.New("x")) != "" || Wrap(nil, "x") != nil {
		t.Errorf("%v, hint %q, want err \"outer: inner\", \"try 1\", \"\", nil", err, Of(err))
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"capcity", "capacity", 1}, {"filter", "fitler", 2}, {"leak", "leak", 0}} {
		if got := Distance(tt.a, tt.b); got != tt.want || Distance(tt.b, tt.a) != got {
			t.Errorf("%q, %q: %d", tt.a, tt.b, got)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"status", "scan", "run", "Ip"}
	for word, want := range map[string]string{"statsu": "status", "scna": "scan", "SCAN": "scan", "ip": "Ip", "rain": "run", "completion": ""} {
		if got := Nearest(word, names, 2); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	if got := Nearest("scat", names, 0); got != "" {
		t.Errorf("no letter may differ: %q, want \"\"", got)
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"leaky", "trigger", "Ip"}
	for word, want := range map[string]string{"leeky": `; did you mean "leaky"?`, "tiggre": `; did you mean "trigger"?`, "i": `; did you mean "Ip"?`, "conditional": "", "": ""} {
		if got := DidYouMean(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
