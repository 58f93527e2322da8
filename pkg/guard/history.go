package guard

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// History is all that the guard knows about a source, for csmail why.
type History struct {
	Source    netip.Prefix // the address; for IPv6 the /64
	Never     string       // why it is never banned; "" if it may be banned
	Amnesty   time.Time    // end of its amnesty; zero: none
	Proof     string       // why it is proven; "" if it is not
	LastLogin time.Time    // zero: none known
	Accounts  int          // number of accounts that logged in
	MailDays  int          // of the last 30 days, with mail taken
	First     time.Time    // times of the first offence and of the last activity; zero: none
	Last      time.Time
	Offences  []event.Count // those that are kept, by kind, in the order of the kinds
	Tried     int           // number of accounts with failed logins
	Forgotten int           // attempts of dropped offences
	Excuses   []Excuse      // in the order of the rules
	Waiting   []Waiting     // pending findings
}

// Waiting is a finding that waits for evidence, for example for the right password or for
// a login of somebody else.
type Waiting struct {
	Scenario string
	Until    time.Time // when it is decided at the latest
	Rule     Rule      // that keeps it back meanwhile; NoRule after a restart
	Reason   string    // the same in words
}

// Excuse is the number of a source's attempts that a rule excuses.
type Excuse struct {
	Rule     Rule
	Attempts int
}

// History returns the history of the source of an address.
func (g *Guard) History(addr netip.Addr) History {
	addr = addr.Unmap()
	key := keyOf(addr)
	h := History{Source: networkOf(key)}
	h.Never, _ = g.Never(addr)
	s := g.memory.find(key)
	h.Proof = g.proof(key, s, g.now)
	if s == nil {
		return h
	}
	h.Amnesty, h.LastLogin, h.First, h.Last = moment(s.amnesty), moment(s.login), moment(s.first), moment(s.seen)
	if s.amnesty <= g.now {
		h.Amnesty = time.Time{}
	}
	for _, p := range g.waiting.bySource[key] {
		h.Waiting = append(h.Waiting, Waiting{p.finding.Scenario, moment(p.until), p.rule, p.reason})
	}
	h.Accounts, h.MailDays, h.Forgotten = int(s.accounts.n), s.mailedDays(g.now), int(s.lost)
	g.tell(&h, s)
	return h
}

func (k *knowledge) tell(h *History, s *source) {
	j := k.judgement(s)
	var kinds [event.KindCount]int
	var excuses [ruleCount]int
	tried := make(map[event.AccountHash]struct{})
	for _, o := range j.offences {
		kinds[o.kind] += int(o.n)
		if rule, _ := j.excuse(o); rule != NoRule {
			excuses[rule] += int(o.n)
		}
		if !o.account.IsZero() {
			tried[o.account] = struct{}{}
		}
	}
	for _, k := range event.Kinds() {
		if kinds[k] > 0 {
			h.Offences = append(h.Offences, event.Count{Name: k.String(), N: kinds[k]})
		}
	}
	for rule, n := range excuses {
		if n > 0 {
			h.Excuses = append(h.Excuses, Excuse{Rule(rule), n})
		}
	}
	h.Tried = len(tried)
}

// moment is the inverse of stamp; 0 is the zero time.
func moment(at uint32) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(int64(at), 0).UTC()
}

// Breakers returns the states of the services that rules depend on, in a fixed order.
func (g *Guard) Breakers() []Breaker { return g.sites.Breakers(g.now) }

// Gateway returns an address of this host, or a private one, that makes more than half of
// at least a hundred connections. It is likely a container network or a proxy that hides the clients, and
// csmail can ban none of them. ok is false if there is no such address.
func (g *Guard) Gateway() (addr netip.Addr, percent int, ok bool) {
	w := g.gateway
	if w.total < 100 || w.n <= w.total/2 {
		return netip.Addr{}, 0, false
	}
	return w.addr, int(uint64(w.n) * 100 / uint64(w.total)), true
}

// Forgot returns the number of dropped sources, the number of these with a proof (which
// is kept), and the number of findings that could not wait and stay held.
func (g *Guard) Forgot() (sources, proofs, findings int) {
	return g.evicted.sources, g.evicted.proofs, g.evicted.pending
}

// Sources returns the number of sources that are remembered.
func (g *Guard) Sources() int { return g.memory.len() }
