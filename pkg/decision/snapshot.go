package decision

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
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
	b = append(b, snapshotVersion)
	b = binary.AppendUvarint(b, uint64(len(t.byID)))
	labels := map[string]uint64{}
	for _, d := range t.byID {
		b = binary.AppendVarint(b, d.ID)
		b = append(b, byte(d.Type))
		b = binary.AppendVarint(b, d.Until.Unix())
		if d.Account != "" {
			b = appendText(append(b, 0), d.Account)
		} else {
			raw := d.Network.Addr().AsSlice()
			b = append(append(b, byte(len(raw))), raw...)
			b = append(b, byte(d.Network.Bits()))
		}
		b = appendLabel(b, labels, d.Origin)
		b = appendLabel(b, labels, d.Scenario)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendLabel writes 0 and the text of a label at its first time, and its number
// from then on.
func appendLabel(b []byte, labels map[string]uint64, text string) []byte {
	if n, known := labels[text]; known {
		return binary.AppendUvarint(b, n)
	}
	labels[text] = uint64(len(labels) + 1)
	return appendText(append(b, 0), text)
}

// Restore replaces the table by a snapshot. Decisions that have ended since are left
// out. So are those that end later than longest from now, because the clock at the time
// of the snapshot may have been years ahead. With an error the table is as it was.
func (t *Table) Restore(b []byte, now time.Time, longest time.Duration) error {
	d := decoder{b: b}
	if d.byte() != snapshotVersion {
		return errSnapshot
	}
	var all []Decision
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		decision := d.decision()
		if until := decision.Until; !d.bad && until.After(now) && !until.After(now.Add(longest)) {
			all = append(all, decision)
		}
	}
	if d.bad || len(d.b) > 0 {
		return errSnapshot
	}
	fresh := New(t.limit)
	fresh.Apply(all, nil, now)
	t.byID, t.local, t.other = fresh.byID, fresh.local, fresh.other
	t.view.Store(fresh.view.Load())
	return nil
}

// decoder reads a snapshot. After the first fault it gives nothing but zeros.
type decoder struct {
	b      []byte
	bad    bool
	labels []string
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text(most uint64) string {
	n := d.uvarint()
	if n > most {
		d.bad = true
	}
	return string(d.take(n))
}

func (d *decoder) label() string {
	n := d.uvarint()
	if n == 0 {
		text := label(d.text(maxLabel))
		if !d.bad {
			d.labels = append(d.labels, text)
		}
		return text
	}
	if n > uint64(len(d.labels)) {
		d.bad = true
		return ""
	}
	return d.labels[n-1]
}

func (d *decoder) decision() Decision {
	var r Decision
	r.ID, r.Type = d.varint(), Type(d.byte())
	seconds := d.varint()
	if r.Type > Ban || seconds < 0 || seconds > lastSecond {
		d.bad = true
		return r
	}
	r.Until = time.Unix(seconds, 0)
	if n := d.byte(); n == 0 {
		if r.Account = Fold(d.text(maxAccount)); r.Account == "" {
			d.bad = true
		}
	} else {
		r.Network = d.network(n)
	}
	r.Origin, r.Scenario = d.label(), d.label()
	return r
}

func (d *decoder) network(n byte) netip.Prefix {
	addr, ok := netip.AddrFromSlice(d.take(uint64(n)))
	network := netip.PrefixFrom(addr, int(d.byte()))
	if !ok || addr.Is4In6() || !network.IsValid() {
		d.bad = true
		return netip.Prefix{}
	}
	return network.Masked()
}
