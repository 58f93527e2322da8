package main

import (
	"hash/fnv"
	"testing"
)

// The log of colliding names is worth nothing unless they collide.
func TestNamesCollide(t *testing.T) {
	hashes, names := map[uint64]int{}, map[string]bool{}
	for n := range 1 << len(collisions) {
		h := fnv.New64a()
		h.Write([]byte(colliding(n)))
		hashes[h.Sum64()]++
		names[colliding(n)] = true
	}
	if len(hashes) != 1 || len(names) != 1<<len(collisions) {
		t.Errorf("got %d hashes of %d names, want 1 of %d", len(hashes), len(names), 1<<len(collisions))
	}
}
