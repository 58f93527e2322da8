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
	"csmail/pkg/sshd"
	"csmail/pkg/syslogline"
)

// Parse reads one line into r, whatever r held before. It is a pure function:
// the same line gives the same Record. The strings of the Record point into
// line.Text. A Missed or Ambiguous Record holds nothing but the whole line, as
// its Message. (A Record is large and most lines need none, so the caller
// brings it.)
func Parse(line syslogline.Line, r *event.Record) {
	*r = event.Record{Line: line.Number}
	header, message, ok := syslogline.Split(line)
	if !ok {
		return
	}
	read(header.Program, message, r)
	switch r.Outcome {
	case event.Missed, event.Ambiguous:
		*r = event.Record{Outcome: r.Outcome, Line: line.Number, Event: event.Event{Message: line.Text}}
	case event.Benign: // a grammar may know only after the client that it is nothing
		if r.Addr.IsValid() {
			r.Event = event.Event{Service: r.Service, Program: r.Program}
		}
	case event.Witness, event.Noted:
		r.Time = header.Time(line)
		r.Host, r.PID, r.Message = header.Host, header.PID, message
		r.Attempts *= header.Repeat
	}
}

// read finds the grammar by the program's tag.
func read(program, message string, r *event.Record) {
	switch program {
	case "dovecot":
		r.Outcome, r.Testimony = dovecot.Parse(message, &r.Event)
		return
	case "auth", "auth-worker", "dovecot-auth":
		r.Outcome = dovecot.ParseAuth(message, &r.Event)
		return
	case "sshd", "sshd-session", "sshd-auth":
		r.Outcome = sshd.Parse(program, message, &r.Event)
		return
	}
	r.Outcome, r.Testimony, _ = postfix.Parse(program, message, &r.Event)
}

// Result is what a Record came to in its place in the log.
type Result struct {
	*event.Record
	Folded bool // an earlier line has told of this attempt
}

// Engine is the state that Step needs. Use it from one goroutine at a time.
type Engine struct {
	sessions *session.Joiner
}

// New returns an Engine that has seen nothing.
func New() *Engine { return &Engine{sessions: session.New()} }

// Step takes the next Record of the log. The Result points to it.
func (e *Engine) Step(r *event.Record) Result {
	folded := e.sessions.Join(r)
	return Result{Record: r, Folded: folded}
}
