package guard

import (
	"fmt"
	"net/netip"

	"csmail/pkg/event"
)

// A phone with an old password comes from another address of its mobile network each time,
// and fails from each once or twice. So the network has many addresses that fail to log in,
// and looks like a botnet. But it fails on one account only, which logs in from elsewhere,
// and no more often than one device does. A ban would hit all customers of the network.

// isRoaming reports whether the failures of a network may be those of one device with an
// old password, and returns the most of them within an hour.
func (k *knowledge) isRoaming(f Finding, t *tally) (perHour int, ok bool) {
	if f.Scope != event.ScopeRange || !f.Network.Addr().Is4() || len(t.left) == 0 || !isOneAccount(t.accounts) {
		return 0, false
	}
	for _, o := range t.left {
		if o.kind != event.AuthFailed || o.account.IsZero() {
			return 0, false
		}
	}
	last := &t.left[len(t.left)-1]
	perHour = max(mostIn(t.left, hour), k.memory.failedIn(f.Network, last))
	return perHour, perHour <= k.limits.stale && k.logsIn(last.account, last.at, last.host)
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

// roaming returns the verdict on such a network.
func roaming(perHour int) Verdict {
	return hold(Stale, fmt.Sprintf("all failures are on one account, which logs in elsewhere, and at most %d an hour: so does a phone with an old password", perHour))
}
