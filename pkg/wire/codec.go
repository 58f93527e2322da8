// Package wire is the encoding of everything that csmail stores or that its hosts send
// each other: numbers, texts, times and addresses, by one description for writing and
// reading. It also describes the values that more than one package stores ([Stored]), and
// the batches that hosts send ([Batch]).
//
// Whoever stores a value puts a version before it. The package reads and writes no file.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
// While reading, the first error stays in Err and every later value is zero. Writing
// assigns nothing, so other goroutines may read the value meanwhile.
type Codec struct {
	B       []byte // the bytes written, or those left to read
	Reading bool
	Err     error

	shared string  // the whole input, if texts that are read point into it
	in     *Reader // more bytes to read, after B; nil: none
	window int     // of those, the bytes of B when it was taken from in
}

// Sharing returns a Codec that reads b. The texts that it reads share one copy of b.
func Sharing(b []byte) Codec { return Codec{B: b, Reading: true, shared: string(b)} }

// Streaming returns a Codec that reads on across the pieces of in, up to its limit.
func Streaming(in *Reader) Codec { return Codec{Reading: true, in: in} }

// Fail notes that the value read cannot be right.
func (c *Codec) Fail() { c.fail(ErrDamaged) }

// Failf notes why the value read cannot be right.
func (c *Codec) Failf(format string, args ...any) {
	c.fail(fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...)))
}

// fail notes the first error. The rest of the input is dropped, so that nothing more can
// be read.
func (c *Codec) fail(err error) {
	if c.Err == nil {
		c.Err = err
	}
	if c.Reading {
		c.B, c.in = nil, nil
	}
}

// End notes an error if bytes are left.
func (c *Codec) End() {
	if n := c.Left(); n > 0 {
		c.Failf("%d bytes too many", n)
	}
}

// peek returns the next n bytes without taking them, or fewer at the end. They are valid
// until the next call.
func (c *Codec) peek(n int) []byte {
	if len(c.B) < n && c.in != nil {
		c.in.Skip(c.window - len(c.B))
		c.in.Peek(n)
		c.B = c.in.Some(math.MaxInt)
		c.window = len(c.B)
		if err := c.in.Err; err != nil && len(c.B) < n {
			c.fail(err)
		}
	}
	return c.B[:min(n, len(c.B))]
}

// Left returns the number of bytes that are left to read.
func (c *Codec) Left() uint64 {
	if c.in == nil {
		return uint64(len(c.B))
	}
	return c.in.left - uint64(c.window-len(c.B))
}

// Number writes v and returns it, or returns the number read.
func (c *Codec) Number(v uint64) uint64 {
	if !c.Reading {
		c.B = binary.AppendUvarint(c.B, v)
		return v
	}
	v, n := binary.Uvarint(c.peek(binary.MaxVarintLen64))
	if n <= 0 {
		c.Failf("a number does not end")
		return 0
	}
	c.B = c.B[n:]
	return v
}

// Signed writes v and returns it, or returns the number read. Small negative numbers are
// as short as positive ones (zigzag, as encoding/binary's Varint).
func (c *Codec) Signed(v int64) int64 {
	u := c.Number(uint64(v<<1) ^ uint64(v>>63))
	return int64(u>>1) ^ -int64(u&1)
}

// Numbers takes variables of an unsigned type.
func Numbers[N ~uint8 | ~uint16 | ~uint32 | ~uint64](c *Codec, all ...*N) {
	for _, p := range all {
		v := c.Number(uint64(*p))
		if uint64(N(v)) != v {
			c.Failf("%d is too large", v)
			v = 0
		}
		set(c, p, N(v))
	}
}

// set assigns a value that was read.
func set[T any](c *Codec, p *T, v T) {
	if c.Reading {
		*p = v
	}
}

// Enum takes a value of an enumeration with a largest value.
func Enum[N ~uint8](c *Codec, p *N, last N) {
	v := c.Number(uint64(*p))
	if v > uint64(last) {
		c.Failf("%d where %d is the largest", v, last)
		v = 0
	}
	set(c, p, N(v))
}

// Ints takes ints that are not negative.
func (c *Codec) Ints(all ...*int) {
	for _, p := range all {
		v := c.Number(uint64(*p))
		if c.Reading && v > math.MaxInt {
			c.Failf("%d is too large", v)
			v = 0
		}
		set(c, p, int(v))
	}
}

// SignedInts takes ints that may be negative.
func (c *Codec) SignedInts(all ...*int) {
	for _, p := range all {
		v := c.Signed(int64(*p))
		if int64(int(v)) != v {
			c.Failf("%d is too large", v)
			v = 0
		}
		set(c, p, int(v))
	}
}

// Int64s takes numbers that may be negative, for example times.
func (c *Codec) Int64s(all ...*int64) {
	for _, p := range all {
		set(c, p, c.Signed(*p))
	}
}

// Bools takes a byte for each, 0 or 1.
func (c *Codec) Bools(all ...*bool) {
	for _, p := range all {
		v := uint64(0)
		if *p {
			v = 1
		}
		if v = c.Number(v); v > 1 {
			c.Failf("%d is neither yes nor no", v)
		}
		set(c, p, v == 1)
	}
}

// Byte takes one byte as it is.
func (c *Codec) Byte(b byte) byte {
	room := [1]byte{b}
	c.Bytes(room[:])
	return room[0]
}

// Bytes takes as many bytes as b has, and reads them into b.
func (c *Codec) Bytes(b []byte) {
	if !c.Reading {
		c.B = append(c.B, b...)
		return
	}
	clear(b[copy(b, c.take(uint64(len(b)))):])
}

// Take reads n bytes, nil if there are not as many. They are valid until the next call.
func (c *Codec) Take(n int) []byte { return c.take(uint64(n)) }

// take reads n bytes, nil if there are not as many. They are valid until the next call.
func (c *Codec) take(n uint64) []byte {
	if n > c.Left() {
		c.Failf("%d bytes where %d are left", n, c.Left())
		return nil
	}
	b := c.peek(int(n))
	if uint64(len(b)) < n {
		c.Fail()
		return nil
	}
	c.B = c.B[n:]
	return b
}

// Fixed takes numbers that are mostly large, as hashes are, in 8 bytes.
func (c *Codec) Fixed(all ...*uint64) {
	for _, p := range all {
		if !c.Reading {
			c.B = binary.LittleEndian.AppendUint64(c.B, *p)
			continue
		}
		*p = 0
		if b := c.take(8); b != nil {
			*p = binary.LittleEndian.Uint64(b)
		}
	}
}

// Text takes a string. A string that is read shares no memory with B.
func (c *Codec) Text(p *string) { c.TextUpTo(p, math.MaxInt) }

// TextUpTo takes a string of at most so many bytes. A longer one is damage.
func (c *Codec) TextUpTo(p *string, most int) {
	if !c.Reading {
		c.B = append(binary.AppendUvarint(c.B, uint64(len(*p))), *p...)
		return
	}
	b := c.textUpTo(most)
	if start := len(c.shared) - len(c.B) - len(b); c.shared != "" && len(b) > 0 {
		*p = c.shared[start:][:len(b)]
		return
	}
	*p = string(b)
}

// textUpTo reads the bytes of a string. They are valid until the next call.
func (c *Codec) textUpTo(most int) []byte {
	n := c.Number(0)
	if n > uint64(most) {
		c.Failf("a text of %d bytes where %d are the most", n, most)
		return nil
	}
	return c.take(n)
}

// Time takes a time to the nanosecond, with its offset from UTC.
func (c *Codec) Time(p *time.Time) { binaryText(c, p) }

// Addr takes an address exactly: mapped, with its zone, or the zero Addr.
func (c *Codec) Addr(p *netip.Addr) { binaryText(c, p) }

// Prefix takes a network; the zero Prefix is one of them.
func (c *Codec) Prefix(p *netip.Prefix) { binaryText(c, p) }

type binaryValue interface {
	MarshalBinary() ([]byte, error)
	UnmarshalBinary([]byte) error
}

func binaryText(c *Codec, p binaryValue) {
	raw, _ := p.MarshalBinary()
	n := c.Number(uint64(len(raw)))
	if !c.Reading {
		c.B = append(c.B, raw...)
		return
	}
	if raw = c.take(n); c.Err == nil && p.UnmarshalBinary(raw) != nil {
		c.Failf("%d bytes are no address and no time", n)
	}
}

// PlainAddr takes an address without a zone as its 0, 4 or 16 bytes behind their number.
func (c *Codec) PlainAddr(p *netip.Addr) {
	raw := p.AsSlice()
	n := c.Number(uint64(len(raw)))
	if !c.Reading {
		c.B = append(c.B, raw...)
		return
	}
	*p = netip.Addr{}
	if raw = c.take(n); len(raw) == 0 {
		return
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		c.Failf("an address of %d bytes", n)
	}
	*p = addr
}

// List takes a slice, an element at a time. An element takes a byte or more, so
// a damaged length is found before it costs memory.
func List[T any](c *Codec, p *[]T, element func(*T)) {
	n := c.Count(len(*p))
	if !c.Reading {
		for i := range *p {
			element(&(*p)[i])
		}
		return
	}
	const atFirst = 64 // elements may be much larger than their bytes
	*p = nil
	if n > 0 {
		*p = make([]T, 0, min(n, atFirst))
	}
	for ; n > 0 && c.Err == nil; n-- {
		var v T
		element(&v)
		*p = append(*p, v)
	}
}

// Count takes the number of elements that follow. An element takes a byte or more, so a
// number that is read is no larger than the number of bytes left.
func (c *Codec) Count(n int) int {
	v := c.Number(uint64(n))
	if c.Reading && v > c.Left() {
		c.Failf("a list of %d where %d bytes are left", v, c.Left())
		return 0
	}
	return int(v)
}
