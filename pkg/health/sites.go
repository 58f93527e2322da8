package health

import (
	"cmp"
	"slices"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

const (
	// maxSites bounds the hosts that have a Site of their own. Whoever may write to
	// syslog can invent names, so a host keeps its Site until it was silent for a day,
	// and what comes beyond the bound shares one.
	maxSites   = 512
	siteSilent = day
	maxName    = 64 // bytes of a host's name that are kept
)

// Host names the host that logged a line; for example all lines of mx1 have one.
type Host uint32

// HostOf returns the host of a record.
func HostOf(r *event.Record) Host {
	sum := r.From().Host
	return Host(sum ^ sum>>32)
}

// Sites keeps a Site for each host: a resolver that is down on one host holds nothing
// on another.
type Sites struct {
	limits   Limits
	hosts    map[Host]*Site
	others   *Site    // hosts beyond maxSites
	dovecots []*Site  // on which Dovecot was heard of, by host
	single   [1]*Site // memory for asked
	used     []*Site  // memory for used
	lost     uint32   // when a Site that had to go was last heard of

	// What follows only saves time.
	last      Host // the one noted last
	lastSite  *Site
	fullUntil uint32 // before that no host was silent long enough to go
}

// NewSites returns Sites of which nothing is known.
func NewSites(l Limits) *Sites {
	s := &Sites{limits: l, hosts: map[Host]*Site{}}
	s.others = newSite("", s)
	return s
}

// Configure replaces the numbers. What was observed stays.
func (s *Sites) Configure(l Limits) {
	s.limits = l
	s.others.configure(l)
	for _, site := range s.hosts {
		site.configure(l)
	}
}

// Of returns what is known of a host, to ask.
func (s *Sites) Of(h Host) *Site {
	if site, known := s.hosts[h]; known {
		return site
	}
	return s.others
}

// Note returns the Site of a host that logged something at a time, to tell.
func (s *Sites) Note(h Host, name string, at uint32) *Site {
	site := s.lastSite
	if site == nil || s.last != h {
		site = s.find(h, name, at)
		if site != s.others {
			s.last, s.lastSite = h, site
		}
	}
	site.heard = max(site.heard, at)
	return site
}

func (s *Sites) find(h Host, name string, at uint32) *Site {
	if site, known := s.hosts[h]; known {
		return site
	}
	if len(s.hosts) >= maxSites && (at < s.fullUntil || !s.evict(at)) {
		return s.others
	}
	site := newSite(strings.Clone(name[:min(len(name), maxName)]), s)
	if s.lost != 0 {
		site.forget(s.lost)
	}
	s.hosts[h] = site
	return site
}

// evict forgets the host that was silent longest, if it was so for a day.
func (s *Sites) evict(at uint32) bool {
	oldest, silent := Host(0), (*Site)(nil)
	for h, site := range s.hosts {
		if silent == nil || cmp.Or(cmp.Compare(site.heard, silent.heard), cmp.Compare(h, oldest)) < 0 {
			oldest, silent = h, site
		}
	}
	if isWithin(silent.heard, at, siteSilent) {
		s.fullUntil = silent.heard + siteSilent
		return false
	}
	delete(s.hosts, oldest)
	s.lost = max(s.lost, silent.heard)
	s.others.forget(s.lost)
	s.findDovecots()
	return true
}

// findDovecots lists the sites with a Dovecot, in the order of their hosts.
func (s *Sites) findDovecots() {
	s.dovecots = s.dovecots[:0]
	for _, h := range s.sorted() {
		if site := s.hosts[h]; site.dovecot {
			s.dovecots = append(s.dovecots, site)
		}
	}
	if s.others.dovecot {
		s.dovecots = append(s.dovecots, s.others)
	}
}

func (s *Sites) one(site *Site) []*Site {
	s.single[0] = site
	return s.single[:]
}

func (s *Sites) sorted() []Host {
	all := make([]Host, 0, len(s.hosts))
	for h := range s.hosts {
		all = append(all, h)
	}
	slices.Sort(all)
	return all
}

// Count returns how many hosts have a Site of their own.
func (s *Sites) Count() int { return len(s.hosts) }

// Encode writes or reads what was observed. Read it into new Sites, and Configure
// them afterwards.
func (s *Sites) Encode(c *wire.Codec) {
	wire.Numbers(c, &s.lost)
	s.others.encode(c)
	hosts := s.sorted()
	wire.List(c, &hosts, func(h *Host) {
		wire.Numbers(c, h)
		site := s.hosts[*h]
		if c.Reading {
			site = newSite("", s)
			s.hosts[*h] = site
		}
		site.encode(c)
	})
	if len(s.hosts) > maxSites {
		c.Fail()
	}
	s.lastSite, s.fullUntil = nil, 0
	s.findDovecots()
}
