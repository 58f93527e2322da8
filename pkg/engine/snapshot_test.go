package engine

import (
	"errors"
	"testing"

	"csmail/pkg/guard"
)

// A state that is cut anywhere, or of a release in which kinds have other numbers,
// is refused.
func TestRestoreRefuses(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "192.0.2.1")
	refused(e, 1, "192.0.2.1")
	b, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := eagerly(t, guard.Options{}).Restore(b); err != nil {
		t.Fatal(err)
	}
	cut := eagerly(t, guard.Options{})
	for n := 0; n < len(b); n += 1 + min(n/9, 40) {
		if cut.Restore(b[:n]) == nil {
			t.Errorf("cut to %d of %d bytes it is restored", n, len(b))
		}
	}
	for _, at := range []int{0, 1, 8} {
		other := append([]byte{}, b...)
		other[at]++
		if err := eagerly(t, guard.Options{}).Restore(other); !errors.Is(err, errSnapshot) {
			t.Errorf("another byte %d: %v", at, err)
		}
	}
}
