package engine

import (
	"encoding/binary"
	"fmt"
	"math"

	"csmail/pkg/wire"
)

// partWriter hands out a part of a snapshot, in pieces.
type partWriter func(take func(piece []byte)) error

// partReader replaces the state that a part of a snapshot is about.
type partReader func(open wire.Open) error

// inOne makes a partWriter of a function that appends the whole part. It begins with the
// room that the part took last time, because growing to it would take twice that.
func inOne(size *int, write func([]byte) []byte) partWriter {
	return func(take func([]byte)) error {
		b := write(make([]byte, 0, *size))
		*size = len(b) + len(b)/16
		take(b)
		return nil
	}
}

// fromOne makes a partReader of a function that reads the whole part.
func fromOne(restore func([]byte) error) partReader {
	return func(open wire.Open) error {
		b, err := readAll(open)
		if err != nil {
			return err
		}
		return restore(b)
	}
}

func readAll(open wire.Open) ([]byte, error) {
	next, err := open()
	if err != nil {
		return nil, err
	}
	var b []byte
	for {
		piece, err := next()
		if piece == nil {
			return b, err
		}
		b = append(b, piece...)
	}
}

const headSize = 1 + 8

// snapshotHead returns the bytes before the parts.
func snapshotHead() []byte {
	return binary.BigEndian.AppendUint64([]byte{snapshotVersion}, vocabulary())
}

// readHead returns the bytes after the head of a snapshot of this version.
func readHead(b []byte) ([]byte, error) {
	if len(b) < headSize || b[0] != snapshotVersion || binary.BigEndian.Uint64(b[1:]) != vocabulary() {
		return nil, errSnapshot
	}
	return b[headSize:], nil
}

// snapshotParts hands out the parts, each piece behind its length.
func snapshotParts(take func([]byte), parts []partWriter) error {
	take(snapshotHead())
	for _, write := range parts {
		err := write(func(piece []byte) {
			if len(piece) > 0 {
				take(binary.AppendUvarint(nil, uint64(len(piece))))
				take(piece)
			}
		})
		if err != nil {
			return err
		}
		take([]byte{0})
	}
	return nil
}

func restoreParts(open wire.Open, parts []partReader) error {
	for i, restore := range parts {
		if err := restore(func() (wire.Next, error) { return openPart(open, i) }); err != nil {
			return err
		}
	}
	return nil
}

// OpenMore begins to read the part that SnapshotWith put behind the snapshot; next is nil
// if there is none.
func (e *Engine) OpenMore(open wire.Open) (next wire.Next, err error) {
	p, err := openAt(open, 1+len(e.judge.readers()))
	if err != nil || len(p.in.Peek(1)) == 0 {
		return nil, err
	}
	return p.next, nil
}

// openPart begins to read a part, given how the whole snapshot is read.
func openPart(whole wire.Open, number int) (wire.Next, error) {
	p, err := openAt(whole, number)
	if err != nil {
		return nil, err
	}
	return p.next, nil
}

func openAt(whole wire.Open, number int) (*parts, error) {
	next, err := whole()
	if err != nil {
		return nil, err
	}
	p := &parts{in: wire.NewReader(next)}
	if err := p.head(); err != nil {
		return nil, err
	}
	for range number {
		for piece := []byte{0}; piece != nil; {
			if piece, err = p.next(); err != nil {
				return nil, err
			}
		}
		p.ended, p.pieces = false, 0
	}
	return p, nil
}

// parts reads the parts of a snapshot, one after the other.
type parts struct {
	in      *wire.Reader
	taken   int    // number of bytes of in that were used
	isWhole bool   // a part is one piece
	left    uint64 // of the piece at hand
	pieces  int    // of the part so far
	ended   bool
}

// head reads the bytes before the parts.
func (p *parts) head() error {
	b := p.in.Peek(headSize)
	if len(b) < headSize {
		return p.cut()
	}
	p.isWhole = b[0] == wholeParts
	if b[0] != snapshotVersion && !p.isWhole || binary.BigEndian.Uint64(b[1:]) != vocabulary() {
		return errSnapshot
	}
	p.in.Skip(headSize)
	return nil
}

// next returns more of the part, nil at its end.
func (p *parts) next() ([]byte, error) {
	p.in.Skip(p.taken)
	p.taken = 0
	for p.left == 0 {
		if p.ended || p.isWhole && p.pieces > 0 {
			return nil, nil
		}
		n, size := binary.Uvarint(p.in.Peek(binary.MaxVarintLen64))
		if size <= 0 {
			return nil, p.cut()
		}
		p.in.Skip(size)
		p.left, p.ended = n, n == 0
		p.pieces++
	}
	b := p.in.Some(int(min(p.left, math.MaxInt32)))
	if len(b) == 0 {
		return nil, p.cut()
	}
	p.taken, p.left = len(b), p.left-uint64(len(b))
	return b, nil
}

// cut is the error for a part that does not go on: that of reading, if there is one.
func (p *parts) cut() error {
	if p.in.Err != nil {
		return p.in.Err
	}
	return fmt.Errorf("%w: it is cut", errSnapshot)
}
