package wire

import "math"

// Next returns the next piece of something that is read in pieces, nil at its end. A
// piece is valid until the next call.
type Next = func() ([]byte, error)

// Open begins to read something in pieces from its start.
type Open = func() (Next, error)

// Whole opens bytes that are in memory.
func Whole(b []byte) Open {
	return func() (Next, error) {
		rest := b
		return func() ([]byte, error) {
			piece := rest
			rest = nil
			return piece, nil
		}, nil
	}
}

// Reader reads on across the borders of pieces. Its first error stays in Err, and is
// like the end.
type Reader struct {
	Err error

	next  Next
	rest  []byte // of the piece at hand, or of several that were joined
	room  []byte // for those
	ended bool
	left  uint64 // bytes up to the limit
}

// NewReader returns a Reader of the pieces that next returns.
func NewReader(next Next) *Reader { return &Reader{next: next, left: math.MaxUint64} }

// Limit makes the Reader end after n more bytes.
func (r *Reader) Limit(n uint64) { r.left = n }

// Peek returns the next n bytes without taking them, or fewer at the end. They are valid
// until the next call.
func (r *Reader) Peek(n int) []byte {
	n = r.within(n)
	for len(r.rest) < n && !r.ended {
		r.join()
	}
	return r.rest[:min(n, len(r.rest))]
}

// Some returns as many of the next bytes as are at hand, at least one and at most n,
// without taking them; none at the end. They are valid until the next call.
func (r *Reader) Some(n int) []byte {
	if len(r.rest) == 0 {
		r.Peek(1)
	}
	return r.rest[:min(r.within(n), len(r.rest))]
}

// within returns n, or how many bytes there are up to the limit.
func (r *Reader) within(n int) int { return int(min(uint64(n), r.left)) }

// Skip takes n bytes that Peek or Some has returned.
func (r *Reader) Skip(n int) { r.rest, r.left = r.rest[n:], r.left-uint64(n) }

// join reads one more piece.
func (r *Reader) join() {
	r.room = append(r.room[:0], r.rest...) // rest may be a piece, which ends now
	isJoined := len(r.rest) > 0
	piece, err := r.next()
	r.ended, r.Err = err != nil || piece == nil, err
	if !isJoined {
		r.rest = piece
		return
	}
	r.room = append(r.room, piece...)
	r.rest = r.room
}
