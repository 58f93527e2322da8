package daily

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// Connected counts connections to smtpd that ended, as pflogsumm --smtpd-stats does
// (1.1.5, "disconnect from"): each counts in the hour of its end, and lasts the whole
// seconds between the stamps of two lines. One whose begin is not in the log does not
// count, and neither does one of this host's own.
type Connected struct {
	Count   int `json:"connections"`
	Seconds int `json:"seconds"`
	Max     int `json:"max_seconds"` // of the longest
}

// Plus returns the sum of two counts.
func (c Connected) Plus(o Connected) Connected {
	return Connected{c.Count + o.Count, c.Seconds + o.Seconds, max(c.Max, o.Max)}
}

func (c *Connected) encode(w *wire.Codec) { signed(w, &c.Count, &c.Seconds, &c.Max) }

// maxPeers is the number of hosts of which connections are counted apart.
const maxPeers = 50_000

// disconnect counts a connection that ended.
func (f *Figures) disconnect(hour string, flow *event.Flow, seconds int) {
	one := Connected{1, seconds, seconds}
	l := &f.latest
	if l.ended == nil || l.endedKey != hour {
		l.endedKey, l.ended = hour, addConnected(f.ConnectedHours, hour, Connected{})
	}
	*l.ended = l.ended.Plus(one)
	client := l.client(flow.Addr)
	if client.ended == nil || client.name != flow.Client {
		l.room = appendHost(l.room[:0], flow.Client, flow.Addr)
		client.name, client.ended = strings.Clone(flow.Client), peerOf(f.Connected, l.room)
	}
	*client.ended = client.ended.Plus(one)
}

// peerOf returns the entry of a host.
func peerOf(all map[string]*Connected, name []byte) *Connected {
	if known := all[string(name)]; known != nil {
		return known
	}
	return addConnected(all, string(name), Connected{})
}

// addConnected adds to the entry of a key, or of the others if there is no room for it,
// and returns the entry.
func addConnected(all map[string]*Connected, key string, more Connected) *Connected {
	if all[key] == nil && len(all) >= maxPeers {
		key = others
	}
	entry := all[key]
	if entry == nil {
		entry = &Connected{}
		all[strings.Clone(key)] = entry
	}
	*entry = entry.Plus(more)
	return entry
}

// appendHost appends the name by which pflogsumm counts a host (gimme_domain): its
// address if it has no verified name, else the name without its first labels. For
// example, "a.mx.example.com" becomes "example.com" and "a.example.co.uk" becomes
// "example.co.uk", but "mx.example.org.example" stays.
func appendHost(b []byte, name string, addr clientAddr) []byte {
	if name == "" || name == "unknown" {
		return addr.AppendTo(b)
	}
	for _, c := range []byte(domainOfHost(clip(name))) {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// domainOfHost applies ^(.*)\.([^\.]+)\.([^\.]{3}|[^\.]{2,3}\.[^\.]{2})$ and returns the
// two last groups, or the whole name if it does not match.
func domainOfHost(name string) string {
	rest, last, ok := cutLast(name)
	if !ok {
		return name
	}
	ending := len(last) // of the suffix
	if len(last) != 3 {
		var second string
		rest, second, ok = cutLast(rest)
		if !ok || len(last) != 2 || len(second) < 2 || len(second) > 3 {
			return name
		}
		ending += len(second) + 1
	}
	_, domain, ok := cutLast(rest)
	if !ok || domain == "" {
		return name
	}
	return name[len(name)-ending-1-len(domain):]
}

// cutLast cuts the last label off a name.
func cutLast(name string) (rest, label string, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", name, false
	}
	return name[:dot], name[dot+1:], true
}

// writeConnected writes the maps of connections.
func writeConnected(w *wire.Frames, lists []map[string]*Connected) {
	for which, all := range lists {
		for key, one := range all {
			w.Add(entryConnected, func(c *wire.Codec) { signed(c, &which); c.Text(&key); one.encode(c) })
		}
	}
}

// connected reads an entry of writeConnected.
func (r *FiguresReader) connected(c *wire.Codec) {
	var which int
	var key string
	var one Connected
	signed(c, &which)
	c.Text(&key)
	one.encode(c)
	if all := r.lists.connected; c.Err == nil && which >= 0 && which < len(all) {
		addConnected(all[which], key, one)
		return
	}
	c.Fail()
}
