package daily

import (
	"math"
	"net/netip"
	"strings"
)

// Counts counts by keys that a client may have written. The keys are copies, so that the
// text of the log can be released. The values are pointers, because an assignment to an
// existing key would replace the map's copy of the key by the given one.
type Counts map[string]*int

// Plain returns the counts by themselves.
func (c Counts) Plain() map[string]int {
	plain := make(map[string]int, len(c))
	for key, n := range c {
		plain[key] = *n
	}
	return plain
}

// addCount adds n to a key, or to the others if there is no room for a new key. A count
// of 0 is dropped.
func addCount(counts Counts, key string, n int) { addUpTo(maxKeys, counts, key, n) }

// addText adds n to the words of a log line, which clients make up in part.
func (f *Figures) addText(counts Counts, text string, n int) {
	if counts[text] == nil && text != others {
		if !f.hasRoom(counts) {
			text = others
		} else {
			f.spent.texts++
		}
	}
	addUpTo(math.MaxInt, counts, text, n)
}

// addTrouble adds n to the text of a warning or worse of a cause, which may be "". Clients
// can fill the room of the texts, so this host's own trouble has some more.
func (f *Figures) addTrouble(counts Counts, cause, text string, n int) {
	if cause == "" || counts[text] != nil || f.hasRoom(counts) || f.spent.own[cause] >= maxOwnTexts {
		f.addText(counts, text, n)
		return
	}
	if f.spent.own == nil {
		f.spent.own = map[string]int{}
	}
	f.spent.own[cause]++
	addUpTo(math.MaxInt, counts, text, n)
}

// restoreText adds n to a text of stored figures, which had room for it.
func (f *Figures) restoreText(counts Counts, text string, n int) {
	if counts[text] == nil && text != others {
		f.spent.texts++
	}
	addUpTo(math.MaxInt, counts, text, n)
}

// hasRoom reports whether there is room for one more text among the counts.
func (f *Figures) hasRoom(counts Counts) bool {
	return len(counts) < maxTexts && f.spent.texts < maxAllTexts
}

// addAddress adds n to a mail address of a refusal.
func (f *Figures) addAddress(counts *Counts, address string, n int) {
	if *counts == nil {
		*counts = Counts{}
	}
	most := maxKeys
	if (*counts)[address] == nil {
		if f.spent.addresses >= maxRefused {
			most = 0
		}
		f.spent.addresses++
	}
	addUpTo(most, *counts, address, n)
}

// addClient adds n to a client of a refusal, and reports whether it was not there before.
func (f *Figures) addClient(clients Clients, addr netip.Addr, n int) (isNew bool) {
	count := clients[addr]
	if count == nil {
		isNew = true
		if len(clients) >= maxKeys || f.spent.clients >= maxRefused {
			addr = netip.Addr{}
		}
		if count = clients[addr]; count == nil {
			count = new(int)
			clients[addr] = count
			f.spent.clients++
		}
	}
	*count += n
	return isNew
}

// spent is how much of the room for all reasons together is taken.
type spent struct {
	clients, addresses, texts int

	own map[string]int // texts beyond the room for all, by their cause
}

func addUpTo(most int, counts Counts, key string, n int) {
	count := counts[key]
	if count == nil {
		if len(counts) >= most {
			key = others
		}
		if count = counts[key]; count == nil {
			count = new(int)
			counts[strings.Clone(key)] = count
		}
	}
	if *count += n; *count == 0 {
		delete(counts, key)
	}
}

// trafficAt returns the entry of a key, a new one if there is none, or that of the others
// if there is no room for one. isOwn is false for that one. An entry that comes to
// nothing stays, because its longest delay would be lost: parts of a day could then not
// be merged in any order.
func trafficAt(traffic map[string]*Traffic, key string) (entry *Traffic, isOwn bool) {
	if entry = traffic[key]; entry != nil {
		return entry, key != others
	}
	if len(traffic) >= maxKeys {
		key = others
	}
	if entry = traffic[key]; entry == nil {
		entry = &Traffic{}
		traffic[strings.Clone(key)] = entry
	}
	return entry, key != others
}

// trafficOf returns the entries of a mail address and of its domain.
func trafficOf(addresses, domains map[string]*Traffic, address string) (one, domain *Traffic) {
	one, isOwn := trafficAt(addresses, addressKey(address))
	if one.domain != nil {
		return one, one.domain
	}
	domain, _ = trafficAt(domains, domainOf(address))
	if isOwn && len(address) <= maxText { // else the key is that of several addresses
		one.domain = domain
	}
	return one, domain
}

// dropEmpty removes counts of 0.
func dropEmpty(traffic map[string]*Traffic) {
	for key, t := range traffic {
		if t.isEmpty() {
			delete(traffic, key)
		}
	}
}
