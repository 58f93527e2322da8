package engine

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// Reader reads the lines of one log, in order: it numbers them, dates each with the
// help of the one before, and gives repetitions back what they repeat. Every command
// reads through it, or, where blocks of a log are parsed on several cores, through
// its two halves: a [Parser] for each block, and an [Order] for the records of all.
// The zero value is ready but for Line.Zone; it keeps hold of the text of one event.
//
//	reader := engine.Reader{Line: logline.Line{Received: now, Zone: time.UTC}}
//	for text := range lines {
//		reader.Next(text, &record)
//		result := e.Step(&record)
//	}
type Reader struct {
	// Line is the line read last. Received, Read, Zone and Reading are the caller's to
	// set, and hold for the lines to come; the rest is the reader's.
	Line   logline.Line
	Parser Parser

	order Order
}

// Next reads the next line into record, whatever record held before.
func (r *Reader) Next(text string, record *event.Record) {
	r.Line.Text = text
	r.Line.Number++
	r.Line.After = r.order.before
	r.Parser.Parse(&r.Line, record)
	r.order.Take(record)
}

// Repeatable returns the event that the next line may repeat, for Resume.
func (r *Reader) Repeatable() (event.Record, bool) { return r.order.repeats.Repeatable(r.Line.Number) }

// Resume goes on where another Reader left off, whose Repeatable gave the record.
func (r *Reader) Resume(record event.Record) {
	r.Line.Number = record.Line
	r.order.Take(&record)
}

// Order gives each record of a log what only the records before it can: the event
// that it repeats, and which of two times its clock means. The zero value is ready.
type Order struct {
	repeats Repeater
	before  time.Time // of the last record that has a time
}

// Take is shown every record of the log once, in order, before Step gets it.
func (o *Order) Take(r *event.Record) {
	if r.Outcome < event.Witness {
		return
	}
	o.repeats.Take(r)
	o.before = r.Time
}

// Before is the time of the record before, for [logline.Line.After].
func (o *Order) Before() time.Time { return o.before }

// Clone makes it hold a copy of the text that it keeps, so that the log's own may go.
func (o *Order) Clone() { o.repeats.Clone() }
