package enforce

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"csmail/pkg/decision"
	"csmail/pkg/hint"
)

// TestID is the number of the decision of a probe.
const TestID = 999_999_999

// maxProbes bounds the probes at a time.
const maxProbes = 32

// probe is a ban of a test client that stands in no table.
type probe struct {
	addr  netip.Addr
	port  int // 0: any
	until time.Time
}

// probes holds those under way. They are read without a lock.
type probes struct {
	mu  sync.Mutex
	all atomic.Pointer[[]probe]
}

// documentation are the networks that no client comes from (RFC 5737, RFC 3849).
var documentation = [...]netip.Prefix{
	netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, 0}), 24),
	netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, 0}), 24),
	netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, 0}), 24),
	netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8}), 32),
}

// Probe has a test client refused at every door for a short time, for csmail enforce test:
// so a person sees what a client would. A client is an address of documentation, or with
// a port one single connection from an address of this host, which is not refused
// otherwise. So nobody else can be hit.
func (g *Gate) Probe(client netip.AddrPort, within time.Duration) error {
	addr := client.Addr().Unmap().WithZone("")
	isDocumentation := slices.ContainsFunc(documentation[:], func(n netip.Prefix) bool { return n.Contains(addr) })
	if _, own := g.Never(addr); !isDocumentation && (!own || client.Port() == 0) {
		return hint.Wrap(fmt.Errorf("%s cannot be a test client: it may be somebody's", client), "192.0.2.1 is nobody's")
	}
	now := g.now()
	g.probes.mu.Lock()
	defer g.probes.mu.Unlock()
	var all []probe
	if before := g.probes.all.Load(); before != nil {
		all = slices.DeleteFunc(slices.Clone(*before), func(p probe) bool { return !p.until.After(now) })
	}
	all = append(all[max(0, len(all)-maxProbes+1):], probe{addr, int(client.Port()), now.Add(within)})
	g.probes.all.Store(&all)
	return nil
}

// probed returns the decision on a test client.
func (g *Gate) probed(q *Query) (decision.Decision, bool) {
	all := g.probes.all.Load()
	if all == nil {
		return decision.Decision{}, false
	}
	now := g.now()
	for _, p := range *all {
		if p.addr == q.Addr && (p.port == 0 || p.port == q.Port) && p.until.After(now) {
			q.Test = true
			return decision.Decision{
				ID: TestID, Type: decision.Ban, Network: netip.PrefixFrom(p.addr, p.addr.BitLen()), Origin: "csmail", Scenario: "test", Until: p.until,
			}, true
		}
	}
	return decision.Decision{}, false
}
