// Package dyndns knows the addresses behind host names that are never banned: an office
// or a person with dynamic DNS. It asks the host's resolver for A and AAAA records once a
// minute, with a timeout, and keeps the last good answer while the resolver fails, also
// over restarts. It decides nothing about a client, and never answers a question by
// asking the resolver: a caller gets the addresses known by then.
package dyndns

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of names and addresses.
const (
	MaxNames     = 256 // of a configuration
	maxAddresses = 8   // of a name, the newest
	maxAtOnce    = 64  // look-ups
)

// The times of look-ups and answers.
const (
	every   = time.Minute
	timeout = 5 * time.Second // of a round

	// overlap is how long an address stays after a good answer named it last: what the
	// old address did may be judged some minutes later, and some names give a part of
	// their addresses at a time.
	overlap = time.Hour

	// lasts is how long an answer stays without a good one after it. An address that
	// somebody else has by then should not be spared for ever.
	lasts = 7 * 24 * time.Hour
)

// Lookup returns the addresses of a name; [net.Resolver.LookupNetIP] does.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// Options of Names.
type Options struct {
	Lookup Lookup             // nil: the host's resolver
	Now    func() time.Time   // nil: time.Now
	Log    *slog.Logger       // nil: nothing is logged
	Keep   func([]byte) error // stores the answers for the next start; nil: nobody does
}

// Address is one address of a name: a host of IPv4, or the /64 of one of IPv6, as
// privacy addresses change (RFC 8981).
type Address struct {
	Name    string
	Network netip.Prefix
}

// Names holds the names and their answers. Its methods are safe for concurrent use.
type Names struct {
	options Options

	mu      sync.Mutex
	names   []string
	answers map[string]*answer
	wake    chan struct{}
}

// answer holds the known addresses of a name.
type answer struct {
	Good      time.Time `json:"good"` // the last look-up that named an address
	Addresses []seen    `json:"addresses"`
	failing   bool
}

// seen is an address and when a good answer named it last.
type seen struct {
	Addr netip.Addr `json:"ip"`
	At   time.Time  `json:"at"`
}

// New returns Names without a name.
func New(o Options) *Names {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name+".") // the dot: no search domains
		}
	}
	return &Names{options: o, answers: map[string]*answer{}, wake: make(chan struct{}, 1)}
}

// Set replaces the names. The addresses of those that stay are kept.
func (n *Names) Set(names []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names = nil
	for _, name := range names[:min(len(names), MaxNames)] {
		n.names = append(n.names, strings.ToLower(strings.TrimSuffix(name, ".")))
	}
	for name := range n.answers {
		if !slices.Contains(n.names, name) {
			delete(n.answers, name)
		}
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Restore brings back what Keep stored, for the names that are set. Of what cannot be
// read nothing is taken.
func (n *Names) Restore(kept []byte) error {
	if len(kept) == 0 {
		return nil
	}
	var all map[string]*answer
	if err := json.Unmarshal(kept, &all); err != nil {
		return fmt.Errorf("reading the addresses of guard.allow_names: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.names {
		if a := all[name]; a != nil && n.answers[name] == nil {
			a.Addresses = slices.DeleteFunc(a.Addresses, func(s seen) bool { return !isHost(s.Addr) })
			a.Addresses = a.Addresses[:min(len(a.Addresses), maxAddresses)]
			n.answers[name] = a
		}
	}
	return nil
}

// Unknown returns the names without a known address.
func (n *Names) Unknown() (names []string) {
	known := n.Addresses()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.names {
		if !slices.ContainsFunc(known, func(a Address) bool { return a.Name == name }) {
			names = append(names, name)
		}
	}
	return names
}

// Addresses returns the addresses known now, in the order of the names and the addresses.
func (n *Names) Addresses() (all []Address) {
	now := n.options.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.names {
		a := n.answers[name]
		if a == nil || now.Sub(a.Good) > lasts {
			continue
		}
		from := len(all)
		for _, s := range a.Addresses {
			network := netip.PrefixFrom(s.Addr, s.Addr.BitLen())
			if s.Addr.Is6() {
				network = netip.PrefixFrom(s.Addr, 64).Masked()
			}
			if one := (Address{name, network}); a.holds(s, now) && !slices.Contains(all[from:], one) {
				all = append(all, one)
			}
		}
		slices.SortFunc(all[from:], func(a, b Address) int { return a.Network.Addr().Compare(b.Network.Addr()) })
	}
	return all
}

// holds reports whether an address is still one of the name.
func (a *answer) holds(s seen, now time.Time) bool {
	return !s.At.Before(a.Good) || now.Sub(s.At) <= overlap
}

// Run looks the names up until the context ends, and calls changed when an address came
// or went.
func (n *Names) Run(ctx context.Context, changed func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := n.Addresses()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-n.wake:
		}
		n.Look(ctx)
		if now := n.Addresses(); ctx.Err() == nil && !slices.Equal(before, now) {
			before = now
			changed()
		}
	}
}

// Look looks every name up once. It takes a few seconds at the most, whatever the
// resolver does.
func (n *Names) Look(ctx context.Context) {
	n.mu.Lock()
	names := slices.Clone(n.names)
	n.mu.Unlock()
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var group sync.WaitGroup
	room := make(chan struct{}, maxAtOnce)
	for _, name := range names {
		group.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			found, err := n.options.Lookup(ctx, name)
			n.take(name, found, err)
		})
	}
	group.Wait()
	n.keepAddresses()
}

// take notes an answer. One without a usable address is a failure.
func (n *Names) take(name string, found []netip.Addr, err error) {
	now := n.options.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.names, name) {
		return
	}
	a := n.answers[name]
	if a == nil {
		a = &answer{}
		n.answers[name] = a
	}
	var hosts []netip.Addr
	for _, addr := range found {
		if addr = addr.Unmap().WithZone(""); isHost(addr) {
			hosts = append(hosts, addr)
		}
	}
	if err == nil && len(hosts) == 0 {
		err = fmt.Errorf("no address of a host among %v", found)
	}
	if err != nil {
		if !a.failing {
			n.options.Log.Warn("a name of guard.allow_names cannot be resolved; what it was stays in force for a week", "name", name, "addresses", len(a.Addresses), "error", err)
		}
		a.failing = true
		return
	}
	if a.failing {
		n.options.Log.Info("a name of guard.allow_names is resolved again", "name", name)
	}
	a.failing = false
	a.see(hosts, now)
}

// see notes the addresses of a good answer.
func (a *answer) see(hosts []netip.Addr, now time.Time) {
	a.Good = now
	for _, addr := range hosts {
		i := slices.IndexFunc(a.Addresses, func(s seen) bool { return s.Addr == addr })
		if i < 0 {
			a.Addresses = append(a.Addresses, seen{Addr: addr})
			i = len(a.Addresses) - 1
		}
		a.Addresses[i].At = now
	}
	a.Addresses = slices.DeleteFunc(a.Addresses, func(s seen) bool { return !a.holds(s, now) })
	slices.SortStableFunc(a.Addresses, func(x, y seen) int { return cmp.Compare(y.At.UnixNano(), x.At.UnixNano()) })
	a.Addresses = a.Addresses[:min(len(a.Addresses), maxAddresses)]
}

// isHost reports whether an address may be a client's: a name that is switched off often
// leads to 0.0.0.0 or 127.0.0.1.
func isHost(addr netip.Addr) bool { return addr.IsGlobalUnicast() }

// keepAddresses stores the known addresses.
func (n *Names) keepAddresses() {
	if n.options.Keep == nil {
		return
	}
	n.mu.Lock()
	data, err := json.Marshal(n.answers)
	n.mu.Unlock()
	if err == nil {
		err = n.options.Keep(data)
	}
	if err != nil {
		n.options.Log.Warn("the addresses of guard.allow_names cannot be kept for the next start", "error", err)
	}
}
