package event

import (
	"strings"
	"testing"
)

func TestBound(t *testing.T) {
	long := strings.Repeat("a", MaxText)
	for name, tt := range map[string]struct {
		user string
		same bool // it stays as it is
	}{
		"none":               {"", true},
		"a mail address":     {"bob@example.org", true},
		"the longest kept":   {long, true},
		"one byte more":      {long + "b", false},
		"a hundred thousand": {strings.Repeat("x", 100_000), false},
		"not UTF-8":          {strings.Repeat("\xff", 1000), false},
		"two bytes each":     {strings.Repeat("ä", 1000), false},
		"three, out of step": {"x" + strings.Repeat("€", 1000), false},
		"continuation bytes": {strings.Repeat("\x80", 1000), false},
	} {
		t.Run(name, func(t *testing.T) {
			e := Event{User: tt.user, Message: tt.user + strings.Repeat("m", 2000), Reason: tt.user}
			e.Bound()
			if (e.User == tt.user) != tt.same {
				t.Errorf("%d bytes became %d", len(tt.user), len(e.User))
			}
			if len(e.User) > MaxText || len(e.Message) > MaxMessage || len(e.Reason) > MaxText {
				t.Errorf("kept %d, %d and %d bytes, want User at most %v, Message at most %v, Reason at most %v",
					len(e.User), len(e.Message), len(e.Reason), MaxText, MaxMessage, MaxText)
			}
			again := e
			again.Bound()
			if again != e {
				t.Error("bounded twice it is another")
			}
		})
	}
}

// Names that differ only behind what is kept stay different accounts, whatever their
// letters: nobody passes for one account by padding.
func TestBoundKeepsNamesApart(t *testing.T) {
	pad := strings.Repeat("a", 1000)
	seen := map[string]bool{}
	for _, name := range []string{pad + "1", pad + "2", pad, pad + "1@example.org", pad[:len(pad)-1] + "b"} {
		e := Event{User: name}
		e.Bound()
		if seen[e.User] {
			t.Errorf("%.20q… is another's", name)
		}
		seen[e.User] = true
	}
}
