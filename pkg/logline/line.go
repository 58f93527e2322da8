package logline

import "time"

// Line is one raw log line with its circumstances.
type Line struct {
	Text string // without its newline

	// Received is when the line came to us: the arrival for a live source, the
	// file's modification time for a file. It gives a header without a year
	// its year, and bounds its clock.
	Received time.Time

	// Read is when the line was read. It bounds the clock of a header with a year, since
	// a file's modification time may be wrong. The zero time stands for Received.
	Read time.Time

	// After is the time of the line before it in the same log; the zero time if that is
	// not known. Its only use is to distinguish the two hours of the same name at the
	// end of summer time. For example, after 02:59:58 a line of 02:00:03 is in the
	// second one.
	After time.Time

	// Zone is the time zone of headers that name no zone. Never nil.
	Zone *time.Location

	Number int64 // 1-based, within its source

	// Reading lists the forms besides a plain line that the source may hold; nil: no
	// others.
	Reading *Reading
}
