package guard

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

var errDamaged = wire.ErrDamaged

// codec writes or reads the guard's state with pkg/wire, to which it adds the guard's own
// types.
type codec struct {
	wire.Codec
	version byte
}

func numbers[N ~uint8 | ~uint16 | ~uint32 | ~uint64](c *codec, all ...*N) {
	wire.Numbers(&c.Codec, all...)
}

func list[T any](c *codec, p *[]T, element func(*T)) { wire.List(&c.Codec, p, element) }

func (c *codec) number(v uint64) uint64 { return c.Number(v) }
func (c *codec) ints(all ...*int)       { c.Ints(all...) }
func (c *codec) bools(all ...*bool)     { c.Bools(all...) }
func (c *codec) text(p *string)         { c.Text(p) }
func (c *codec) time(p *time.Time)      { c.Time(p) }
func (c *codec) addr(p *netip.Addr)     { c.Addr(p) }
func (c *codec) prefix(p *netip.Prefix) { c.Prefix(p) }

func (c *codec) accountHash(a *event.AccountHash) { numbers(c, &a.Name, &a.Domain) }
