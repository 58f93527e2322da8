package health

import (
	"cmp"
	"slices"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

const (
	// maxSites is the number of hosts with a Site of their own. A client that may write
	// to syslog can invent host names, so a host keeps its Site until it has been silent
	// for a day. Hosts beyond the limit share one Site.
	maxSites   = 512
	siteSilent = day
	maxName    = 64      // bytes of a host's name that are kept
	mostSites  = 1 << 16 // of stored data; a judge of 1,000 edges has some thousands
)

// Host identifies the host that logged a line. For example, all lines of mx1 have the
// same one.
type Host uint32

// HostOf returns the host of a record.
func HostOf(r *event.Record) Host {
	sum := r.From().Host
	return Host(sum ^ sum>>32)
}

// Sites keeps a Site for each host, so that a failed resolver on one host holds nothing
// on another.
type Sites struct {
	limits   Limits
	hosts    map[Host]*Site
	others   *Site    // hosts beyond maxSites
	dovecots []*Site  // with lines of Dovecot, sorted by host
	single   [1]*Site // memory for asked
	used     []*Site  // memory for used
	lost     uint32   // time of the last line of a Site that was dropped

	// What follows only saves time.
	last      Host // host of the last call of Note
	lastSite  *Site
	fullUntil uint32 // until this time no host has been silent long enough to be dropped
}

// NewSites returns Sites without observations.
func NewSites(l Limits) *Sites {
	s := &Sites{limits: l, hosts: map[Host]*Site{}}
	s.others = newSite("", s)
	return s
}

// Configure replaces the limits. Observations stay.
func (s *Sites) Configure(l Limits) {
	s.limits = l
	s.others.configure(l)
	for _, site := range s.hosts {
		site.configure(l)
	}
}

// Of returns the Site of a host, for questions.
func (s *Sites) Of(h Host) *Site {
	if site, known := s.hosts[h]; known {
		return site
	}
	return s.others
}

// Note returns the Site of a host that logged something at a time, for observations.
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

// find returns the Site of a host, a new one if it has none. At the limit it drops a
// silent host, or returns the shared Site.
func (s *Sites) find(h Host, name string, at uint32) *Site {
	if site, known := s.hosts[h]; known {
		return site
	}
	if len(s.hosts) >= cmp.Or(s.limits.Sites, maxSites) && (at < s.fullUntil || !s.evict(at)) {
		return s.others
	}
	site := newSite(strings.Clone(name[:min(len(name), maxName)]), s)
	if s.lost != 0 {
		site.forget(s.lost)
	}
	s.hosts[h] = site
	return site
}

// evict drops the host that has been silent longest, if it has been for a day.
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

// Forget forgets what is known of a host. Any of its services may have been in trouble
// until its last line.
func (s *Sites) Forget(h Host) {
	old, known := s.hosts[h]
	if !known {
		return
	}
	site := newSite(old.name, s)
	site.heard, site.dovecot = old.heard, old.dovecot
	site.forget(old.heard)
	s.hosts[h] = site
	s.lastSite = nil
	s.findDovecots()
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

// one returns a slice of a single site, in memory that is reused.
func (s *Sites) one(site *Site) []*Site {
	s.single[0] = site
	return s.single[:]
}

// sorted returns the hosts in a fixed order, so that a log gives the same answers each
// time.
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

// Encode writes or reads the observations. Read them into new Sites, and call Configure
// afterwards.
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
	if len(s.hosts) > mostSites {
		c.Fail()
	}
	s.lastSite, s.fullUntil = nil, 0
	s.findDovecots()
}
