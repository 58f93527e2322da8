package engine

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// Reader reads the lines of one log, in order: it numbers them, dates each with the help
// of the one before, and completes repetitions with the event that they repeat. Every
// command uses it, or, if blocks of a log are parsed on several cores, its two halves: a
// [Parser] for each block, and an [Order] for the records of all. The zero value is ready
// except for Line.Zone. It keeps the text of one event in memory.
//
//	reader := engine.Reader{Line: logline.Line{Received: now, Zone: time.UTC}}
//	for text := range lines {
//		reader.Next(text, &record)
//		result := e.Step(&record)
//	}
type Reader struct {
	// Line is the line read last. The caller sets Received, Read, Zone and Reading, which
	// hold for the lines to come. The reader sets the rest.
	Line   logline.Line
	Parser Parser

	order Order
}

// Next reads the next line into record and overwrites it.
func (r *Reader) Next(text string, record *event.Record) {
	r.Line.Text = text
	r.Line.Number++
	r.Line.After = r.order.before
	r.Parser.Parse(&r.Line, record)
	r.order.Take(record)
}

// Repeatable returns the event that the next line may repeat, for Resume.
func (r *Reader) Repeatable() (event.Record, bool) { return r.order.repeats.Repeatable(r.Line.Number) }

// Resume continues after another Reader, whose Repeatable returned the record.
func (r *Reader) Resume(record event.Record) {
	r.Line.Number = record.Line
	r.order.Take(&record)
}

// Order completes each record of a log with facts from the records before it: the event
// that it repeats, and the right one of two possible times. The zero value is ready.
type Order struct {
	repeats Repeater
	before  time.Time // of the last record that has a time
}

// Take completes the next record. It must get every record of the log once, in order,
// before Step does.
func (o *Order) Take(r *event.Record) {
	if r.Outcome < event.Witness {
		return
	}
	o.repeats.Take(r)
	o.before = r.Time
}

// TakeBefore is Take for a caller that has the record after it, too: where that is no
// repetition, no copy of the record need be kept.
func (o *Order) TakeBefore(r, next *event.Record) {
	if next.Testimony == event.Repeated || r.Testimony == event.Repeated {
		o.Take(r)
		return
	}
	if r.Outcome >= event.Witness {
		o.repeats.forget()
		o.before = r.Time
	}
}

// Before returns the time of the record before, for [logline.Line.After].
func (o *Order) Before() time.Time { return o.before }

// Clone copies the text that is kept, so that the log's block can be released.
func (o *Order) Clone() { o.repeats.Clone() }
