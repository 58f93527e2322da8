package control

import "time"

// Enforcement is the state of enforcement: the decisions, the doors and their clients.
type Enforcement struct {
	DryRun    bool      `json:"dry_run"`
	Decisions int       `json:"decisions"`
	LastPull  time.Time `json:"last_pull,omitzero"` // when the LAPI last sent its decisions
	Error     string    `json:"error,omitempty"`    // why it does not now
	Hint      string    `json:"hint,omitempty"`
	Repaired  uint64    `json:"repaired"` // decisions that the LAPI's stream had lost, or kept too long
	Ignored   uint64    `json:"ignored"`  // that no mail server can enforce
	LeftOut   uint64    `json:"left_out"` // decisions without room in the table
	Spared    uint64    `json:"spared"`   // times that a client with a decision was let in because it must never be refused
	Doors     []Door    `json:"doors"`
	Refused   []Refused `json:"refused"` // the latest, newest first

	Countries *Countries `json:"countries,omitempty"` // nil: enforce.countries is off
}

// Countries is the state of enforce.countries.
type Countries struct {
	Mode     string   `json:"mode"`
	Data     bool     `json:"data"`     // the file of countries is there
	Accounts int      `json:"accounts"` // whose countries are known
	Logins   uint64   `json:"logins"`   // successful ones from a country that is new to the account, since the start
	Abroad   []Abroad `json:"abroad"`   // the latest of them, newest first
}

// Abroad is a successful login from a country that is new to the account.
type Abroad struct {
	At      time.Time `json:"at"`
	Addr    string    `json:"ip"`
	Country string    `json:"country"`
	Account string    `json:"account"`
}

// Door is where mail servers ask.
type Door struct {
	Name        string    `json:"name"`
	Places      []string  `json:"places"` // addresses that it listens on; empty: it is closed
	Asked       uint64    `json:"asked"`
	Refused     uint64    `json:"refused"`
	Errors      uint64    `json:"errors"` // invalid requests
	Connections int       `json:"connections"`
	LastAsked   time.Time `json:"last_asked,omitzero"`
}

// Refused is one client that was kept out, or would have been in a dry run.
type Refused struct {
	At      time.Time `json:"at"`
	Door    string    `json:"door"`
	Service string    `json:"service"`
	Addr    string    `json:"ip"`
	ID      int64     `json:"decision"`
	Origin  string    `json:"origin"`
	Type    string    `json:"type"`
	Account bool      `json:"of_account,omitempty"` // the decision was on an account
	DryRun  bool      `json:"dry_run,omitempty"`
}
