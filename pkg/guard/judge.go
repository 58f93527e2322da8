package guard

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
