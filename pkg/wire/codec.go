// Package wire is the encoding of csmail's state: unsigned varints, and texts with their
// length before them. One list of fields both writes and reads a value, so the two cannot
// differ. It holds no version and no layout of its own: those belong to the package of
// the state.
package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// ErrDamaged is input that no writer makes: cut off, or a value out of range.
var ErrDamaged = errors.New("damaged")

// Codec writes values to B, or reads them from it, in the order of the calls.
//
// A package describes a value once and uses the description both ways:
//
//	func (s *span) Encode(c *wire.Codec) { wire.Numbers(c, &s.start, &s.end) }
//
// While reading, the first error stays in Err and every later value is zero.
type Codec struct {
	B       []byte // the bytes written, or those left to read
	Reading bool
	Err     error
}

// Fail notes that the value read cannot be right.
func (c *Codec) Fail() { c.Err, c.B = ErrDamaged, nil }

// Number writes v and returns it, or returns the number read.
func (c *Codec) Number(v uint64) uint64 {
	if !c.Reading {
		c.B = binary.AppendUvarint(c.B, v)
		return v
	}
	v, n := binary.Uvarint(c.B)
	if n <= 0 {
		c.Fail()
		return 0
	}
	c.B = c.B[n:]
	return v
}

// Numbers takes variables of an unsigned type.
func Numbers[N ~uint8 | ~uint16 | ~uint32 | ~uint64](c *Codec, all ...*N) {
	for _, p := range all {
		*p = N(c.Number(uint64(*p)))
	}
}

// Ints takes ints that are not negative.
func (c *Codec) Ints(all ...*int) {
	for _, p := range all {
		*p = int(c.Number(uint64(*p)))
	}
}

// Bools takes a byte for each.
func (c *Codec) Bools(all ...*bool) {
	for _, p := range all {
		v := uint64(0)
		if *p {
			v = 1
		}
		*p = c.Number(v) == 1
	}
}

// Text takes a string. A string that is read shares no memory with B.
func (c *Codec) Text(p *string) {
	n := c.Number(uint64(len(*p)))
	if !c.Reading {
		c.B = append(c.B, *p...)
		return
	}
	if n > uint64(len(c.B)) {
		c.Fail()
		return
	}
	*p, c.B = string(c.B[:n]), c.B[n:]
}

// Time takes a time to the nanosecond, with its offset from UTC.
func (c *Codec) Time(p *time.Time) { binaryText(c, p) }

// Addr takes an address; the zero Addr is one of them.
func (c *Codec) Addr(p *netip.Addr) { binaryText(c, p) }

// Prefix takes a network; the zero Prefix is one of them.
func (c *Codec) Prefix(p *netip.Prefix) { binaryText(c, p) }

type binaryValue interface {
	MarshalBinary() ([]byte, error)
	UnmarshalBinary([]byte) error
}

func binaryText(c *Codec, p binaryValue) {
	raw, _ := p.MarshalBinary()
	s := string(raw)
	if c.Text(&s); c.Reading && c.Err == nil && p.UnmarshalBinary([]byte(s)) != nil {
		c.Fail()
	}
}

// List takes a slice, an element at a time. An element takes a byte or more, so
// a damaged length is found before it costs memory.
func List[T any](c *Codec, p *[]T, element func(*T)) {
	n := c.Number(uint64(len(*p)))
	if !c.Reading {
		for i := range *p {
			element(&(*p)[i])
		}
		return
	}
	if n > uint64(len(c.B)) {
		c.Fail()
		return
	}
	*p = nil
	if n > 0 {
		*p = make([]T, 0, n)
	}
	for ; n > 0 && c.Err == nil; n-- {
		var v T
		element(&v)
		*p = append(*p, v)
	}
}
