// Package control is the conversation between csmail's commands and the running daemon:
// HTTP with JSON bodies over a unix socket that only its owner and group may open. For
// example, csmail unban sends POST /unban with the network, and gets back the number of
// dropped alerts.
//
// The package holds both ends and the types that they share, so a command and a daemon of
// one release always understand each other. It decides nothing, and it never listens on a
// network.
package control

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"csmail/pkg/report"
)

// Daemon is the running daemon, as the commands see it.
type Daemon interface {
	Status(ctx context.Context) (Status, error)
	Why(ctx context.Context, addr netip.Addr) (report.Why, error)
	// Unban forgives an address (a network of full length) or every address of a
	// network: the buckets are emptied, there is amnesty for a day, and alerts that were
	// not sent yet are dropped. A network that is too large is refused.
	Unban(ctx context.Context, network netip.Prefix) (Unbanned, error)
	// Probe has a test client refused at every door for some seconds. Only a client that
	// cannot be anybody's is taken.
	Probe(ctx context.Context, client netip.AddrPort) error
	// HandOver has a judge that leads begin to hand over to another one. Status shows when
	// it is done.
	HandOver(ctx context.Context) error
	// Report returns the daemon's data about the hours from one time to another, which
	// are whole hours in the zone of that name. A zero until is now.
	Report(ctx context.Context, since, until time.Time, zone string) (Report, error)
	// List returns the alerts of a list, oldest first.
	List(ctx context.Context, list List) ([]Alert, error)
	// Move takes one alert of a list further by its ID or the beginning of it, or
	// all of them with "all", and returns how many.
	Move(ctx context.Context, list List, id string, move Move) (int, error)
}

// Report is the data of a daily report.
type Report struct {
	Whole  bool      `json:"whole"` // nothing of the log of that time is missing, up to now
	Until  time.Time `json:"until"` // the end of the window
	Window []byte    `json:"window,omitempty"`
	Around []byte    `json:"around,omitempty"` // data that is not of these hours

	// Document is the finished report of a day that an older csmail stored. Then there
	// is no Window.
	Document json.RawMessage `json:"document,omitempty"`
}

// List is one of the daemon's lists of alerts.
type List string

// The lists.
const (
	Outbox List = "outbox" // waits to be sent
	Parked List = "parked" // the LAPI will not take it
	Held   List = "held"   // the guard keeps it back
)

// Move is an action on an alert of a list.
type Move string

// The moves.
const (
	Release Move = "release" // a held alert goes to the outbox
	Retry   Move = "retry"   // a parked alert goes to the outbox
	Drop    Move = "drop"
)

// Status is how the daemon is doing.
type Status struct {
	Version    string    `json:"version"`
	Started    time.Time `json:"started"`
	Config     string    `json:"config"`
	Reload     string    `json:"reload,omitempty"`      // why the last reload failed
	ReloadHint string    `json:"reload_hint,omitempty"` // how to mend that
	Lines      int64     `json:"lines"`
	Missed     int64     `json:"missed"`
	Tracked    int       `json:"tracked_sources"`

	Undecided int          `json:"undecided"` // findings that wait for evidence
	Total     Total        `json:"total"`
	Bans      Bans         `json:"bans"`
	Sources   []Source     `json:"sources"`
	Outbox    OutboxStatus `json:"outbox"`
	LAPI      LAPI         `json:"lapi"`
	State     StateStatus  `json:"state"`
	Breakers  []string     `json:"breakers"` // outages on our side that hold bans back now
	Gateway   *Gateway     `json:"gateway,omitempty"`
	Alerts    []Alert      `json:"alerts"`    // the latest, newest first
	BreakIns  []Alert      `json:"break_ins"` // of the last seven days, the newest last; at most 10

	Enforcement *Enforcement `json:"enforcement,omitempty"` // nil: nothing is enforced

	Cluster *Cluster `json:"cluster,omitempty"` // nil: this host counts alone

	// Troubles are why the daemon does not do its work, though it runs: a log is not
	// read, or bans do not get to the LAPI. Empty while all is well.
	Troubles []string `json:"troubles"`
}

// Gateway is an address of this host, or a private one, that most connections in the log
// come from. It is likely a proxy that hides the clients.
type Gateway struct {
	Addr    string `json:"ip"`
	Percent int    `json:"percent"` // of the connections
}

// Total counts the work of csmail since its state file was made, over all restarts. After a
// crash it may lack the last five minutes. The other counters of a Status begin with
// the daemon's start.
type Total struct {
	Since     time.Time `json:"since"`
	Lines     int64     `json:"lines"`
	Missed    int64     `json:"missed"`
	Delivered uint64    `json:"delivered"` // alerts that the LAPI took
	Dropped   uint64    `json:"dropped"`   // alerts that no list had room for
}

// Bans counts addresses and networks that have, or had, a ban of csmail's in the LAPI.
type Bans struct {
	Now       int `json:"now"`
	Today     int `json:"today"`     // since midnight in the host's zone
	Simulated int `json:"simulated"` // today, in simulation
}

// Source is one followed log.
type Source struct {
	Name     string           `json:"name"`
	State    string           `json:"state"`
	Error    string           `json:"error,omitempty"`
	Hint     string           `json:"hint,omitempty"`
	Lines    int64            `json:"lines"`
	Lag      int64            `json:"lag_bytes"` // -1: unknown
	LastLine time.Time        `json:"last_line,omitzero"`
	Drops    map[string]int64 `json:"drops,omitempty"`
}

// Cluster is the state of a cluster as one of its hosts knows it.
type Cluster struct {
	Name      string `json:"name"`
	Connected bool   `json:"connected"` // a server answers

	Edge  *ClusterEdge  `json:"edge,omitempty"`
	Judge *ClusterJudge `json:"judge,omitempty"`
}

// ClusterEdge is the way of the facts of this host to the judges.
type ClusterEdge struct {
	Sent     uint64    `json:"sent_facts"` // since the start
	LastSent time.Time `json:"last_sent,omitzero"`
	Kept     uint64    `json:"kept_facts"` // that some judge has not stored yet
	Bytes    int64     `json:"kept_bytes"`
	Full     bool      `json:"full"` // reading waits, since no more may be kept
	Error    string    `json:"error,omitempty"`
	Since    time.Time `json:"error_since,omitzero"`
}

// ClusterJudge is the state of the other hosts as a judge knows it.
type ClusterJudge struct {
	Leads       bool        `json:"leads"`
	Leader      string      `json:"leader"`
	HandingOver bool        `json:"handing_over,omitempty"` // it gives the lease up, and no other judge has it yet
	SameRules   bool        `json:"same_rules"`             // all judges have the same scenarios, numbers and edges
	Differing   []string    `json:"differing"`              // judges that have others, or of which that is not known
	Sequence    uint64      `json:"sequence"`               // of the newest message of the stream that was taken
	Watermark   time.Time   `json:"watermark,omitzero"`
	Waiting     int         `json:"waiting_facts"` // for their turn
	Edges       []EdgeState `json:"edges"`
}

// EdgeState is the state of an edge as a judge knows it.
type EdgeState struct {
	Name    string        `json:"name"`
	Heard   bool          `json:"heard"`
	Waited  bool          `json:"waited_for"`
	Behind  time.Duration `json:"behind_ns"` // of the foremost edge
	Silent  time.Duration `json:"silent_ns"`
	Skew    time.Duration `json:"skew_ns"` // of its clock; corrected
	Late    uint64        `json:"late_facts"`
	Gaps    uint64        `json:"gaps"`
	Again   uint64        `json:"repeated_facts"`
	Lost    uint64        `json:"lost_facts"`
	Refused string        `json:"refused,omitempty"` // why its batches are refused

	Distrusted bool `json:"distrusted,omitempty"`
	Blank      bool `json:"blank,omitempty"` // this judge never had its earlier facts, and delivers nothing
}

// Blank returns the edges of whose earlier facts this judge knows nothing.
func (j *ClusterJudge) Blank() (names []string) {
	for _, e := range j.Edges {
		if e.Blank {
			names = append(names, e.Name)
		}
	}
	return names
}

// OutboxStatus counts the alerts that are not delivered yet.
type OutboxStatus struct {
	Pending int       `json:"pending"`
	Parked  int       `json:"parked"`
	Held    int       `json:"held"`
	Oldest  time.Time `json:"oldest,omitzero"` // zero if nothing waits
	Dropped uint64    `json:"dropped"`
}

// LAPI reports whether alerts reach the LAPI.
type LAPI struct {
	Reached   time.Time `json:"reached,omitzero"` // the last answer; zero: no answer yet
	Error     string    `json:"error,omitempty"`
	Hint      string    `json:"hint,omitempty"`
	Delivered uint64    `json:"delivered"`
}

// StateStatus reports whether the daemon's state is stored.
type StateStatus struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
	Commit int64  `json:"commits"`
	// Unstored counts the lines read since the last commit.
	Unstored int `json:"unstored"`
}

// Alert is one alert of a list.
type Alert struct {
	ID       string    `json:"id,omitempty"`
	Number   string    `json:"number,omitempty"` // the LAPI's
	Scenario string    `json:"scenario"`
	Scope    string    `json:"scope"`
	Value    string    `json:"value"`
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	At       time.Time `json:"at"` // when it came into the list
	Status   string    `json:"status,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Until    time.Time `json:"until,omitzero"` // of its ban, zero if unknown
}

// Unbanned is the result of an unban.
type Unbanned struct {
	Dropped int       `json:"dropped"` // alerts about it that waited
	Amnesty time.Time `json:"amnesty_until"`
}
