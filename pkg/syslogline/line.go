package syslogline

import "time"

// Line is one raw log line and what is known about it besides its text.
type Line struct {
	Text string // without its newline

	// Received is when the line came to us: the arrival for a live source, the
	// file's modification time for a file. It gives a header without a year
	// its year, and bounds a clock that runs ahead.
	Received time.Time

	// Zone is the time zone of headers that name none. Never nil.
	Zone *time.Location

	Number int64 // 1-based, within its source
}
