package wire

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

var noon = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)

// sampleBatch holds a fact of each form.
func sampleBatch() *Batch {
	berlin := time.FixedZone("", 2*60*60)
	offence := event.Record{Outcome: event.Noted, Event: event.Event{
		Service: event.Postfix, Kind: event.AuthFailed, Phase: event.Attempt, Cause: event.LoginService, PID: 42, Attempts: 3, Password: 777,
		Addr: netip.MustParseAddr("2001:db8::1"), Time: noon.Add(-time.Hour).In(berlin), ClientName: "unknown", Session: "4Zk1Yq", Program: "postfix/smtpd",
		Host: "mx1", User: "bob", Reason: "no", Code: "535 5.7.8", Message: "raw \x00 bytes \xff", Helo: "h", Sender: "s", Recipient: "r", Mechanism: "LOGIN",
	}}
	sight := event.Record{Outcome: event.Witness, Testimony: event.Connected, Event: event.Event{
		Service: event.Postfix, Addr: netip.MustParseAddr("192.0.2.1"), Time: noon, Host: "mx1", ClientName: "a.example",
	}}
	return &Batch{
		Epoch: 7, First: 1000, Oldest: 12, Sent: noon.Add(time.Second), Through: noon.Add(2 * time.Second), Ended: true,
		Own: []netip.Addr{netip.MustParseAddr("198.51.100.4"), netip.MustParseAddr("2001:db8::4")},
		Facts: []Fact{
			{Place: noon, Record: offence},
			{Place: noon, Record: sight, Folded: true, Repeated: true},
			{
				Place: noon.Add(time.Minute), Expired: true, Record: event.Record{Outcome: event.Witness, Event: event.Event{Time: noon.Add(time.Minute)}},
				Released: []Release{{offence, noon.Add(time.Minute)}, {sight, noon}}, Superseded: []event.Record{sight},
			},
		},
	}
}

func TestBatchComesBack(t *testing.T) {
	for name, want := range map[string]*Batch{
		"full":      sampleBatch(),
		"heartbeat": {Epoch: 1, First: 5, Sent: noon, Through: noon},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadBatch(AppendBatch(nil, want))
			if err != nil {
				t.Fatal(err)
			}
			for i := range got.Facts { // zones are equal by offset
				normalize(&got.Facts[i])
				normalize(&want.Facts[i])
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v, want\n%+v", got, want)
			}
		})
	}
}

func normalize(f *Fact) {
	if _, offset := f.Record.Time.Zone(); offset == 2*60*60 {
		f.Record.Time = f.Record.Time.UTC().Add(1) // the zone came through
	}
	for i := range f.Released {
		f.Released[i].Record.Time = f.Released[i].Record.Time.UTC()
	}
}

// The time of sending is set after the encoding, and is under no checksum.
func TestSetSent(t *testing.T) {
	b := AppendBatch(nil, sampleBatch())
	SetSent(b, noon.Add(time.Hour), 900)
	got, err := ReadBatch(b)
	if err != nil || !got.Sent.Equal(noon.Add(time.Hour)) || got.Oldest != 900 {
		t.Errorf("got %v, %d, %v, want an hour after noon and 900", got.Sent, got.Oldest, err)
	}
}

// sealed makes the checksum right, as somebody would who means harm.
func sealed(b []byte) []byte {
	if len(b) >= batchHead {
		binary.BigEndian.PutUint32(b[atSum:], crc32.Checksum(b[atVocabulary:], castagnoli))
	}
	return b
}

func TestRefusedBatches(t *testing.T) {
	change := func(f func(b []byte) []byte) []byte { return f(AppendBatch(nil, sampleBatch())) }
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":            {nil, ErrDamaged},
		"another version":    {change(func(b []byte) []byte { b[0]++; return b }), ErrVersion},
		"another vocabulary": {change(func(b []byte) []byte { b[atVocabulary]++; return sealed(b) }), ErrVersion},
		"a flipped bit":      {change(func(b []byte) []byte { b[len(b)-3] ^= 4; return b }), ErrDamaged},
		"cut":                {change(func(b []byte) []byte { return sealed(b[:len(b)-5]) }), ErrDamaged},
		"more behind it":     {change(func(b []byte) []byte { return sealed(append(b, 0)) }), ErrDamaged},
		"too long":           {make([]byte, MaxBatch+1), ErrDamaged},
		"long text": {AppendBatch(nil, &Batch{Sent: noon, Through: noon, Facts: []Fact{{Place: noon, Record: event.Record{
			Event: event.Event{Time: noon, Message: strings.Repeat("x", maxFactText+1)},
		}}}}), ErrDamaged},
		"too many addresses": {AppendBatch(nil, &Batch{Sent: noon, Through: noon, Own: make([]netip.Addr, MaxOwn+1)}), ErrDamaged},
		"a mapped address": {AppendBatch(nil, &Batch{Sent: noon, Through: noon, Facts: []Fact{{Place: noon, Record: event.Record{
			Event: event.Event{Time: noon, Addr: netip.MustParseAddr("::ffff:192.0.2.1")},
		}}}}), ErrDamaged},
		"before 1970": {AppendBatch(nil, &Batch{Sent: noon, Through: noon, Facts: []Fact{{Place: noon, Record: event.Record{
			Event: event.Event{Time: time.Unix(-5, 0)},
		}}}}), ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ReadBatch(tt.b); !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// Whatever an edge sends, reading it neither fails badly nor gives what could not be
// written again.
func FuzzBatch(f *testing.F) {
	f.Add(AppendBatch(nil, sampleBatch()))
	f.Add(AppendBatch(nil, &Batch{Epoch: 1, First: 5, Sent: noon, Through: noon}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadBatch(sealed(b))
		if err != nil {
			return
		}
		again, err := ReadBatch(AppendBatch(nil, got))
		if err != nil {
			t.Fatalf("%v, of what was read before: %+v", err, got)
		}
		if len(again.Facts) != len(got.Facts) || !reflect.DeepEqual(got.Own, again.Own) || got.Next() != again.Next() {
			t.Fatalf("got %+v, want %+v", again, got)
		}
		for i := range got.Facts {
			a, b := &got.Facts[i], &again.Facts[i]
			if i > 0 && a.Place.Before(got.Facts[i-1].Place) || !a.Place.Equal(b.Place) || a.Record.Addr != b.Record.Addr || a.Record.Message != b.Record.Message || !a.Record.Time.Equal(b.Record.Time) {
				t.Fatalf("got fact %+v, want %+v", b, a)
			}
		}
	})
}
