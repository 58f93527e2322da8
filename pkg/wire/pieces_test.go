package wire

import (
	"errors"
	"strings"
	"testing"
)

// inPieces returns the text n bytes at a time, each in the same memory, and then the
// error.
func inPieces(text string, n int, err error) Next {
	room := make([]byte, n)
	return func() ([]byte, error) {
		for i := range room {
			room[i] = '#' // whoever keeps a piece sees it
		}
		if text == "" {
			return nil, err
		}
		size := copy(room, text)
		text = text[size:]
		return room[:size], nil
	}
}

func TestReader(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog"
	failed := errors.New("the disk is gone")
	for _, size := range []int{1, 2, 7, len(text), 99} {
		for _, want := range []error{nil, failed} {
			r := NewReader(inPieces(text, size, want))
			var got strings.Builder
			for n := 1; ; n = n%9 + 1 {
				b := r.Peek(n)
				got.Write(b)
				r.Skip(len(b))
				some := r.Some(n)
				got.Write(some)
				if r.Skip(len(some)); len(b)+len(some) == 0 {
					break
				}
			}
			if got.String() != text || !errors.Is(r.Err, want) {
				t.Errorf("pieces of %d: got %q and error %v, want %q and %v", size, got.String(), r.Err, text, want)
			}
		}
	}
}

func TestWhole(t *testing.T) {
	open := Whole([]byte("abc"))
	for range 2 {
		next, err := open()
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(next)
		if got := string(r.Peek(9)); got != "abc" {
			t.Errorf("got %q, want %q", got, "abc")
		}
	}
}
