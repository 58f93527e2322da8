package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// reach is how far a source was read, in terms that every transport shares: when each
// host logged last, for which services, and the content of its newest lines. It allows
// csmail to change from one input to another, for example from the journal to the file
// that rsyslog writes from it, without counting lines twice.
type reach struct {
	Hosts  map[string]*hostReach // by the first label of the name, in lower case
	Newest []keyed               // the newest records, oldest first
}

// hostReach is how far the lines of one host were read.
type hostReach struct {
	Last     time.Time // of the newest record
	Services uint8     // a bit for each service that was seen
}

// keyed is a record that was read: its time and its content.
type keyed struct {
	At  time.Time
	Key uint64
}

const (
	// maxReachHosts bounds the hosts of a source that are remembered.
	maxReachHosts = 512
	// maxNewest bounds the records that are remembered one by one.
	maxNewest = 128
	// slack is how far apart two transports' times of one line may be: one of them may
	// know seconds only.
	slack = time.Second
)

// take notes a record.
func (r *reach) take(e *event.Record) {
	if r.Hosts == nil {
		r.Hosts = map[string]*hostReach{}
	}
	name := hostLabel(e.Host)
	host := r.Hosts[name]
	if host == nil {
		if len(r.Hosts) >= maxReachHosts {
			return
		}
		host = &hostReach{}
		r.Hosts[strings.Clone(name)] = host
	}
	if e.Time.After(host.Last) {
		host.Last = e.Time
	}
	host.Services |= serviceBit(e.Service)
	if len(r.Newest) >= 2*maxNewest {
		r.Newest = append(r.Newest[:0], r.Newest[len(r.Newest)-maxNewest:]...)
	}
	r.Newest = append(r.Newest, keyed{e.Time, keyOf(e)})
}

// hostLabel is the part of a host's name that every transport keeps.
func hostLabel(name string) string {
	label, _, _ := strings.Cut(name, ".")
	return strings.ToLower(label)
}

func serviceBit(s event.Service) uint8 {
	if s == event.Postscreen {
		s = event.Postfix
	}
	return 1 << s
}

// keyOf hashes the parts of a record that every transport keeps. Dovecot's process ID is
// left out, because only the journal has it.
func keyOf(e *event.Record) uint64 {
	pid := e.PID
	if e.Service == event.Dovecot {
		pid = 0
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s[%d]: %s", e.Program, pid, strings.TrimSpace(e.Message)))
	return binary.BigEndian.Uint64(sum[:])
}

// text returns it as text without a colon, "" if nothing was read.
func (r *reach) text() string {
	if len(r.Hosts) == 0 {
		return ""
	}
	stored := *r
	stored.Newest = r.Newest[max(0, len(r.Newest)-maxNewest):]
	packed, err := wire.Store(stored.encode)
	if err != nil {
		return "" // cannot be: it has no value that is out of range
	}
	return base64.StdEncoding.EncodeToString(packed)
}

func (r *reach) encode(c *wire.Stored) {
	c.Begin()
	names := slices.Sorted(maps.Keys(r.Hosts))
	if c.Reading {
		r.Hosts = map[string]*hostReach{}
	}
	wire.List(&c.Codec, &names, func(name *string) {
		c.Text(name)
		host := r.Hosts[*name]
		if host == nil {
			host = &hostReach{}
			r.Hosts[*name] = host
		}
		c.Stamp(&host.Last)
		wire.Numbers(&c.Codec, &host.Services)
	})
	wire.List(&c.Codec, &r.Newest, func(n *keyed) {
		c.Stamp(&n.At)
		c.Fixed(&n.Key)
	})
}

// readBefore is the reach of sources that are no longer followed. An offence that one of
// them had read is not counted again when another kind of source brings the same log.
type readBefore struct {
	sources []earlier
}

// earlier is one such source.
type earlier struct {
	reach
	keys   map[uint64]int // of Newest: how many are not found again yet
	oldest time.Time      // of Newest, if there were more than are remembered
}

func (b *readBefore) add(r reach) {
	e := earlier{reach: r, keys: map[uint64]int{}}
	for _, n := range r.Newest {
		if len(r.Newest) >= maxNewest && (e.oldest.IsZero() || n.At.Before(e.oldest)) {
			e.oldest = n.At
		}
		e.keys[n.Key]++
	}
	b.sources = append(b.sources, e)
}

// holds reports whether a record was read before. It is used only for events that may
// count against a client. A success may be read twice without harm, and dropping it
// would be wrong if it came from another log of the same host.
func (b *readBefore) holds(r *event.Record) bool {
	if len(b.sources) == 0 || r.Outcome != event.Noted {
		return false
	}
	if c := r.Kind.Class(); c != event.Hostile && c != event.Suspect {
		return false
	}
	return slices.ContainsFunc(b.sources, func(e earlier) bool { return e.holds(r) })
}

// holds compares the time and, near the end, the content of the lines.
func (e *earlier) holds(r *event.Record) bool {
	host := e.Hosts[hostLabel(r.Host)]
	if host == nil || host.Services&serviceBit(r.Service) == 0 || r.Time.After(host.Last.Add(2*slack)) {
		return false
	}
	known := host.Last.Add(-slack)
	if e.oldest.After(known) {
		known = e.oldest
	}
	if !r.Time.After(known) {
		return true
	}
	key := keyOf(r)
	if e.keys[key] == 0 {
		return false
	}
	e.keys[key]--
	return true
}
