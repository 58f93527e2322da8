package wire

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

type sample struct {
	small uint8
	large uint64
	count int
	yes   bool
	text  string
	at    time.Time
	addr  netip.Addr
	net   netip.Prefix
	list  []uint32
}

func (s *sample) encode(c *Codec) {
	Numbers(c, &s.small)
	Numbers(c, &s.large)
	c.Ints(&s.count)
	c.Bools(&s.yes)
	c.Text(&s.text)
	c.Time(&s.at)
	c.Addr(&s.addr)
	c.Prefix(&s.net)
	List(c, &s.list, func(n *uint32) { Numbers(c, n) })
}

func TestCodec(t *testing.T) {
	for name, want := range map[string]sample{
		"zero": {at: time.Time{}.UTC()},
		"full": {
			small: 255, large: 1 << 63, count: 7, yes: true, text: "a\x00b", at: time.Unix(1_780_000_000, 5).UTC(),
			addr: netip.MustParseAddr("2001:db8::1"), net: netip.MustParsePrefix("192.0.2.0/24"), list: []uint32{1, 1 << 31},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w Codec
			want.encode(&w)
			r := Codec{B: w.B, Reading: true}
			var got sample
			got.encode(&r)
			if r.Err != nil || len(r.B) > 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v (%v, %d bytes left), want %+v", got, r.Err, len(r.B), want)
			}
			for n := range w.B {
				cut := Codec{B: w.B[:n], Reading: true}
				if got.encode(&cut); !errors.Is(cut.Err, ErrDamaged) {
					t.Errorf("cut after %d of %d bytes: got error %v, want %v", n, len(w.B), cut.Err, ErrDamaged)
				}
			}
		})
	}
}

// A list that claims to be longer than its bytes costs no memory.
func TestListTooLong(t *testing.T) {
	var w Codec
	w.Number(1 << 40)
	r := Codec{B: w.B, Reading: true}
	var got []uint64
	if List(&r, &got, func(n *uint64) { Numbers(&r, n) }); r.Err == nil || cap(got) > 0 {
		t.Errorf("got %d elements and error %v, want none and %v", cap(got), r.Err, ErrDamaged)
	}
}
