package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/klauspost/compress/s2"

	"csmail/pkg/event"
)

// Batch is the unit that a host sends: Facts with consecutive numbers, or none, and its
// position in its logs.
type Batch struct {
	// Epoch tells apart the lives of a host's state file: it is larger in each. The
	// numbers of the Facts begin at 0 in each.
	Epoch uint64
	First uint64 // number of the first Fact, or of the next one if there is none

	// Sent is when the host sent it, by its own clock.
	Sent time.Time
	// Oldest is the number of the oldest Fact that the host still keeps. Facts missing
	// before it are lost.
	Oldest uint64
	// Through declares that no later Fact of the host has an earlier place.
	Through time.Time
	Ended   bool // the host has no more lines, and needs no waiting for

	// Own are the addresses of the host's own interfaces; nil: not given.
	Own []netip.Addr

	Facts []Fact
}

// Next returns the number after that of the last Fact.
func (b *Batch) Next() uint64 { return b.First + uint64(len(b.Facts)) }

const (
	batchVersion = 2

	// MaxBatch is the size of an encoded batch in bytes, the default limit of a NATS
	// server (max_payload).
	MaxBatch = 1 << 20
	// maxUnpacked bounds the memory of a decoded batch.
	maxUnpacked = 16 << 20
	// MaxFacts bounds the Facts of a batch.
	MaxFacts = 1 << 16
	// MaxOwn is the number of addresses that a host may call its own.
	MaxOwn = 64
)

// The flags of a batch.
const (
	batchEnded = 1 << iota
	batchOwn
	batchFlags = 1<<iota - 1
)

// The layout of a batch begins with fields of fixed size.
const (
	atFlags      = 1
	atSum        = 2 // CRC-32C of all that follows from atVocabulary on
	atSent       = 6
	atOldest     = 14
	atVocabulary = 22
	batchHead    = 30
)

// ErrVersion means that a batch is of another release, with other numbers. It is refused,
// never misread.
var ErrVersion = errors.New("of another release of csmail")

// Vocabulary returns a number that differs between releases with other numbers of kinds,
// services or testimonies.
func Vocabulary() uint64 {
	h := fnv.New64a()
	for _, k := range event.Kinds() {
		_, _ = h.Write([]byte(k.String() + "\n"))
	}
	for _, s := range event.Services() {
		_, _ = h.Write([]byte(s.String() + "\n"))
	}
	_, _ = fmt.Fprint(h, event.Noted, event.LastTestimony, event.LastPhase, event.LastCause)
	return h.Sum64()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBatch appends the encoded batch to b:
//
//	version u8 | flags u8 | checksum u32 | sent i64 | oldest u64 | vocabulary u64 |
//	epoch, first, count, through | own addresses | facts, compressed (s2)
//
// Its facts must be in the order of their places.
func AppendBatch(b []byte, batch *Batch) []byte {
	start := len(b)
	b = append(b, batchVersion, byte(flag(batch.Ended, batchEnded)|flag(batch.Own != nil, batchOwn)))
	b = append(b, make([]byte, batchHead-atSum)...)
	binary.BigEndian.PutUint64(b[start+atVocabulary:], Vocabulary())
	c := factCodec{Codec: Codec{B: b}}
	c.Number(batch.Epoch)
	c.Number(batch.First)
	c.Number(uint64(len(batch.Facts)))
	through := int64(0)
	if batch.Through.Unix() > 0 { // the zero time is of a host that has read nothing
		through = batch.Through.UnixNano()
	}
	c.Number(uint64(through))
	if batch.Own != nil {
		List(&c.Codec, &batch.Own, c.addr)
	}
	b = append(c.B, PackFacts(batch.Facts)...)
	binary.BigEndian.PutUint32(b[start+atSum:], crc32.Checksum(b[start+atVocabulary:], castagnoli))
	SetSent(b[start:], batch.Sent, batch.Oldest)
	return b
}

// SetSent sets, in an encoded batch, the time of sending and the oldest batch that the
// host keeps then, since the batch may have waited for long.
func SetSent(b []byte, at time.Time, oldest uint64) {
	binary.BigEndian.PutUint64(b[atSent:], uint64(at.UnixNano()))
	binary.BigEndian.PutUint64(b[atOldest:], oldest)
}

// ReadBatch decodes an encoded batch. It shares no memory with b. No content of b takes
// more than about 80 MiB, or gives a Fact that AppendBatch could not write.
func ReadBatch(b []byte) (*Batch, error) {
	switch {
	case len(b) > MaxBatch:
		return nil, fmt.Errorf("a batch of %d bytes: %w", len(b), ErrDamaged)
	case len(b) > 0 && b[0] != batchVersion:
		return nil, fmt.Errorf("a batch of version %d, known is %d: %w", b[0], batchVersion, ErrVersion)
	case len(b) < batchHead || crc32.Checksum(b[atVocabulary:], castagnoli) != binary.BigEndian.Uint32(b[atSum:]):
		return nil, fmt.Errorf("a batch: %w", ErrDamaged)
	case b[atFlags] > batchFlags || binary.BigEndian.Uint64(b[atVocabulary:]) != Vocabulary():
		return nil, fmt.Errorf("a batch with another vocabulary: %w", ErrVersion)
	}
	batch := &Batch{Ended: b[atFlags]&batchEnded != 0, Oldest: binary.BigEndian.Uint64(b[atOldest:])}
	sent := int64(binary.BigEndian.Uint64(b[atSent:]))
	c := factCodec{Codec: Codec{B: b[batchHead:], Reading: true}}
	batch.Epoch, batch.First = c.Number(0), c.Number(0)
	count, through := c.Number(0), c.Number(0)
	if b[atFlags]&batchOwn != 0 {
		batch.Own = []netip.Addr{}
		List(&c.Codec, &batch.Own, c.addr)
	}
	const most = 1 << 62 // so that no number overflows
	if c.Err != nil || count > MaxFacts || through > maxNano || sent < minNano || sent > maxNano || batch.First > most || len(batch.Own) > MaxOwn {
		return nil, fmt.Errorf("a batch: %w", ErrDamaged)
	}
	batch.Sent, batch.Through = time.Unix(0, sent).UTC(), time.Unix(0, int64(through)).UTC()
	var err error
	if batch.Facts, err = UnpackFacts(c.B, int(count)); err != nil {
		return nil, err
	}
	return batch, nil
}

// PackFacts encodes and compresses facts that are in the order of their places.
func PackFacts(facts []Fact) []byte {
	c := factCodec{}
	for i := range facts {
		c.fact(&facts[i])
	}
	return s2.Encode(nil, c.B)
}

// leastFact is the number of bytes that a Fact takes at least.
const leastFact = 15

// UnpackFacts decodes a number of packed facts. They share no memory with the input.
func UnpackFacts(packed []byte, count int) ([]Fact, error) {
	n, err := s2.DecodedLen(packed)
	if err != nil || n > maxUnpacked || count > n {
		return nil, fmt.Errorf("the facts of a batch: %w", ErrDamaged)
	}
	unpacked, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("the facts of a batch: %w", ErrDamaged)
	}
	c := factCodec{Codec: Codec{B: unpacked, Reading: true}, names: map[string]string{}}
	var facts []Fact
	if count > 0 {
		facts = make([]Fact, 0, min(count, n/leastFact+1))
	}
	for range count {
		facts = append(facts, Fact{})
		if c.fact(&facts[len(facts)-1]); c.Err != nil {
			break
		}
	}
	if c.Err != nil || len(c.B) > 0 {
		return nil, fmt.Errorf("the facts of a batch: %w", ErrDamaged)
	}
	return facts, nil
}
