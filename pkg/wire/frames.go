package wire

import "encoding/binary"

// A large state is written and read in frames, so that neither side holds all of it at a
// time: an hour of the daily report may have a million small entries. A frame holds
// entries of one kind, each described to a Codec:
//
//	w := wire.NewFrames(draft.Add)
//	for _, m := range mails {
//		w.Add(kindMail, func(c *wire.Codec) { c.Text(&m.id) })
//	}
//	w.Close()
//
// A frame is its kind, the number of its bytes, and the entries.

// frameSize is the number of bytes from which a frame is handed on.
const frameSize = 32 << 10

// maxFrame is more than any frame has: one entry beyond frameSize.
const maxFrame = 16 << 20

// Frames writes frames. Close it at the end.
type Frames struct {
	to   func([]byte)
	kind uint8
	c    Codec
}

// NewFrames returns a writer. The function gets the bytes in order, and must not keep
// them.
func NewFrames(to func([]byte)) *Frames { return &Frames{to: to} }

// Add writes an entry of a kind, which is not 0. An entry takes a byte or more.
func (w *Frames) Add(kind uint8, entry func(*Codec)) {
	if kind != w.kind || len(w.c.B) >= frameSize {
		w.Close()
		w.kind = kind
	}
	entry(&w.c)
}

// Close hands on what was added.
func (w *Frames) Close() {
	if len(w.c.B) > 0 {
		w.to(binary.AppendUvarint([]byte{w.kind}, uint64(len(w.c.B))))
		w.to(w.c.B)
	}
	w.c.B = w.c.B[:0]
}

// ReadFrames reads frames to the end of the input, and gives each entry to the function
// of the caller, which must read all of it. It returns the first error.
func ReadFrames(next Next, entry func(kind uint8, c *Codec)) error {
	in := NewReader(next)
	for {
		head := in.Peek(1 + binary.MaxVarintLen64)
		if len(head) == 0 {
			return in.Err
		}
		size, n := binary.Uvarint(head[1:])
		if n <= 0 || size > maxFrame {
			return ErrDamaged
		}
		kind := head[0]
		in.Skip(1 + n)
		c := Codec{B: in.Peek(int(size)), Reading: true}
		if uint64(len(c.B)) < size {
			return ErrDamaged
		}
		for len(c.B) > 0 && c.Err == nil {
			left := len(c.B)
			if entry(kind, &c); len(c.B) == left {
				c.Fail() // nobody knows the kind
			}
		}
		if c.Err != nil {
			return c.Err
		}
		in.Skip(int(size))
	}
}
