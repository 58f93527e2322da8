package guard

import (
	"fmt"
	"net/netip"
	"slices"

	"csmail/pkg/event"
)

// A phone with an old password comes from another address of its mobile network each time,
// and fails from each once or twice. So the network has many addresses that fail to log in,
// and looks like a botnet. But it fails on one account only, and no more often than one
// device does, while the account logs in from elsewhere. A ban would hit all customers of the network.
//
// Other customers of the network mistype now and then. So a few addresses more may fail on
// other accounts. Their failures stay in the scenario's bucket, and count with later ones.

// roam holds the failures of a network that may be those of one device with an old
// password.
type roam struct {
	account event.AccountHash
	left    []offence // its failures
	others  []party   // addresses that did anything else
}

// roamOf takes the failures of a network apart: those on the account that most of its
// addresses failed on, and the others.
func roamOf(t *tally) roam {
	if len(t.parties) == 0 { // the finding does not count addresses
		r := roam{left: t.left}
		for i := range t.left {
			r.account = t.left[i].account
		}
		if !isOneAccount(t.accounts) || slices.ContainsFunc(t.left, func(o offence) bool { return !o.isOn(r.account) }) {
			return roam{}
		}
		return r
	}
	r := roam{account: mostTried(t.parties)}
	for _, p := range t.parties {
		if slices.ContainsFunc(p.counts, func(o offence) bool { return !o.isOn(r.account) }) {
			r.others = append(r.others, p)
		} else {
			r.left = append(r.left, p.counts...)
		}
	}
	return r
}

// isOneAccount reports whether the failures are on one account. Each is on the one that
// most addresses failed on, but info may stand for info@ any domain.
func (r *roam) isOneAccount() bool {
	var accounts []event.AccountHash
	for i := range r.left {
		if !slices.Contains(accounts, r.left[i].account) {
			accounts = append(accounts, r.left[i].account)
		}
	}
	return isOneAccount(accounts)
}

// isOn reports whether the offence is a failed login on an account.
func (o offence) isOn(account event.AccountHash) bool {
	return o.kind == event.AuthFailed && !o.account.IsZero() && o.account.Is(account)
}

// mostTried returns the account that most of the addresses failed on, among the first
// account of each.
func mostTried(parties []party) event.AccountHash {
	var best event.AccountHash
	most := 0
	for i := range parties {
		if len(parties[i].counts) == 0 {
			continue
		}
		name, n := parties[i].counts[0].account, 0
		for k := range parties {
			if slices.ContainsFunc(parties[k].counts, func(o offence) bool { return o.isOn(name) }) {
				n++
			}
		}
		if n > most {
			best, most = name, n
		}
	}
	return best
}

// isRoaming reports whether the failures of a network may be those of one device with an
// old password, and returns the verdict if so.
func (k *knowledge) isRoaming(f Finding, t *tally) (Verdict, bool) {
	if f.Scope != event.ScopeRange || !f.Network.Addr().Is4() || len(t.left) == 0 {
		return Verdict{}, false
	}
	r := roamOf(t)
	if len(r.left) == 0 || !r.isOneAccount() || len(r.others) > k.limits.typing || k.memory.othersIn(&f, r.account, k.limits.typing) > k.limits.typing {
		return Verdict{}, false
	}
	inOrder(r.left)
	last := &r.left[len(r.left)-1]
	perHour := max(mostIn(r.left, hour), k.memory.failedIn(f.Network, last))
	if perHour > k.limits.stale || !k.logsIn(last.account, last.at, last.host) {
		return Verdict{}, false
	}
	return r.verdict(perHour), true
}

// failedIn returns the number of failures on the account of an offence in a network, within
// the hour up to that offence. A finding may hold only a few of them.
func (m *memory) failedIn(network netip.Prefix, last *offence) int {
	n := 0
	for s := range m.within(network) {
		for _, o := range m.offencesOf(s) {
			if o.kind == event.AuthFailed && o.account.Is(last.account) && o.at <= last.at && last.at-o.at < hour {
				n += int(o.n)
			}
		}
	}
	return n
}

// othersIn returns the number of addresses of a finding's network that failed on another
// account within the finding's time, but not on one that logs in from there; at most one
// more than most. A finding holds the latest addresses only, so a network in which a phone
// fails often would hide any number of others.
func (m *memory) othersIn(f *Finding, account event.AccountHash, most int) int {
	n, from, to := 0, stamp(f.First), stamp(f.Last)
	for s := range m.within(f.Network) {
		if n > most {
			break
		}
		if slices.ContainsFunc(m.offencesOf(s), func(o offence) bool {
			return o.at >= from && o.at <= to && f.Kinds.Has(o.kind) && !o.isOn(account) && latest(m.accountsIn(s.accounts), o.account) == 0
		}) {
			n++
		}
	}
	return n
}

// verdict returns the verdict on such a network.
func (r *roam) verdict(perHour int) Verdict {
	but := ""
	if n := len(r.others); n > 0 {
		but = " but those of " + addresses(n)
	}
	v := hold(Stale, fmt.Sprintf("all failures%s are on one account, which logs in elsewhere, and at most %d an hour: so does a phone with an old password", but, perHour))
	for i := range r.others {
		v.Values = r.others[i].values(v.Values, false)
	}
	slices.SortStableFunc(v.Values, func(a, b Value) int { return a.At.Compare(b.At) })
	return v
}
