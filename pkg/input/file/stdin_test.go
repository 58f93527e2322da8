package file

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"csmail/pkg/input"
)

func TestStdin(t *testing.T) {
	source := Stdin(strings.NewReader("one\ntwo"), nil)
	var text strings.Builder
	err := source.Follow(t.Context(), "", func(b input.Batch) error { text.WriteString(b.Text); return nil })
	if err != nil || text.String() != "one\ntwo\n" {
		t.Errorf("got %q, %v, want %q", text.String(), err, "one\ntwo\n")
	}
	if s := source.Status(); s.Lines != 2 || s.State != input.Waiting {
		t.Errorf("status %+v, want Lines 2, State %v", s, input.Waiting)
	}
	failed := Stdin(iotest.ErrReader(errors.New("broken")), nil)
	if err := failed.Follow(t.Context(), "", nil); err == nil || failed.Status().State != input.Failing {
		t.Errorf("%v, status %+v, want an error, State %v", err, failed.Status(), input.Failing)
	}
}
