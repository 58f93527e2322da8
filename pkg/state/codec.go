package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// errDamaged: the bytes are not in the format of this package.
var errDamaged = errors.New("damaged")

// codec writes values to data, or reads them from text. Each type has one function that
// lists its fields for both directions, so that writing and reading cannot differ. After
// the first error it does nothing more.
//
// Integers are varints (encoding/binary), texts their length and bytes.
type codec struct {
	reading bool
	data    []byte // written so far
	text    string // still to be read; texts that were read point into it
	err     error
	at      uint8 // the version that is read or written

	zone *time.Location // the last one read, as most times share theirs
}

// encode returns the bytes that the function writes.
func encode(fields func(*codec)) ([]byte, error) {
	c := &codec{at: codecVersion}
	fields(c)
	return c.data, c.err
}

// decode makes the function read the bytes, and fails if it leaves some.
func decode(data []byte, fields func(*codec)) error {
	c := &codec{at: codecVersion, reading: true, text: string(data)}
	fields(c)
	if c.err == nil && c.text != "" {
		c.fail("%d bytes too many", len(c.text))
	}
	return c.err
}

// fail notes the first error. Later calls change nothing.
func (c *codec) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
	}
}

// uint writes or reads an unsigned varint.
func (c *codec) uint(v *uint64) {
	if c.err != nil {
		return
	}
	if !c.reading {
		c.data = binary.AppendUvarint(c.data, *v)
		return
	}
	var value uint64
	for i := range min(len(c.text), binary.MaxVarintLen64) {
		b := c.text[i]
		value |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.text, *v = c.text[i+1:], value
			return
		}
	}
	c.fail("a number does not end")
}

// int64 writes or reads a signed number in zigzag form, so that small negative numbers
// stay short.
func (c *codec) int64(v *int64) {
	u := uint64(*v<<1) ^ uint64(*v>>63)
	c.uint(&u)
	if c.reading {
		*v = int64(u>>1) ^ -int64(u&1)
	}
}

func (c *codec) int(v *int) {
	wide := int64(*v)
	c.int64(&wide)
	if c.reading {
		*v = int(wide)
	}
}

func (c *codec) byte(v *uint8) {
	wide := uint64(*v)
	c.uint(&wide)
	if wide > 255 {
		c.fail("%d is no byte", wide)
		return
	}
	*v = uint8(wide)
}

// bool writes or reads one byte, 0 or 1; any other value is damage.
func (c *codec) bool(v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	c.byte(&b)
	if b > 1 {
		c.fail("%d is neither yes nor no", b)
		return
	}
	*v = b == 1
}

func (c *codec) string(v *string) {
	n := uint64(len(*v))
	c.uint(&n)
	if c.err != nil {
		return
	}
	if !c.reading {
		c.data = append(c.data, *v...)
		return
	}
	if n > uint64(len(c.text)) {
		c.fail("a text of %d bytes where %d are left", n, len(c.text))
		return
	}
	*v, c.text = c.text[:n], c.text[n:]
}

// addr keeps an address exactly: mapped, with its zone, or the zero Addr.
func (c *codec) addr(v *netip.Addr) {
	var text string
	if !c.reading {
		data, err := v.MarshalBinary()
		if err != nil {
			c.err = err // no address fails
			return
		}
		text = string(data)
	}
	c.string(&text)
	if !c.reading || c.err != nil {
		return
	}
	if err := v.UnmarshalBinary([]byte(text)); err != nil {
		c.fail("an address of %d bytes", len(text))
	}
}

// maxZone is more than any offset from UTC, in seconds.
const maxZone = 24 * 60 * 60

// time keeps the instant and the offset from UTC, not the zone's name.
func (c *codec) time(v *time.Time) {
	_, offset := v.Zone()
	seconds, nanos, zone := v.Unix(), uint64(v.Nanosecond()), int64(offset)
	c.int64(&seconds)
	c.uint(&nanos)
	c.int64(&zone)
	if !c.reading || c.err != nil {
		return
	}
	if nanos > 999_999_999 || zone <= -maxZone || zone >= maxZone {
		c.fail("no time")
		return
	}
	*v = time.Unix(seconds, int64(nanos)).In(c.location(int(zone)))
}

// location returns the zone of an offset in seconds. It keeps the last one, because
// neighbouring times mostly share it.
func (c *codec) location(offset int) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	if c.zone != nil {
		if _, last := (time.Time{}).In(c.zone).Zone(); last == offset {
			return c.zone
		}
	}
	c.zone = time.FixedZone("", offset)
	return c.zone
}

func (c *codec) duration(v *time.Duration) {
	wide := int64(*v)
	c.int64(&wide)
	if c.reading {
		*v = time.Duration(wide)
	}
}

// list writes or reads a list whose items take at least one byte each, so that
// a damaged length cannot ask for more memory than there are bytes.
func list[T any](c *codec, v *[]T, item func(*T)) {
	n := uint64(len(*v))
	c.uint(&n)
	if c.err != nil {
		return
	}
	if c.reading {
		if n > uint64(len(c.text)) {
			c.fail("a list of %d where %d bytes are left", n, len(c.text))
			return
		}
		*v = nil
		if n > 0 {
			*v = make([]T, 0, min(n, 64))
		}
		for range n {
			var one T
			item(&one)
			if c.err != nil {
				return
			}
			*v = append(*v, one)
		}
		return
	}
	for i := range *v {
		item(&(*v)[i])
	}
}
