package guard

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Some scenarios count accounts or addresses, each once (distinct). If a rule excuses part of
// such a finding, the accounts or addresses of the attempts that count decide, not the
// number of the attempts. For example, fifteen addresses of a network fail to log in,
// fourteen of them in an outage, and the last one twenty times: then one of them counts.

// party is a source of a finding that counts addresses. Several addresses of an IPv6 /64 are
// one source to the guard, so the attempts of each are not known.
type party struct {
	addrs  []netip.Addr
	counts []offence // of the source that count
	open   []offence // that are excused only until there is evidence
}

// addParty adds the source of an address with its offences: those in left and
// open from two places on.
func (t *tally) addParty(addr netip.Addr, left, open int) {
	t.parties = append(t.parties, party{[]netip.Addr{addr}, slices.Clone(t.left[min(left, len(t.left)):]), slices.Clone(t.open[open:])})
}

// addToParty adds an address of the source at a place in the parties, if there are any.
func (t *tally) addToParty(at int, addr netip.Addr) {
	if at >= 0 && at < len(t.parties) {
		t.parties[at].addrs = append(t.parties[at].addrs, addr)
	}
}

// values returns the accounts or addresses of the attempts that count, or, if open is true,
// that may yet, with the first attempt of each, in the order of these.
func (t *tally) values(f *Finding, open bool) []Value {
	var values []Value
	switch {
	case f.Distinct:
		values = accountsOf(t.left)
		if open {
			values = accountsOf(slices.Concat(t.left, t.open))
		}
	case f.Addresses:
		for i := range t.parties {
			values = t.parties[i].values(values, open)
		}
	}
	slices.SortStableFunc(values, func(a, b Value) int { return a.At.Compare(b.At) })
	return values
}

// accountsOf returns the accounts of offences, each with its first attempt. Two forms of a
// name (bob, bob@example.org) are one, as they are to a scenario with distinct accounts.
func accountsOf(offences []offence) []Value {
	sorted := slices.Clone(offences)
	inOrder(sorted)
	var values []Value
	for _, o := range sorted {
		known := slices.ContainsFunc(values, func(v Value) bool { return v.Account.Name == o.account.Name })
		if !o.account.IsZero() && !known {
			values = append(values, Value{Account: o.account, First: Attempt{o.kind, o.service()}, At: moment(o.at)})
		}
	}
	return values
}

// values appends the addresses of a party, one for each attempt at most.
func (p *party) values(values []Value, open bool) []Value {
	attempts := slices.Clone(p.counts)
	if open {
		attempts = append(attempts, p.open...)
	}
	inOrder(attempts)
	next := 0
	for _, o := range attempts {
		for n := o.n; n > 0 && next < len(p.addrs); n-- {
			values = append(values, Value{Addr: p.addrs[next], First: Attempt{o.kind, o.service()}, At: moment(o.at)})
			next++
		}
	}
	return values
}

// valuesOverflow reports whether the accounts or addresses that count would still have made
// the finding: it pours them into the finding's bucket again. Times are whole seconds here, so it accepts two seconds more.
func (t *tally) valuesOverflow(f *Finding, needed int) bool {
	values := t.values(f, false)
	if f.Leak <= 0 || len(values) < needed {
		return len(values) >= needed
	}
	var level time.Duration
	for i := range values {
		if i > 0 {
			level = max(0, level-values[i].At.Sub(values[i-1].At))
		}
		if level += f.Leak; level+2*time.Second > time.Duration(needed-1)*f.Leak {
			return true
		}
	}
	return false
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return strconv.Itoa(n) + " addresses"
}
