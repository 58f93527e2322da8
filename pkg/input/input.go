// Package input has the common parts of all followed inputs: batches of lines, the
// cursors with which they resume, and their status. An input is one configured origin of
// lines (package file, journal or syslog below this one; package archive reads finished
// logs). Each run of lines comes with a cursor. If the caller stores both together, it
// loses no line and reads none twice, even if the process is killed. The package
// interprets no line, dates none, and opens nothing.
package input

import (
	"context"
	"log/slog"
	"time"
)

// Cursor says up to where an input was read. It is printable, and means
// something only to the input that made it. "" is no cursor: the first start.
type Cursor string

// The reasons under which lost lines are counted.
const (
	DropCut        = "line too long"           // only its start was handed out
	DropUnfinished = "line without an end"     // its file is finished, its newline never came
	DropGone       = "log gone before read"    // counts logs: their number of lines is unknown
	DropUnreadable = "rotated log unreadable"  // counts logs
	DropSuppressed = "suppressed by journald"  // its rate limit, see journald.conf(5)
	DropQueueFull  = "queue full"              // UDP and unix datagrams: their senders cannot be slowed down
	DropKernel     = "kernel buffer full"      // UDP, by SO_RXQ_OVFL, socket(7)
	DropTooMany    = "too many connections"    // counts connections
	DropBadFrame   = "frame of no known shape" // RFC 6587: neither octet count nor line
)

// Batch is a run of whole lines of one log, in order.
type Batch struct {
	Log      string    // the log of the input: the live file's path (also for its rotated part), the listener, the journal
	Text     string    // the lines, each with its newline; empty if only Cursor or Dropped is news
	Received time.Time // when the last line came to be: the file's mtime, else the arrival
	Read     time.Time // when the batch was read: no line is younger
	Cursor   Cursor    // where to resume after this batch; "" if the input cannot resume
	Lag      int64     // bytes that were still to be read behind it, -1 if unknown
	Dropped  int64     // lines lost since the batch before; [Status] has the reasons
}

// Input is a log, or several, that goes on.
type Input interface {
	// Name is the input's name in messages.
	Name() string
	// Follow calls emit for each batch in order, from behind from, until ctx
	// ends or emit fails, and returns that error. Stdin also ends with its
	// input, with nil. Trouble with the log is no reason to return: it shows in
	// the Status, and Follow tries again. A slow emit slows the input down.
	Follow(ctx context.Context, from Cursor, emit func(Batch) error) error
	// Status may be called at any time, by any goroutine.
	Status() Status
}

// State says how an input is doing.
type State string

// The states of an input.
const (
	Waiting   State = "waiting"   // nothing is there to follow yet
	Following State = "following" // lines are read as they come
	Failing   State = "failing"   // needs a person to correct it; Err is the reason
)

// MaxBatch is about how many bytes a batch holds.
const MaxBatch = 256 << 10

// Logger returns l, and one that logs nothing if l is nil.
func Logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
