package hint

import (
	"errors"
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	err := fmt.Errorf("outer: %w", Wrap(errors.New("inner"), "try %d", 1))
	if err.Error() != "outer: inner" || Of(err) != "try 1" || Of(errors.New("x")) != "" || Wrap(nil, "x") != nil {
		t.Errorf("%v, hint %q", err, Of(err))
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
