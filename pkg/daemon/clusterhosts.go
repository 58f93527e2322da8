package daemon

import (
	"csmail/pkg/cluster"
	"csmail/pkg/wire"
)

// hostNames gives the hosts in facts names that the sender cannot choose. A log names
// its host, and by that name the guard keeps the health of each host's resolver and logins: an edge that was broken into could speak for another host, and an alert would name
// one that has nothing to do with it.
//
// The name is the edge's, to which the server binds its key. A host that an edge collects
// logs of stands behind it: relay/mx7. Only the host that the edge is named after keeps the
// name in its log.
type hostNames struct {
	known map[hostOf]string
}

// hostOf is a host as the log of an edge names it.
type hostOf struct{ edge, host string }

// maxHostNames bounds the names that are at hand. The name depends on nothing else, so
// forgetting them changes no result.
const maxHostNames = 4096

func (h *hostNames) of(edge, host string) string {
	if host == "" || host == edge {
		return edge
	}
	key := hostOf{edge, host}
	if name, known := h.known[key]; known {
		return name
	}
	name := edge + "/" + host
	if cluster.NameOf(host) == edge {
		name = host
	}
	if h.known == nil || len(h.known) >= maxHostNames {
		h.known = map[hostOf]string{}
	}
	h.known[key] = name
	return name
}

// attribute puts the names into a fact, and into the records that it releases.
func (h *hostNames) attribute(f *wire.Fact, edge string) {
	f.Record.Host = h.of(edge, f.Record.Host)
	for i := range f.Released {
		f.Released[i].Record.Host = h.of(edge, f.Released[i].Record.Host)
	}
	for i := range f.Superseded {
		f.Superseded[i].Host = h.of(edge, f.Superseded[i].Host)
	}
}
