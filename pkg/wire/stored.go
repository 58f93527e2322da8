package wire

import (
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"
)

// StoredVersion is the version of the stored form of events, records and alerts. An added field or another order needs a new version, and all older versions
// must stay readable. The versions are:
//
//	2  the time when the LAPI stored an alert
//	3  Event.Phase, Event.Cause
//	4  the way of a mail (event.Flow), and the counts of lines
//	5  Event.Password
//	6  the short form of a line that only the report reads
const (
	StoredVersion = 6
	factsSince    = 3
	passwordSince = 5
	oldestVersion = 1
)

// Stored writes or reads values that outlive a release: in the state file and in cursors.
// Kinds are kept by name, because their numbers differ from release to release.
//
//	c := wire.Stored{Version: wire.StoredVersion}
//	c.Begin()
//	c.Alert(&alert)
type Stored struct {
	Codec
	Version uint8 // that is written or read

	zone *time.Location // the last one read, as most times share theirs
}

// Store returns the bytes that the function writes. An error is a value that Load would
// refuse.
func Store(fields func(*Stored)) ([]byte, error) {
	c := &Stored{Version: StoredVersion}
	fields(c)
	return c.B, c.Err
}

// Load makes the function read the bytes, and fails if it leaves some. The texts that it
// reads share memory.
func Load(data []byte, fields func(*Stored)) error {
	c := &Stored{Version: StoredVersion, Codec: Sharing(data)}
	if fields(c); c.Err == nil {
		c.End()
	}
	return c.Err
}

// Begin writes or reads the version, at the start, and returns it.
func (c *Stored) Begin() uint8 {
	if !c.Reading {
		c.Version = StoredVersion
	}
	Numbers(&c.Codec, &c.Version)
	if c.Err == nil && (c.Version < oldestVersion || c.Version > StoredVersion) {
		c.Failf("version %d, known are %d to %d", c.Version, oldestVersion, StoredVersion)
	}
	return c.Version
}

// maxZone is more than any offset from UTC, in seconds.
const maxZone = 24 * 60 * 60

// Stamp takes the instant and the offset from UTC of a time, not its zone's name.
func (c *Stored) Stamp(p *time.Time) {
	_, offset := p.Zone()
	seconds, nanos, zone := c.Signed(p.Unix()), c.Number(uint64(p.Nanosecond())), c.Signed(int64(offset))
	if !c.Reading || c.Err != nil {
		return
	}
	if nanos > 999_999_999 || zone <= -maxZone || zone >= maxZone {
		c.Failf("no time")
		return
	}
	*p = time.Unix(seconds, int64(nanos)).In(c.location(int(zone)))
}

// location returns the zone of an offset in seconds. It keeps the last one, because
// neighbouring times mostly share it.
func (c *Stored) location(offset int) *time.Location {
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

// Duration takes a duration, also a negative one.
func (c *Stored) Duration(p *time.Duration) { c.Int64s((*int64)(p)) }

// Kind takes a kind by its name.
func (c *Stored) Kind(p *event.Kind) {
	name := ""
	if !c.Reading && *p != event.NoKind {
		name = p.String()
	}
	c.Text(&name)
	if !c.Reading {
		return
	}
	*p = event.NoKind
	if c.Err != nil || name == "" {
		return
	}
	if err := p.UnmarshalText([]byte(name)); err != nil {
		c.Failf("%v", err)
	}
}

// Event takes an event. New fields go to the end, with a new version.
func (c *Stored) Event(e *event.Event) {
	c.Stamp(&e.Time)
	c.Text(&e.Host)
	Enum(&c.Codec, &e.Service, event.Service(event.ServiceCount-1))
	c.Text(&e.Program)
	c.SignedInts(&e.PID)
	c.Kind(&e.Kind)
	c.Addr(&e.Addr)
	for _, text := range [...]*string{
		&e.User, &e.ClientName, &e.Helo, &e.Sender, &e.Recipient, &e.Mechanism, &e.Code, &e.Reason, &e.Session,
	} {
		c.Text(text)
	}
	c.SignedInts(&e.Attempts)
	c.Text(&e.Message)
	c.facts(e)
}

// facts are the phase and the cause that a grammar set, and the mark of the password.
// Files older than these facts hold the text only.
func (c *Stored) facts(e *event.Event) {
	if c.Reading && c.Version < factsSince {
		e.Phase, e.Cause = phaseOf(e), causeOf(e)
		return
	}
	Enum(&c.Codec, &e.Phase, event.LastPhase)
	Enum(&c.Codec, &e.Cause, event.LastCause)
	if c.Version < passwordSince {
		return
	}
	Numbers(&c.Codec, &e.Password)
}

// Record takes a record with its outcome and testimony, without its Flow.
func (c *Stored) Record(r *event.Record) {
	Enum(&c.Codec, &r.Outcome, event.Noted)
	Enum(&c.Codec, &r.Testimony, event.LastTestimony)
	c.Int64s(&r.Line)
	c.Event(&r.Event)
}

// Alert takes an alert with its evidence.
func (c *Stored) Alert(a *event.Alert) {
	scope := scopeText(a)
	c.Text(&a.Scenario)
	c.Text(&scope)
	c.Addr(&a.Source)
	c.Text(&a.Account)
	c.SignedInts(&a.Count)
	c.Stamp(&a.First)
	c.Stamp(&a.Last)
	c.Text(&a.Message)
	List(&c.Codec, &a.Kinds, func(n *event.Count) { c.Text(&n.Name); c.SignedInts(&n.N) })
	List(&c.Codec, &a.Services, c.Text)
	List(&c.Codec, &a.Evidence, c.Event)
	c.Bools(&a.Informational)
	List(&c.Codec, &a.Checks, c.Text)
	if !c.Reading {
		return
	}
	name, bits, named := strings.Cut(scope, "/")
	if a.Scope = event.Scope(name); named {
		a.Bits, _ = strconv.Atoi(bits)
	}
}

// scopeText is the scope with the length of its network, unless that is the usual one.
// For example: "Range/28". Older files hold no length.
func scopeText(a *event.Alert) string {
	if a.Bits == 0 {
		return string(a.Scope)
	}
	return string(a.Scope) + "/" + strconv.Itoa(a.Bits)
}
