package wire

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"csmail/pkg/event"
)

// everything uses each primitive once.
type everything struct {
	sample
	negative int64
	count2   int
	enum     uint8
	one      byte
	fixed    uint64
	raw      [5]byte
	short    string
	plain    netip.Addr
}

func (e *everything) encode(c *Codec) {
	e.sample.encode(c)
	c.Int64s(&e.negative)
	c.SignedInts(&e.count2)
	Enum(c, &e.enum, 9)
	e.one = c.Byte(e.one)
	c.Fixed(&e.fixed)
	c.Bytes(e.raw[:])
	c.TextUpTo(&e.short, 10)
	c.PlainAddr(&e.plain)
}

var anything = everything{
	sample: sample{
		small: 7, large: 1 << 40, count: 9, yes: true, text: "text", at: time.Unix(1_780_000_000, 0).UTC(),
		addr: netip.MustParseAddr("192.0.2.1"), net: netip.MustParsePrefix("2001:db8::/32"), list: []uint32{1, 2, 3},
	},
	negative: -5, count2: -1, enum: 9, one: 0xff, fixed: 1 << 63, raw: [5]byte{1, 2, 3, 4, 5}, short: "short", plain: netip.MustParseAddr("2001:db8::1"),
}

// However a value is read, whole, sharing its texts or in pieces, the result is the same.
func TestWaysToRead(t *testing.T) {
	var w Codec
	anything.encode(&w)
	if w.Err != nil {
		t.Fatal(w.Err)
	}
	for n := range len(w.B) + 1 {
		whole := n == len(w.B)
		for name, c := range waysToRead(w.B[:n]) {
			var got everything
			got.encode(&c)
			if c.End(); whole != (c.Err == nil) || whole && !reflect.DeepEqual(got, anything) {
				t.Fatalf("%s, %d of %d bytes: got %+v and error %v, want %+v", name, n, len(w.B), got, c.Err, anything)
			}
		}
	}
}

func waysToRead(b []byte) map[string]Codec {
	in := NewReader(inPieces(string(b)+"what follows the limit", 3, nil))
	in.Limit(uint64(len(b)))
	return map[string]Codec{"whole": {B: b, Reading: true}, "sharing": Sharing(b), "streaming": Streaming(in)}
}

// FuzzCodec: whatever the bytes, all ways to read agree, and what is read without an error
// is written and read again alike.
func FuzzCodec(f *testing.F) {
	var w Codec
	anything.encode(&w)
	f.Add(w.B)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var want everything
		first := Codec{B: bytes.Clone(b), Reading: true}
		want.encode(&first)
		for name, c := range waysToRead(b) {
			var got everything
			got.encode(&c)
			if (c.Err == nil) != (first.Err == nil) || c.Err == nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: got %+v and error %v, want %+v and %v", name, got, c.Err, want, first.Err)
			}
		}
		if first.Err != nil {
			return
		}
		var again Codec
		want.encode(&again)
		var got everything
		r := Codec{B: again.B, Reading: true}
		if got.encode(&r); r.Err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("written again: got %+v and error %v, want %+v", got, r.Err, want)
		}
	})
}

// FuzzStored: whatever the bytes, an error or a value that is written and read alike.
func FuzzStored(f *testing.F) {
	alert := event.Alert{Scenario: "csmail/x", Scope: "Range", Bits: 28, Source: anything.addr, Evidence: []event.Event{{Message: "m", Kind: event.AuthFailed}}}
	b, err := Store(func(c *Stored) { c.Begin(); c.Alert(&alert) })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var want, got event.Alert
		if Load(b, func(c *Stored) { c.Begin(); c.Alert(&want) }) != nil {
			return
		}
		b, err := Store(func(c *Stored) { c.Begin(); c.Alert(&want) })
		if err == nil {
			err = Load(b, func(c *Stored) { c.Begin(); c.Alert(&got) })
		}
		for _, a := range []*event.Alert{&want, &got} { // zones are pointers
			a.First, a.Last = a.First.UTC(), a.Last.UTC()
			for i := range a.Evidence {
				a.Evidence[i].Time = a.Evidence[i].Time.UTC()
			}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v and error %v, want %+v", got, err, want)
		}
	})
}
