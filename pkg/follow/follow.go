// Package follow reads logs that are still being written: files through every
// kind of rotation, the journal by journalctl(1), syslog over UDP, TCP and unix
// sockets (RFC 3164, RFC 5424, RFC 5426, RFC 6587), and standard input. Each run
// of lines comes with a cursor; who stores both together loses no line and reads
// none twice, whenever the process ends. It understands no line, dates none, and
// never waits for one source because of another.
package follow

import (
	"context"
	"log/slog"
	"time"
)

// Cursor says up to where a source was read. It is printable, and means
// something only to the source that made it. "" is no cursor: the first start.
type Cursor string

// The reasons under which lost lines are counted.
const (
	DropCut        = "line too long"           // only its start was handed out
	DropUnfinished = "line without an end"     // its file is finished, its newline never came
	DropGone       = "log gone before read"    // counts logs: nobody knows their lines
	DropUnreadable = "rotated log unreadable"  // counts logs
	DropSuppressed = "suppressed by journald"  // its rate limit, see journald.conf(5)
	DropQueueFull  = "queue full"              // UDP and unix datagrams: nobody can be told to wait
	DropKernel     = "kernel buffer full"      // UDP, by SO_RXQ_OVFL, socket(7)
	DropTooMany    = "too many connections"    // counts connections
	DropBadFrame   = "frame of no known shape" // RFC 6587: neither octet count nor line
)

// Batch is a run of whole lines of one log, in order.
type Batch struct {
	Source   string    // the log: the live file's path (also for its rotated part), the listener, the journal
	Text     string    // the lines, each with its newline; empty if only Cursor or Dropped is news
	Received time.Time // when the last line came to be: the file's mtime, else the arrival
	Read     time.Time // when the batch was read: no line is younger
	Cursor   Cursor    // where to resume after this batch; "" if the source cannot resume
	Lag      int64     // bytes that were still to be read behind it, -1 if nobody knows
	Dropped  int64     // lines lost since the batch before; [Status] has the reasons
}

// Source is a log that goes on.
type Source interface {
	// Name is the source's name in messages.
	Name() string
	// Follow calls emit for each batch in order, from behind from, until ctx
	// ends or emit fails, and returns that error. Stdin also ends with its
	// input, with nil. Trouble with the log is no reason to return: it shows in
	// the Status, and Follow tries again. A slow emit slows the source down.
	Follow(ctx context.Context, from Cursor, emit func(Batch) error) error
	// Status may be called at any time, by any goroutine.
	Status() Status
}

// State tells how a source is.
type State string

// The states of a source.
const (
	Waiting   State = "waiting"   // nothing is there to follow yet
	Following State = "following" // lines are read as they come
	Failing   State = "failing"   // something must be mended; Err tells what
)

// maxBatch is about how many bytes a batch holds.
const maxBatch = 256 << 10

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
