package guard

// Action is the decision of a verdict.
type Action uint8

// The actions.
const (
	None Action = iota // too few attempts count
	Ban
	Hold  // enough attempts, but a reason not to ban
	Alert // report it, ban nobody
)

var actionNames = [...]string{None: "none", Ban: "ban", Hold: "hold", Alert: "alert"}

// String returns the action's name.
func (a Action) String() string { return actionNames[a] }

// MarshalText writes the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
