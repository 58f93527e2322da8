package guard

import (
	"fmt"
	"net/netip"
)

// Action is what may be done about a source.
type Action uint8

// The actions.
const (
	None Action = iota // not enough against it
	Ban
	Hold  // enough against it, but a reason not to ban
	Alert // tell a person, ban nobody
)

var actionNames = [...]string{None: "none", Ban: "ban", Hold: "hold", Alert: "alert"}

// String returns the action as it is printed.
func (a Action) String() string { return actionNames[a] }

// MarshalText writes the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Conduct is what a source did.
type Conduct struct {
	Addr    netip.Addr
	Hostile int // attempts of hostile kinds, failed logins among them

	// FailedLogins counts the failed logins by account; "" is for those whose
	// line names none. LoggedIn holds the accounts that the source also logged
	// in to with the right password.
	FailedLogins map[string]int
	LoggedIn     map[string]struct{}

	// DuringFault counts the failed logins while our login service had trouble,
	// and Accounts the accounts that the source tried at any time.
	DuringFault int
	Accounts    int
}

const (
	// sprayedAccounts is from how many accounts on a source is guessing even
	// while our login service has trouble.
	sprayedAccounts = 10
	// mistypedName is how many failures on one other account a source may have
	// that logged in as well: somebody who mistypes his name.
	mistypedName = 10
)

// Judge bans from threshold hostile attempts on. Failed logins do not count on
// an account that the same source logged in to as well: that is a mistyped or a
// stale password. Where the log names no account, any login of the source
// stands for it; and a source that logged in may fail a few times on one other
// account, a mistyped name. While our login service had trouble, failures do not
// count for a source that tried few accounts.
func (g *Guard) Judge(c Conduct, threshold int) Verdict {
	if c.Hostile < threshold {
		return Verdict{Action: None, Reason: fmt.Sprintf("%d of %d hostile events", c.Hostile, threshold)}
	}
	if reason, held := g.Never(c.Addr); held {
		return Verdict{Action: Hold, Reason: reason}
	}
	if c.Accounts < sprayedAccounts && c.Hostile-c.DuringFault < threshold {
		return Verdict{Action: Hold, Reason: fmt.Sprintf("%d failed logins while our login service had trouble", c.DuringFault)}
	}
	forgiven := c.forgiven()
	if c.Hostile-forgiven < threshold {
		return Verdict{Action: Hold, Reason: fmt.Sprintf("%d failed logins on accounts that it also logged in to, or one mistyped", forgiven)}
	}
	return Verdict{Action: Ban, Reason: fmt.Sprintf("%d hostile events, %d are enough", c.Hostile-forgiven, threshold)}
}

func (c Conduct) forgiven() int {
	if len(c.LoggedIn) == 0 {
		return 0
	}
	n, others, other := 0, 0, 0
	for user, failures := range c.FailedLogins {
		if _, same := c.LoggedIn[user]; same || user == "" {
			n += failures
			continue
		}
		others, other = others+1, failures
	}
	if others == 1 && other <= mistypedName {
		n += other
	}
	return n
}
