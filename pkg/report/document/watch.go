package document

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// Watch collects the data of findings from the engine's results: accounts under attack,
// the origins of logins, services in trouble. Its memory is bounded. Use it from one
// goroutine at a time.
type Watch struct {
	counts   func(*event.Event) bool
	accounts map[string]*account
	networks map[netip.Prefix]*network
	faults   map[event.Kind]*fault
	values   map[string]*firstVerdicts
	order    []string          // of values
	proofs   map[string]string // of banned values that got in before: how
	near     *[nearAccounts]nearAccount
	tries    int     // addresses of all accounts
	outage   *outage // of the resolver; it may have begun before the window
}

// account is one login name.
type account struct {
	failedFrom addrSet // at most maxPerItem
	failures   int
	loggedIn   bool
	first      time.Time // of the failures
	last       time.Time
	breakIns   []breakIn
	from       []netip.Addr // of the logins, the lowest of each network, at most maxFrom
}

// breakIn is a login from an address that guessed passwords before.
type breakIn struct {
	addr    netip.Addr
	at      time.Time
	guesses int
}

// network is a /24 or /64 where mail servers may be neighbours.
type network struct {
	accepted int // mails taken
	refused  addrSet
	listed   int    // of the refusals, those because of a block list
	nameless int    // and those for want of a name
	name     string // a verified name in it, the first by the alphabet
	first    time.Time
	last     time.Time
}

// fault is trouble of one kind of the host's own services.
type fault struct {
	count   int // 0 if all of it was before the window, and clients were refused in it
	refused int // clients that were refused for now because of it
	clients map[netip.Addr]bool
	first   time.Time // of the trouble, and of the refusals because of it
	last    time.Time
	reasons map[string]int
}

// firstVerdicts are the first findings about one value.
type firstVerdicts struct{ ban, hold, alert *Verdict }

// of returns the place of the first finding with an action, nil for none.
func (v *firstVerdicts) of(action guard.Action) **Verdict {
	switch action {
	case guard.Ban:
		return &v.ban
	case guard.Hold:
		return &v.hold
	case guard.Alert:
		return &v.alert
	}
	return nil
}

const (
	maxAccounts = 100_000 // with those that logged in
	maxTried    = 10_000  // before a name that nobody logged in with counts no more: clients make them up
	maxNetworks = 100_000
	maxValues   = 100_000
	maxProofs   = 1000
	maxPerItem  = 1000    // addresses of an account
	maxTries    = 200_000 // addresses of all accounts together, which attackers choose
)

// NewWatch returns a Watch over the events for which counts is true.
func NewWatch(counts func(*event.Event) bool) *Watch {
	return &Watch{
		counts: counts, accounts: map[string]*account{}, networks: map[netip.Prefix]*network{},
		faults: map[event.Kind]*fault{}, values: map[string]*firstVerdicts{}, proofs: map[string]string{}, outage: &outage{},
	}
}

// Add takes the next result.
func (w *Watch) Add(r *engine.Result) {
	w.AddFindings(r.Findings)
	if !r.Folded && r.Outcome == event.Noted && r.Kind == event.DNSFault {
		w.outage.note(r.Time)
	}
	if r.Folded || !w.counts(&r.Event) {
		return
	}
	if r.Testimony == event.MailAccepted && r.Addr.IsValid() {
		w.accepted(&r.Event)
	}
	if r.Outcome != event.Noted {
		return
	}
	switch {
	case r.Kind == event.AuthFailed:
		w.failed(&r.Event)
	case r.Kind == event.LoginOK, r.Guessed > 0:
		w.loggedIn(r)
	case r.Kind == event.DNSBLListed, r.Kind == event.NoHostname:
		if !w.refusedInOutage(&r.Event) {
			w.refused(&r.Event)
		}
	case r.Kind == event.NoAuth && r.Service == event.Dovecot:
		w.handshake(&r.Event)
	case r.Kind.Class() == event.Fault:
		w.fault(&r.Event)
	}
}

// AddFindings notes the first ban, hold and alert on each value.
func (w *Watch) AddFindings(findings []engine.Finding) {
	for _, f := range findings {
		first := w.verdictsOf(f.Alert.Value())
		if first == nil {
			continue
		}
		if place := first.of(f.Verdict.Action); place != nil && *place == nil {
			v := verdictOf(f)
			*place = &v
			w.addProof(v.Value, f.Verdict.Proof)
		}
	}
}

// addProof keeps how a banned value got in before. The windows of a day may name several.
func (w *Watch) addProof(value, proof string) {
	known, isKnown := w.proofs[value]
	if proof != "" && (isKnown && proof < known || !isKnown && len(w.proofs) < maxProofs) {
		w.proofs[value] = proof
	}
}

// verdictsOf returns the entry of a value, nil where there are too many.
func (w *Watch) verdictsOf(value string) *firstVerdicts {
	first := w.values[value]
	if first == nil && len(w.values) < maxValues {
		first = &firstVerdicts{}
		w.values[value] = first
		w.order = append(w.order, value)
	}
	return first
}

// nameOf returns an account in its counted form: lower case; "" for no
// name.
func nameOf(e *event.Event) string { return strings.ToLower(e.User) }

// account returns the account of a name, nil if it is a new one and there are most.
func (w *Watch) account(name string, most int) *account {
	a := w.accounts[name]
	if a == nil && len(w.accounts) < most {
		a = &account{}
		w.accounts[strings.Clone(name)] = a
	}
	return a
}

// nearAccounts is how many accounts are found without a look into the map: one of each of
// so many groups of login names, because most names come again and again.
const nearAccounts = 1 << 8

// nearAccount is an account that was found before, by the login name as it was sent.
type nearAccount struct {
	user    string
	account *account
}

// accountOf returns the account of an event, nil if it is a new one and there are most.
func (w *Watch) accountOf(e *event.Event, most int) *account {
	if w.near == nil {
		w.near = new([nearAccounts]nearAccount)
	}
	slot := &w.near[groupOf(e.User)]
	if slot.account != nil && slot.user == e.User {
		return slot.account
	}
	a := w.account(nameOf(e), most)
	if a != nil && len(e.User) <= maxNear {
		*slot = nearAccount{strings.Clone(e.User), a}
	}
	return a
}

// maxNear is how long a name may be to be kept once more.
const maxNear = 128

// groupOf returns the group of a login name, which only spreads names over the groups.
func groupOf(user string) uint8 {
	if user == "" {
		return 0
	}
	n := len(user)
	return uint8(n) + 31*user[n-1] + 59*user[n/2] + 101*user[n/4] + 7*user[0]
}

// failed counts a failed login.
func (w *Watch) failed(e *event.Event) {
	if e.User == "" || !e.Addr.IsValid() {
		return
	}
	if a := w.accountOf(e, maxTried); a != nil {
		a.failures += e.Attempts
		before := a.failedFrom.count
		a.failedFrom.add(e.Addr, w.mostTries(before))
		w.tries += a.failedFrom.count - before
		widen(&a.first, &a.last, e.Time)
	}
}

// mostTries returns how many addresses an account that has some may have.
func (w *Watch) mostTries(has int) int { return min(maxPerItem, has+maxTries-w.tries) }

// loggedIn counts a login, and a break-in if guesses came before it.
func (w *Watch) loggedIn(r *engine.Result) {
	if r.User == "" && r.Guessed == 0 {
		return
	}
	a := w.accountOf(&r.Event, maxAccounts)
	if a == nil {
		return
	}
	a.loggedIn = true
	a.cameFrom(r.Addr)
	if r.Guessed > 0 {
		a.addBreakIn(breakIn{r.Addr, r.Time, r.Guessed})
	}
}

// addBreakIn keeps the first of each address.
func (a *account) addBreakIn(b breakIn) {
	at := slices.IndexFunc(a.breakIns, func(known breakIn) bool { return known.addr == b.addr })
	switch {
	case at >= 0 && b.at.Before(a.breakIns[at].at):
		a.breakIns[at] = b
	case at < 0 && len(a.breakIns) < maxPerItem:
		a.breakIns = append(a.breakIns, b)
	}
}

// network returns the entry of an address's network.
func (w *Watch) network(addr netip.Addr) *network {
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return nil
	}
	n := w.networks[prefix]
	if n == nil && len(w.networks) < maxNetworks {
		n = &network{}
		w.networks[prefix] = n
	}
	return n
}

// accepted counts a mail that was taken.
func (w *Watch) accepted(e *event.Event) {
	n := w.network(e.Addr)
	if n == nil {
		return
	}
	n.accepted++
	if e.ClientName == n.name {
		return
	}
	if e.ClientName != "" && e.ClientName != "unknown" && (n.name == "" || e.ClientName < n.name) {
		n.name = strings.Clone(e.ClientName)
	}
}

// refused counts a mail that was refused.
func (w *Watch) refused(e *event.Event) {
	n := w.network(e.Addr)
	if n == nil {
		return
	}
	n.refused.add(e.Addr, maxPerItem)
	if e.Kind == event.DNSBLListed {
		n.listed++
	} else {
		n.nameless++
	}
	widen(&n.first, &n.last, e.Time)
}

// fault counts trouble of the host's own services.
func (w *Watch) fault(e *event.Event) { w.addFault(e.Kind, e, e.Reason) }

// handshake counts a client of Dovecot that broke off because of the certificate.
// OpenSSL's words stand behind the address, and a client can write nothing there.
func (w *Watch) handshake(e *event.Event) {
	_, said, _ := strings.Cut(e.Message, ", TLS handshaking: SSL_accept() failed: error:")
	if e.User != "" || said == "" {
		return
	}
	for _, sign := range handshakeSigns {
		if strings.Contains(said, sign) {
			w.addFault(event.TLSError, e, handshakeReason(w.faults[event.TLSError], sign, e.Addr))
			return
		}
	}
}

// faultOf returns the entry of a kind of trouble.
func (w *Watch) faultOf(kind event.Kind) *fault {
	f := w.faults[kind]
	if f == nil {
		f = &fault{clients: map[netip.Addr]bool{}, reasons: map[string]int{}}
		w.faults[kind] = f
	}
	return f
}

// addFault counts trouble of a kind.
func (w *Watch) addFault(kind event.Kind, e *event.Event, reason string) {
	f := w.faultOf(kind)
	f.count += e.Attempts
	if e.Addr.IsValid() && len(f.clients) < maxPerItem {
		f.clients[e.Addr] = true
	}
	if len(f.reasons) < maxPerItem {
		f.reasons[strings.Clone(reason)]++
	}
	widen(&f.first, &f.last, e.Time)
}

// widen extends a span of time.
func widen(first, last *time.Time, t time.Time) {
	if first.IsZero() || t.Before(*first) {
		*first = t
	}
	if t.After(*last) {
		*last = t
	}
}

// accountsTried returns the accounts with failed logins, the most tried first.
func (w *Watch) accountsTried() []Account {
	out := []Account{}
	for name, a := range w.accounts {
		if a.failures > 0 {
			out = append(out, Account{name, a.failures, a.failedFrom.count, a.loggedIn})
		}
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Or(b.Failures-a.Failures, strings.Compare(a.Name, b.Name)) })
	return out
}
