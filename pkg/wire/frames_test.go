package wire

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// entries are what a test writes: a kind and a text each.
type textEntry struct {
	kind uint8
	text string
}

func written(entries []textEntry) []byte {
	var b bytes.Buffer
	w := NewFrames(func(part []byte) { b.Write(part) })
	for _, e := range entries {
		w.Add(e.kind, func(c *Codec) { c.Text(&e.text) })
	}
	w.Close()
	return b.Bytes()
}

func readBack(next Next) (entries []textEntry, err error) {
	err = ReadFrames(next, func(kind uint8, c *Codec) {
		e := textEntry{kind: kind}
		c.Text(&e.text)
		entries = append(entries, e)
	})
	return entries, err
}

// What is written in frames is read, wherever the pieces of the input are cut.
func TestFramesAreReadInAnyPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []textEntry
		for range rapid.IntRange(0, 40).Draw(t, "entries") {
			size := rapid.SampledFrom([]int{0, 1, 200, frameSize - 1, frameSize + 1}).Draw(t, "size")
			want = append(want, textEntry{rapid.Uint8Range(1, 3).Draw(t, "kind"), string(make([]byte, size))})
		}
		rest := written(want)
		piece := rapid.IntRange(1, 100_000).Draw(t, "piece")
		got, err := readBack(func() ([]byte, error) {
			if len(rest) == 0 {
				return nil, nil
			}
			b := rest[:min(piece, len(rest))]
			rest = rest[len(b):]
			return b, nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %d entries and the error %v, want %d and none", len(got), err, len(want))
		}
	})
}

func TestDamagedFramesAreRefused(t *testing.T) {
	whole := written([]textEntry{{1, "a text"}, {2, "another"}})
	for name, b := range map[string][]byte{
		"cut in a frame":      whole[:len(whole)-1],
		"cut after a kind":    whole[:1],
		"a size beyond all":   {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"an entry cut inside": {1, 2, 9, 'x'},
	} {
		next, _ := Whole(b)()
		if got, err := readBack(next); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v and the error %v, want %v", name, got, err, ErrDamaged)
		}
	}
	next, _ := Whole(whole)()
	if err := ReadFrames(next, func(uint8, *Codec) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a kind that nobody reads: got the error %v, want %v", err, ErrDamaged)
	}
}
