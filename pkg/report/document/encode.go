package document

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/report"
	"csmail/pkg/wire"
)

// The kinds of entries of a Window and of Days. Their numbers are stored.
const (
	entryWindow uint8 = iota + 128
	entryHost
	entryCollateral
	entryAccount
	entryNetwork
	entryFault
	entryVerdicts
	entryDays
	entryHour // the entries of its window follow
	entryHabits
	entryHabit
	entryEnd // without it something is cut
	entryProof
	entryOutage
)

// write writes the window, for a windowReader. The scope is not among it.
func (w *Window) write(f *wire.Frames) {
	f.Add(entryWindow, w.encode)
	for host := range w.hosts {
		f.Add(entryHost, func(c *wire.Codec) { c.Text(&host) })
	}
	for i := range w.collateral {
		f.Add(entryCollateral, func(c *wire.Codec) { encodeCollateral(c, &w.collateral[i]) })
	}
	w.Figures.Write(f)
	w.sources.Write(f)
	w.watch.write(f)
}

// writeEnd ends what is written.
func writeEnd(f *wire.Frames) {
	f.Add(entryEnd, func(c *wire.Codec) { c.Number(0) })
	f.Close()
}

// readToEnd reads entries up to the one of writeEnd.
func readToEnd(next wire.Next, read func(kind uint8, c *wire.Codec)) error {
	isWhole := false
	err := wire.ReadFrames(next, func(kind uint8, c *wire.Codec) {
		if kind == entryEnd {
			c.Number(0)
			isWhole = true
			return
		}
		read(kind, c)
	})
	if err == nil && !isWhole {
		err = wire.ErrDamaged
	}
	return err
}

func (w *Window) encode(c *wire.Codec) {
	signed(c, &w.prevented)
	c.Time(&w.first)
	c.Time(&w.last)
	signed(c, &w.Lines, &w.Missed)
}

func encodeCollateral(c *wire.Codec, one *report.Collateral) {
	c.Text(&one.Value)
	c.Text(&one.Scenario)
	c.Time(&one.Banned)
	c.Time(&one.Good)
	c.Text(&one.Proof)
	c.Bools(&one.InBan)
}

// signed takes numbers of which few are below 0.
func signed[N ~int | ~int64](c *wire.Codec, all ...*N) {
	for _, p := range all {
		*p = N(c.Number(uint64(*p)))
	}
}

// entryReader reads entries of some kinds, and reports whether it knows a kind.
type entryReader func(kind uint8, c *wire.Codec) (known bool)

// reader returns a reader that adds a stored window to w.
func (w *Window) reader() entryReader {
	figures := w.Figures.Reader()
	return func(kind uint8, c *wire.Codec) bool {
		return figures.Entry(kind, c) || w.sources.Entry(kind, c) || w.watch.entry(kind, c) || w.entry(kind, c)
	}
}

func (w *Window) entry(kind uint8, c *wire.Codec) (known bool) {
	switch kind {
	case entryWindow:
		var more Window
		if more.encode(c); c.Err == nil {
			w.addTotals(&more)
		}
	case entryHost:
		var host string
		if c.Text(&host); len(w.hosts) < maxHosts {
			w.hosts[host] = true
		}
	case entryCollateral:
		var one report.Collateral
		if encodeCollateral(c, &one); c.Err == nil {
			w.addCollateral(one)
		}
	default:
		return false
	}
	return true
}

// write writes the content of the Watch.
func (w *Watch) write(f *wire.Frames) {
	for name, a := range w.accounts {
		f.Add(entryAccount, func(c *wire.Codec) { c.Text(&name); a.encode(c) })
	}
	for prefix, n := range w.networks {
		f.Add(entryNetwork, func(c *wire.Codec) { c.Prefix(&prefix); n.encode(c) })
	}
	for kind, one := range w.faults {
		name := kind.String()
		f.Add(entryFault, func(c *wire.Codec) { c.Text(&name); one.encode(c) })
	}
	for value, proof := range w.proofs {
		f.Add(entryProof, func(c *wire.Codec) { c.Text(&value); c.Text(&proof) })
	}
	for _, value := range w.order {
		one := w.values[value]
		f.Add(entryVerdicts, func(c *wire.Codec) { c.Text(&value); one.encode(c) })
	}
}

// entry adds an entry of a stored Watch.
func (w *Watch) entry(kind uint8, c *wire.Codec) (known bool) {
	more := NewWatch(w.counts)
	switch kind {
	case entryAccount:
		var name string
		a := &account{}
		c.Text(&name)
		a.encode(c)
		more.accounts[name] = a
	case entryNetwork:
		var prefix netip.Prefix
		n := &network{}
		c.Prefix(&prefix)
		n.encode(c)
		more.networks[prefix] = n
	case entryFault:
		var name string
		var kind event.Kind
		one := &fault{}
		c.Text(&name)
		if one.encode(c); kind.UnmarshalText([]byte(name)) == nil { // else of another release
			more.faults[kind] = one
		}
	case entryVerdicts:
		var value string
		one := &firstVerdicts{}
		c.Text(&value)
		one.encode(c)
		more.values[value], more.order = one, append(more.order, value)
	case entryProof:
		var value, proof string
		c.Text(&value)
		c.Text(&proof)
		more.proofs[value] = proof
	default:
		return false
	}
	if c.Err == nil {
		w.merge(more)
	}
	return true
}

func (a *account) encode(c *wire.Codec) {
	a.failedFrom.encode(c)
	signed(c, &a.failures)
	c.Bools(&a.loggedIn)
	c.Time(&a.first)
	c.Time(&a.last)
	wire.List(c, &a.breakIns, func(b *breakIn) { c.Addr(&b.addr); c.Time(&b.at); signed(c, &b.guesses) })
	wire.List(c, &a.from, c.Addr)
}

func (n *network) encode(c *wire.Codec) {
	signed(c, &n.accepted)
	n.refused.encode(c)
	signed(c, &n.listed, &n.nameless)
	c.Text(&n.name)
	c.Time(&n.first)
	c.Time(&n.last)
}

func (f *fault) encode(c *wire.Codec) {
	signed(c, &f.count, &f.refused)
	clients := make([]netip.Addr, 0, len(f.clients))
	for addr := range f.clients {
		clients = append(clients, addr)
	}
	wire.List(c, &clients, c.Addr)
	if c.Reading {
		f.clients = make(map[netip.Addr]bool, len(clients))
	}
	for _, addr := range clients {
		f.clients[addr] = true
	}
	c.Time(&f.first)
	c.Time(&f.last)
	encodeCounts(c, &f.reasons, c.Text)
}

func (v *firstVerdicts) encode(c *wire.Codec) {
	for _, place := range [...]**Verdict{&v.ban, &v.hold, &v.alert} {
		isThere := *place != nil
		if c.Bools(&isThere); !isThere {
			continue
		}
		if c.Reading {
			*place = &Verdict{}
		}
		(*place).encode(c)
	}
}

func (v *Verdict) encode(c *wire.Codec) {
	for _, text := range [...]*string{&v.Scope, &v.Value, &v.Scenario, &v.Message, &v.Reason, &v.Rule, &v.Name, &v.Network, &v.Country, &v.AS} {
		c.Text(text)
	}
	for _, at := range [...]*time.Time{&v.StartAt, &v.StopAt, &v.At} {
		c.Time(at)
	}
	signed(c, &v.Events)
}

// encodeCounts takes a map of counts.
func encodeCounts[K comparable](c *wire.Codec, counts *map[K]int, key func(*K)) {
	type entry struct {
		key K
		n   int
	}
	var all []entry
	for k, n := range *counts {
		all = append(all, entry{k, n})
	}
	wire.List(c, &all, func(e *entry) { key(&e.key); signed(c, &e.n) })
	if !c.Reading {
		return
	}
	*counts = make(map[K]int, len(all))
	for _, e := range all {
		(*counts)[e.key] = e.n
	}
}
