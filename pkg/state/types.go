package state

import (
	"time"

	"csmail/pkg/event"
)

// Input is one input of the engine: a Record that it stepped, or a point in time that it
// advanced to. Exactly one of Record and Tick is set.
type Input struct {
	Source string        // the name of the Record's source
	Record *event.Record // it may be none that the engine steps, and have a Flow
	Tick   time.Time

	// Lines is the number of lines read since the Input before, including this one, and
	// Missed the number of those that no grammar matched. Both are 0 if they are not
	// counted.
	Lines, Missed uint64
}

// Mark is a place in the journal of inputs: just after a commit.
type Mark uint64

// Batch is the content of one commit, stored all of it or nothing.
type Batch struct {
	Inputs  []Input           // in the order of Step
	Cursors map[string]string // by source name; sources that are not named keep theirs
	Alerts  []Entry           // to be delivered; only the fields that their comments say are set
	Held    []Entry           // to be kept back, with the reason

	Outgoing []Outgoing // batches to be sent, in the order of their numbers
}

// Entry is one alert in the outbox, parked, or held.
type Entry struct {
	// Seq is its place in the list that it is in; set by the store.
	Seq uint64

	// ID is [event.Alert.ID], with the number of the renewal if it is one. Set by
	// the store. An alert whose ID was seen within the time of the history is not
	// added again.
	ID string

	// The caller of Commit sets these.
	Alert    event.Alert
	Duration time.Duration // of the ban it carries; 0: the LAPI's profiles decide
	Simulate bool
	Queued   time.Time // when it was added; released or retried: when that was
	Reason   string    // why it is held, was parked, or could not be sent last time

	Until   time.Time // of a renewal: when the ban ends for good; else zero
	Renewal int       // 1 for the first renewal of a long ban
	Tries   int       // how often the LAPI would not take it
	Refused time.Time // when it would not for the first time
}

// Status is the final outcome of an alert.
type Status uint8

// The statuses.
const (
	Delivered  Status = iota // the LAPI has it
	HeldBack                 // the LAPI need not or must not get it: allowlisted, already reported
	Dropped                  // by a person, or because a list was full
	lastStatus = Dropped
)

var statusNames = [...]string{"delivered", "held-back", "dropped"}

// String returns the status as it is printed.
func (s Status) String() string { return statusNames[s] }

// HistoryEntry is an alert in the history. Its evidence is not kept.
type HistoryEntry struct {
	ID       string
	Number   string // the LAPI's number of the alert, "" if it has none
	Status   Status
	Reason   string // why it was held back or dropped
	Sent     time.Time
	Alert    event.Alert
	Duration time.Duration // that csmail asked for; 0: the profiles decided
	Simulate bool
	Renewal  int

	// Bans are the decisions that came of it, as first read from the LAPI.
	Bans   []Ban
	Looked bool // whether Bans were read from the LAPI

	// Created is when the LAPI stored the alert, by its clock, as first read. It is kept
	// here because the LAPI may forget the alert. Zero if the LAPI did not say, and in
	// older files.
	Created time.Time

	Unbanned time.Time // when csmail saw that a person had ended them early, else zero
}

// End returns when the last ban of the alert ends, or the zero time.
func (t HistoryEntry) End() time.Time {
	var end time.Time
	for _, b := range t.Bans {
		if b.Until.After(end) {
			end = b.Until
		}
	}
	return end
}

// Ban is one decision in the LAPI.
type Ban struct {
	ID    int64
	Type  string    // "ban", "captcha" …
	Until time.Time // by the LAPI's clock
}

// Settlement is the outcome of one entry of the outbox.
type Settlement struct {
	Seq    uint64
	Status Status
	Number string
	Reason string
	At     time.Time
}

// Stats are figures of the store, for metrics.
type Stats struct {
	Pending, Parked, Held int
	Oldest                time.Time // when the oldest pending entry was added; zero: the outbox is empty

	// Since the store was opened:
	Commits, Checkpoints uint64
	Added                uint64 // alerts that went into the outbox
	Repeated             uint64 // alerts that were not added because they were known
	Overflowed           uint64 // entries dropped because a list was full

	JournalBytes int64 // of inputs since the newest checkpoint, as stored
	FileBytes    int64
}
