package decision

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/wire"
)

// snapshotVersion is the first byte of a snapshot. A snapshot of another version is
// refused; the LAPI then sends all decisions again.
const snapshotVersion = 1

// lastSecond bounds the ends that a snapshot may hold, in the year 10889.
const lastSecond = 1 << 38

var errSnapshot = errors.New("damaged snapshot of decisions")

// AppendSnapshot appends the table in a form that [Table.Restore] reads. It is the
// writer's. Labels are stored once, so a decision takes some 25 bytes.
func (t *Table) AppendSnapshot(b []byte) []byte {
	c := codec{Codec: wire.Codec{B: append(b, snapshotVersion)}, numbers: map[string]uint64{}}
	c.Number(uint64(len(t.byID)))
	for _, d := range t.byID {
		c.decision(d)
	}
	return c.B
}

// Restore replaces the table by a snapshot. Decisions that have ended since are left
// out. So are those that end later than longest from now, because the clock at the time
// of the snapshot may have been years ahead. With an error the table is as it was.
func (t *Table) Restore(b []byte, now time.Time, longest time.Duration) error {
	c := codec{Codec: wire.Codec{B: b, Reading: true}}
	if c.Byte(0) != snapshotVersion {
		return errSnapshot
	}
	var all []Decision
	wire.List(&c.Codec, &all, c.decision)
	if c.End(); c.Err != nil {
		return errSnapshot
	}
	all = slices.DeleteFunc(all, func(d Decision) bool {
		return !d.Until.After(now) || d.Until.After(now.Add(longest))
	})
	fresh := New(t.limit)
	fresh.Apply(all, nil, now)
	t.byID, t.local, t.other = fresh.byID, fresh.local, fresh.other
	t.view.Store(fresh.view.Load())
	return nil
}

// codec writes or reads decisions.
type codec struct {
	wire.Codec
	numbers map[string]uint64 // of the labels that were written
	labels  []string          // that were read
}

func (c *codec) decision(d *Decision) {
	c.Int64s(&d.ID)
	wire.Enum(&c.Codec, &d.Type, Ban)
	seconds := c.Signed(d.Until.Unix())
	if c.Reading {
		if seconds < 0 || seconds > lastSecond {
			c.Fail()
			return
		}
		d.Until = time.Unix(seconds, 0)
	}
	c.target(d)
	c.label(&d.Origin)
	c.label(&d.Scenario)
}

// target takes the network of a decision; or a 0 and its account.
func (c *codec) target(d *Decision) {
	addr, bits := d.Network.Addr(), byte(d.Network.Bits())
	if d.Account != "" {
		addr = netip.Addr{}
	}
	if c.PlainAddr(&addr); !addr.IsValid() {
		c.TextUpTo(&d.Account, maxAccount)
		if c.Reading {
			if d.Account = Fold(d.Account); d.Account == "" {
				c.Fail()
			}
		}
		return
	}
	bits = c.Byte(bits)
	if !c.Reading {
		return
	}
	if network := netip.PrefixFrom(addr, int(bits)); !addr.Is4In6() && network.IsValid() {
		d.Network = network.Masked()
		return
	}
	c.Fail()
}

// label takes 0 and the text of a label at its first time, and its number from then on.
func (c *codec) label(text *string) {
	n := c.Number(c.numbers[*text])
	switch {
	case n == 0 && !c.Reading:
		c.numbers[*text] = uint64(len(c.numbers) + 1)
		c.Text(text)
	case !c.Reading:
	case n == 0:
		c.TextUpTo(text, maxLabel)
		*text = label(*text)
		c.labels = append(c.labels, *text)
	case n > uint64(len(c.labels)):
		c.Fail()
	default:
		*text = c.labels[n-1]
	}
}
