// Package engine is the one way of a line through the core: Parse turns it into
// a Record, on any core and without state; Step takes the Records in the order
// of the log. It has no I/O, no goroutine, no clock and no logger; every command
// goes through it and differs only in where lines come from and what it does
// with the results.
package engine

import (
	"csmail/pkg/dovecot"
	"csmail/pkg/event"
	"csmail/pkg/postfix"
	"csmail/pkg/session"
	"csmail/pkg/syslogline"
)

// Parse reads one line into r, whatever r held before. It is a pure function:
// the same line gives the same Record. The strings of the Record point into
// line.Text. A Missed or Ambiguous Record holds nothing but the whole line, as
// its Message. (A Record is large and most lines need none, so the caller brings it.)
func Parse(line syslogline.Line, r *event.Record) {
	var p Parser
	p.Parse(&line, r)
}

// Parser parses the lines of one source, in any order but fastest in theirs. It
// gives what [Parse] gives. The zero value is ready; use it from one goroutine at
// a time. It keeps hold of the text of one line.
type Parser struct {
	splitter syslogline.Splitter
	header   syslogline.Header
}

// Parse does what the function Parse does.
func (p *Parser) Parse(line *syslogline.Line, r *event.Record) {
	*r = event.Record{Line: line.Number}
	h := &p.header
	message, ok := p.splitter.Split(line, h)
	if !ok {
		return
	}
	if n, repeated := repetition(h, message); repeated {
		r.Outcome, r.Testimony, r.Attempts = event.Witness, event.Repeated, n
	} else {
		read(h.Program, message, r)
	}
	switch r.Outcome {
	case event.Missed, event.Ambiguous:
		*r = event.Record{Outcome: r.Outcome, Line: line.Number, Event: event.Event{Message: line.Text}}
	case event.Witness, event.Noted:
		r.Time = p.splitter.Time(line, h)
		r.Host, r.PID, r.Message = h.Host, h.PID, message
		r.Attempts *= h.Repeat
	}
}

// read finds the grammar by the program's tag.
func read(program, message string, r *event.Record) {
	if program == "dovecot" {
		r.Outcome, r.Testimony = dovecot.Parse(message, &r.Event)
		return
	}
	r.Outcome, r.Testimony, _ = postfix.Parse(program, message, &r.Event)
}

// Result is what a Record came to in its place in the log.
type Result struct {
	*event.Record
	Folded   bool // an earlier line has told of this attempt
	Repeated bool // the same SMTP session was refused for the same before
}

// maxPours bounds what one line can be worth: Dovecot's and syslog's counts may
// be anything.
const maxPours = 20

// Pours returns how often the result counts for a scenario: once for each attempt
// that no line before has told of, and not at all if it is no event or only more
// of the same.
func (r Result) Pours() int {
	if r.Outcome != event.Noted || r.Folded || r.Repeated {
		return 0
	}
	return min(r.Attempts, maxPours)
}

// Engine is the state that Step needs. Use it from one goroutine at a time.
type Engine struct {
	sessions *session.Joiner
}

// New returns an Engine that has seen nothing.
func New() *Engine { return &Engine{sessions: session.New()} }

// Step takes the next Record of the log. The Result points to it.
func (e *Engine) Step(r *event.Record) Result {
	told := e.sessions.Join(r)
	return Result{Record: r, Folded: told == session.Folded, Repeated: told == session.Again}
}
