package guard

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// History is what the guard knows of a source, for a person who asks why.
type History struct {
	Source    netip.Prefix // the address; for IPv6 its /64
	Never     string       // why it is never banned, "" if it may be
	Amnesty   time.Time    // until then; zero: none
	Proof     string       // why it is proven, "" if it is not
	LastLogin time.Time    // zero: none known
	Accounts  int          // that logged in
	MailDays  int          // of the last 30, with mail taken
	First     time.Time    // of the first offence and the last sign of it; zero: none
	Last      time.Time
	Offences  []event.Count // kept ones, by kind, in the order of the kinds
	Tried     int           // accounts that failed
	Forgotten int           // attempts that had no more room
	Excuses   []Excuse      // in the order of the rules
	Waiting   []Waiting     // findings without a last word yet
}

// Waiting is a finding that waits for evidence: the right password, a login, a
// sign that something of ours works.
type Waiting struct {
	Scenario string
	Until    time.Time // when it is looked at again at the latest
	Rule     Rule      // that keeps it back meanwhile; NoRule after a restart
	Reason   string    // the same in words
}

// Excuse is how many of a source's attempts a rule takes out.
type Excuse struct {
	Rule     Rule
	Attempts int
}

// History returns what is known of the source of an address.
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

// moment is stamp's inverse; 0 is no time.
func moment(at uint32) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(int64(at), 0).UTC()
}

// Breakers returns the state of what the rules hang on, in a fixed order.
func (g *Guard) Breakers() []Breaker { return g.sites.Breakers(g.now) }

// Gateway tells of an address of our own that stands for more than half of at
// least a hundred connections: a container network or a proxy hides the clients
// behind it, and csmail can ban nobody there. ok is false if there is none.
func (g *Guard) Gateway() (addr netip.Addr, percent int, ok bool) {
	w := g.gateway
	if w.total < 100 || w.n <= w.total/2 {
		return netip.Addr{}, 0, false
	}
	return w.addr, int(uint64(w.n) * 100 / uint64(w.total)), true
}

// Forgot returns how many sources had to be forgotten for lack of room, how many
// of them with a proof (which is remembered), and how many findings could not
// wait and stay held.
func (g *Guard) Forgot() (sources, proofs, findings int) {
	return g.evicted.sources, g.evicted.proofs, g.evicted.pending
}

// Sources returns how many sources are remembered.
func (g *Guard) Sources() int { return g.memory.len() }
