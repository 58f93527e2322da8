package src

import "testing"

func TestThing(t *testing.T) {
	t.Errorf("got %d, want 2", 1)
	t.Errorf("%d it is", 1)
}
