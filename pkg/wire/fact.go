package wire

import (
	"math"
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// Fact is one line of a host for the judges of many hosts, after the lines of its session
// were joined. It holds only the fields that a judge needs.
type Fact struct {
	// Place is its place in the order of its host: no earlier than any Fact before it,
	// nor than any line that was left out. It is the time of the line, unless that came
	// late.
	Place time.Time

	// Expired marks an offence that waited for the end of its session until Place. It
	// precedes everything that happened then, on any host.
	Expired bool

	Folded   bool // earlier lines have reported the attempt
	Repeated bool // the same session was refused for the same before
	Spared   bool // it is from before offences count, and speaks for its source at the most

	Record event.Record // without Line, Flow and Origin

	Released   []Release      // offences that were withheld until this line and now count
	Superseded []event.Record // events that counted until this line and no longer do
}

// Release is an offence that was withheld, and counts from a time on.
type Release struct {
	Record event.Record
	At     time.Time
}

// The flags of a Fact.
const (
	factExpired = 1 << iota
	factFolded
	factRepeated
	factEarlier // it has Released or Superseded
	factSpared
	factFlags = 1<<iota - 1
)

const (
	// maxFactText is the number of bytes of each text of a Fact. Longer ones are
	// shortened when a line is read (event.MaxMessage, and the texts of withheld offences
	// in pkg/session).
	maxFactText = 4096
	// maxRecords is the number of records of a batch: its Facts, and the earlier records
	// about which they decide.
	maxRecords = 2 * MaxFacts
	// maxCount bounds attempts, process IDs and messages taken back.
	maxCount = math.MaxInt32
)

// factCodec writes or reads the facts of one batch.
type factCodec struct {
	Codec
	place int64 // of the fact before, nanoseconds since 1970
	count int   // of the records so far
	zones [2]struct {
		offset int
		zone   *time.Location
	}
	names map[string]string // texts that most facts share
}

func (c *factCodec) fact(f *Fact) {
	flags := uint64(0)
	if !c.Reading {
		flags = flag(f.Expired, factExpired) | flag(f.Folded, factFolded) | flag(f.Repeated, factRepeated) | flag(f.Spared, factSpared) |
			flag(len(f.Released)+len(f.Superseded) > 0, factEarlier)
	}
	flags = c.Number(flags)
	if flags > factFlags {
		c.Fail()
		return
	}
	f.Expired, f.Folded, f.Repeated = flags&factExpired != 0, flags&factFolded != 0, flags&factRepeated != 0
	f.Spared = flags&factSpared != 0
	step := uint64(f.Place.UnixNano() - c.place)
	if step = c.Number(step); step > 1<<62 || int64(step) > maxNano-c.place {
		c.Fail()
		return
	}
	c.place += int64(step)
	f.Place = time.Unix(0, c.place).UTC()
	c.record(&f.Record)
	if flags&factEarlier != 0 {
		c.earlier(f)
	}
}

func flag(is bool, bit uint64) uint64 {
	if is {
		return bit
	}
	return 0
}

func (c *factCodec) earlier(f *Fact) {
	records(c, &f.Released, func(r *Release) { c.record(&r.Record); c.time(&r.At) })
	records(c, &f.Superseded, c.record)
}

// records takes a list of elements that hold a record each.
func records[T any](c *factCodec, p *[]T, element func(*T)) {
	n := c.Number(uint64(len(*p)))
	if c.Reading && n > 0 {
		if n > uint64(maxRecords-c.count) || n > uint64(len(c.B)) {
			c.Fail()
			return
		}
		*p = make([]T, n)
	}
	for i := range *p {
		if element(&(*p)[i]); c.Err != nil {
			return
		}
	}
}

func (c *factCodec) record(r *event.Record) {
	if c.count++; c.Reading && c.count > maxRecords {
		c.Fail()
		return
	}
	Enum(&c.Codec, &r.Outcome, event.Noted)
	Enum(&c.Codec, &r.Testimony, event.LastTestimony)
	Enum(&c.Codec, &r.Service, event.Service(event.ServiceCount-1))
	Enum(&c.Codec, &r.Kind, event.Kind(event.KindCount-1))
	Enum(&c.Codec, &r.Phase, event.LastPhase)
	Enum(&c.Codec, &r.Cause, event.LastCause)
	if mark := c.Number(uint64(r.Password)); mark > math.MaxUint16 {
		c.Fail()
		return
	} else {
		r.Password = event.PasswordMark(mark)
	}
	c.time(&r.Time)
	c.addr(&r.Addr)
	for _, n := range [...]*int{&r.Attempts, &r.PID, &r.Withdrawn} {
		if c.Ints(n); *n < 0 || *n > maxCount {
			c.Fail()
			return
		}
	}
	c.texts(&r.Event)
}

// texts takes a set of the texts that are not empty, and then these.
func (c *factCodec) texts(e *event.Event) {
	all := [...]*string{
		&e.Host, &e.Program, &e.ClientName, &e.Session, &e.User, &e.Reason, &e.Code, &e.Message, &e.Helo, &e.Sender, &e.Recipient, &e.Mechanism,
	}
	set := uint64(0)
	for i, text := range all {
		set |= flag(*text != "", 1<<i)
	}
	if set = c.Number(set); set >= 1<<len(all) {
		c.Fail()
		return
	}
	for i, text := range all {
		if set>>i&1 == 1 {
			c.text(text)
		}
	}
}

// text takes a text. Names that most facts share are read into one string.
func (c *factCodec) text(p *string) {
	if !c.Reading {
		c.Text(p)
		return
	}
	raw := c.textUpTo(maxFactText)
	const short, most = 40, 256
	if known, ok := c.names[string(raw)]; ok {
		*p = known
		return
	}
	*p = string(raw)
	if len(raw) <= short && len(c.names) < most {
		c.names[*p] = *p
	}
}

// minNano and maxNano bound the times: 1970 to 2200.
const minNano, maxNano = 0, 7_258_118_400_000_000_000

// time takes a time as its difference from the fact's place, with its offset from UTC.
func (c *factCodec) time(p *time.Time) {
	_, offset := p.Zone()
	nano := c.Signed(p.UnixNano()-c.place) + c.place
	offset = int(c.Signed(int64(offset)))
	if !c.Reading || c.Err != nil {
		return
	}
	if nano < minNano || nano > maxNano || offset <= -maxZone || offset >= maxZone {
		c.Fail()
		return
	}
	*p = time.Unix(0, nano).In(c.zone(offset))
}

func (c *factCodec) zone(offset int) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	for i := range c.zones {
		if z := &c.zones[i]; z.zone != nil && z.offset == offset {
			return z.zone
		}
	}
	c.zones[1] = c.zones[0]
	c.zones[0].offset, c.zones[0].zone = offset, time.FixedZone("", offset)
	return c.zones[0].zone
}

// addr takes an address that is not mapped from IPv4 to IPv6.
func (c *factCodec) addr(p *netip.Addr) {
	if c.PlainAddr(p); p.Is4In6() {
		c.Fail()
	}
}
