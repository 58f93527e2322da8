package guard

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"csmail/pkg/event"
)

var errDamaged = errors.New("damaged")

// codec writes or reads values, by the same list of fields for both. All
// numbers are varints.
type codec struct {
	b       []byte
	reading bool
	err     error
}

func (c *codec) number(v uint64) uint64 {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, v)
		return v
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.err, c.b = errDamaged, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// numbers takes what has an unsigned number's kind.
func numbers[N ~uint8 | ~uint16 | ~uint32 | ~uint64](c *codec, all ...*N) {
	for _, p := range all {
		*p = N(c.number(uint64(*p)))
	}
}

func (c *codec) ints(all ...*int) {
	for _, p := range all {
		*p = int(c.number(uint64(*p)))
	}
}

func (c *codec) bools(all ...*bool) {
	for _, p := range all {
		v := uint64(0)
		if *p {
			v = 1
		}
		*p = c.number(v) == 1
	}
}

func (c *codec) accountHash(a *event.AccountHash) { numbers(c, &a.Name, &a.Domain) }

func (c *codec) text(p *string) {
	n := c.number(uint64(len(*p)))
	if !c.reading {
		c.b = append(c.b, *p...)
		return
	}
	if n > uint64(len(c.b)) {
		c.err, c.b = errDamaged, nil
		return
	}
	*p, c.b = string(c.b[:n]), c.b[n:]
}

func (c *codec) time(p *time.Time) {
	if !c.reading {
		text, _ := p.MarshalBinary()
		s := string(text)
		c.text(&s)
		return
	}
	var s string
	if c.text(&s); c.err == nil && p.UnmarshalBinary([]byte(s)) != nil {
		c.err = errDamaged
	}
}

func (c *codec) addr(p *netip.Addr) {
	raw, _ := p.MarshalBinary()
	s := string(raw)
	if c.text(&s); c.reading && c.err == nil && p.UnmarshalBinary([]byte(s)) != nil {
		c.err = errDamaged
	}
}

func (c *codec) prefix(p *netip.Prefix) {
	raw, _ := p.MarshalBinary()
	s := string(raw)
	if c.text(&s); c.reading && c.err == nil && p.UnmarshalBinary([]byte(s)) != nil {
		c.err = errDamaged
	}
}

// list takes a slice, an element at a time. An element takes a byte or more, so
// a damaged length is found before it costs memory.
func list[T any](c *codec, p *[]T, element func(*T)) {
	n := c.number(uint64(len(*p)))
	if !c.reading {
		for i := range *p {
			element(&(*p)[i])
		}
		return
	}
	if n > uint64(len(c.b)) {
		c.err, c.b = errDamaged, nil
		return
	}
	*p = nil
	if n > 0 {
		*p = make([]T, 0, n)
	}
	for ; n > 0 && c.err == nil; n-- {
		var v T
		element(&v)
		*p = append(*p, v)
	}
}
