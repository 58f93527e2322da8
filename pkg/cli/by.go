package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/event"
	"csmail/pkg/geo"
	"csmail/pkg/hint"
	"csmail/pkg/render"
	"csmail/pkg/report"
)

// groupings are the values of --by.
var groupings = []string{"user", "network", "country", "as", "day", "kind"}

// checkBy returns an error for a value of --by that is no grouping.
func checkBy(by string) error {
	if by == "" || slices.Contains(groupings, by) {
		return nil
	}
	advice := "csmail scan --help says what they mean"
	if meant := nearest(by, groupings); meant != "" {
		advice = fmt.Sprintf("did you mean %s?", meant)
	}
	return usageError{hint.Wrap(fmt.Errorf("--by %q not supported: must be one of %s", by, strings.Join(groupings, ", ")), "%s", advice)}
}

// openPlaces opens the geo files of the configuration. Without any it returns nil, which
// finds no place.
func openPlaces(c config.Config) (*geo.Finder, error) {
	places, err := geo.Open(geo.Options{Country: c.Geo.Country, ASN: c.Geo.ASN})
	if err != nil {
		return nil, configError{err}
	}
	return places, nil
}

// groups returns the counter for the grouping of --by, nil if there is none.
func (s scan) groups(places *geo.Finder) (*report.Groups, error) {
	switch s.shown.by {
	case "user":
		return report.NewUserGroups(s.input.scope), nil
	case "network":
		return s.groupBy(perAddress(networkName)), nil
	case "country":
		if !places.HasCountries() {
			return nil, noGeo("countries", "geo.country")
		}
		return s.groupBy(perAddress(func(addr netip.Addr) string { return places.Place(addr).Country })), nil
	case "as":
		if !places.HasNetworks() {
			return nil, noGeo("network operators", "geo.asn")
		}
		return s.groupBy(perAddress(func(addr netip.Addr) string { return places.Place(addr).Network() })), nil
	case "day":
		zone := s.input.zone
		return s.groupBy(func(e *event.Event) string { return e.Time.In(zone).Format(time.DateOnly) }), nil
	case "kind":
		return s.groupBy(func(e *event.Event) string { return e.Kind.String() }), nil
	}
	return nil, nil
}

// groupBy returns a counter whose groups are named by a function of the event.
func (s scan) groupBy(nameOf func(*event.Event) string) *report.Groups {
	return report.NewGroups(s.input.scope, nameOf)
}

// noGeo is the error for a grouping that needs a geo file which is missing.
func noGeo(what, key string) error {
	return usageError{hint.Wrap(fmt.Errorf("no file that knows %s is at hand", what),
		"sudo cscli parsers install crowdsecurity/geoip-enrich brings GeoLite2's to /var/lib/crowdsec/data; %s in csmail.yaml.local names another .mmdb file", key)}
}

// networkName returns the network by which addresses of one owner are usually known: the
// /24 of an IPv4 address, the /64 of an IPv6 one.
func networkName(addr netip.Addr) string {
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

// perAddress names the group of an event by its address. It remembers the names, because
// a log has many lines of each address.
func perAddress(nameOf func(netip.Addr) string) func(*event.Event) string {
	known := map[netip.Addr]string{}
	return func(e *event.Event) string {
		name, is := known[e.Addr]
		if !is {
			name = nameOf(e.Addr)
			known[e.Addr] = name
		}
		return name
	}
}

// printGroups prints the groups of the sources.
func (s scan) printGroups(std Streams, groups []report.Group, breakIns []report.BreakIn) error {
	w := std.Out
	groups = render.SortGroups(groups, render.Order(s.shown.sort))
	if s.output == "human" {
		return render.Groups(w, groups, render.Overview{Top: s.shown.rows(), Zone: s.input.zone, BreakIns: breakIns}, s.shown.by, std.screen())
	}
	if n := s.shown.top; n > 0 && n < len(groups) {
		groups = groups[:n]
	}
	if s.output == "json" {
		return render.AsJSON(w, groups)
	}
	return render.RawGroups(w, groups, s.count)
}
