package daemon

import (
	"fmt"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// origins assign the facts of an edge about a resolver, login service or table to a host: to
// the edge's site, if it has one, or else to the edge itself. The edge writes the name of the
// host in a line, and must not speak of others. For example, an edge in the hands of an
// attacker could report that a database of mx1 is down, and guesses at mx1 would be excused.
type origins struct {
	site  map[string]string           // by edge
	known map[hostOfEdge]event.Origin // only saves time
}

type hostOfEdge struct{ edge, first, host string }

// An edge speaks of so many hosts at most, those that send it their logs: their names are
// divided into so many groups. It cannot take the place of others by inventing names.
const hostsOfEdge = 64

// maxKnown bounds the memory of known.
const maxKnown = 4096

func newOrigins(sites map[string][]string) origins {
	o := origins{site: map[string]string{}, known: map[hostOfEdge]event.Origin{}}
	for name, edges := range sites {
		for _, edge := range edges { // of one site each
			o.site[edge] = name
		}
	}
	return o
}

// set sets the origin of all records in a fact of an edge, of which first is the first name.
func (o origins) set(f *wire.Fact, edge, first string) {
	f.Record.Origin = o.of(edge, first, f.Record.Host)
	for i := range f.Released {
		f.Released[i].Record.Origin = o.of(edge, first, f.Released[i].Record.Host)
	}
	for i := range f.Superseded {
		f.Superseded[i].Origin = o.of(edge, first, f.Superseded[i].Host)
	}
}

// of returns the origin of a line of a host, as an edge reports it. It depends on both names
// and the sites alone.
func (o origins) of(edge, first, host string) event.Origin {
	key := hostOfEdge{edge, first, host}
	if origin, isKnown := o.known[key]; isKnown {
		return origin
	}
	if len(o.known) >= maxKnown {
		clear(o.known)
	}
	name := groupOf(first, event.OriginOf(host, "").Host%hostsOfEdge)
	if site := o.site[edge]; site != "" {
		name = "site/" + site
	}
	origin := event.OriginOf(name, "")
	origin.Edge = event.EdgeOf(first)
	o.known[key] = origin
	return origin
}

// all returns the origins that the lines of an edge can have.
func (o origins) all(edge, first string) (all []event.Origin) {
	if o.site[edge] != "" {
		return []event.Origin{o.of(edge, first, edge)}
	}
	for group := range uint64(hostsOfEdge) {
		all = append(all, event.OriginOf(groupOf(first, group), ""))
	}
	return all
}

// groupOf is the name of a group of the hosts of an edge.
func groupOf(first string, group uint64) string { return fmt.Sprintf("edge/%s/%d", first, group) }
