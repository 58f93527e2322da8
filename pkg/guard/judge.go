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
	Hold // enough against it, but a reason not to ban
)

var actionNames = [...]string{None: "none", Ban: "ban", Hold: "hold"}

// String returns the action as it is printed.
func (a Action) String() string { return actionNames[a] }

// MarshalText writes the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Verdict is an action with its reason in words for a person.
type Verdict struct {
	Action Action
	Reason string
}

// Conduct is what a source did.
type Conduct struct {
	Addr    netip.Addr
	Hostile int // attempts of hostile kinds, failed logins among them

	// FailedLogins counts the failed logins by account; "" is for those whose
	// line names none. LoggedIn holds the accounts that the source also logged
	// in to with the right password.
	FailedLogins map[string]int
	LoggedIn     map[string]struct{}
}

// Judge bans from threshold hostile attempts on. Failed logins do not count on
// an account that the same source logged in to as well: that is a mistyped or a
// stale password. Where the log names no account, any login of the source
// stands for it.
func (g *Guard) Judge(c Conduct, threshold int) Verdict {
	if c.Hostile < threshold {
		return Verdict{None, fmt.Sprintf("%d of %d hostile events", c.Hostile, threshold)}
	}
	if reason, held := g.Never(c.Addr); held {
		return Verdict{Hold, reason}
	}
	forgiven := c.forgiven()
	if c.Hostile-forgiven < threshold {
		return Verdict{Hold, fmt.Sprintf("%d failed logins on accounts that it also logged in to", forgiven)}
	}
	return Verdict{Ban, fmt.Sprintf("%d hostile events, %d are enough", c.Hostile-forgiven, threshold)}
}

func (c Conduct) forgiven() int {
	n := 0
	for user, failures := range c.FailedLogins {
		_, same := c.LoggedIn[user]
		if same || (user == "" && len(c.LoggedIn) > 0) {
			n += failures
		}
	}
	return n
}
