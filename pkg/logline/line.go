package logline

import "time"

// Line is one raw log line and what is known about it besides its text.
type Line struct {
	Text string // without its newline

	// Received is when the line came to us: the arrival for a live source, the
	// file's modification time for a file. It gives a header without a year
	// its year, and bounds its clock.
	Received time.Time

	// Read is when the line was read, which bounds the clock of a header that
	// has its year: a file's modification time may be anything. The zero time
	// stands for Received.
	Read time.Time

	// After is when the line before it in the same log was written; the zero time if
	// that is not known. It tells apart the two hours that are called alike when
	// summer time ends, and nothing else.
	After time.Time

	// Zone is the time zone of headers that name none. Never nil.
	Zone *time.Location

	Number int64 // 1-based, within its source

	// Reading says what else than a plain line the source may hold; nil for nothing.
	Reading *Reading
}
