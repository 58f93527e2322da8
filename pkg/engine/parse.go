package engine

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/dovecot"
	"csmail/pkg/grammar/postfix"
	"csmail/pkg/grammar/sshd"
	"csmail/pkg/logline"
)

// Parse reads one line into r, whatever r held before. It is a pure function:
// the same line gives the same Record. The strings of the Record point into
// line.Text. A Missed or Ambiguous Record holds nothing but the whole line, as
// its Message. (A Record is large and most lines need none, so the caller brings
// it.)
func Parse(line logline.Line, r *event.Record) {
	var p Parser
	p.Parse(&line, r)
}

// Parser parses the lines of one source, in any order but fastest in theirs. It
// gives what [Parse] gives. The zero value is ready; use it from one goroutine at
// a time. It keeps hold of the text of one line.
type Parser struct {
	Notes Notes // of the lines so far; the caller may read and reset them

	splitter logline.Splitter
	header   logline.Header
	message  string // of the line that Parse read last, "" if it had no header
	origins  origins
}

// Parse does what the function Parse does.
func (p *Parser) Parse(line *logline.Line, r *event.Record) {
	*r = event.Record{Line: line.Number}
	h := &p.header
	p.message = ""
	message, ok := p.splitter.Split(line, h)
	if !ok {
		p.noteUnread(line.Text)
		return
	}
	p.message = message
	if n, repeated := repetition(h, message); repeated {
		r.Outcome, r.Testimony, r.Attempts = event.Witness, event.Repeated, n
	} else {
		read(h.Program, message, r)
		if r.Outcome == event.Foreign && strings.HasSuffix(h.Program, ".service") {
			h.Program = programOf(h.Program, message)
			read(h.Program, message, r)
		}
	}
	if message == "" && r.Outcome == event.Missed { // of the journal, whose MESSAGE may be null
		r.Outcome = event.Benign
	}
	p.note(h, message, r)
	switch r.Outcome {
	case event.Missed, event.Ambiguous:
		*r = event.Record{Outcome: r.Outcome, Line: line.Number, Event: event.Event{Message: line.Text}}
	case event.Benign: // a grammar may know only after the client that it is nothing
		if r.Addr.IsValid() {
			r.Event = event.Event{Service: r.Service, Program: r.Program}
		}
	case event.Witness, event.Noted:
		r.Time = p.splitter.Time(line, h)
		r.Host, r.PID, r.Message = h.Host, h.PID, message
		r.Attempts *= h.Repeat
		r.Bound()
		r.Origin = p.origins.of(r.Host, r.Program)
	}
}

// ParseFlow reads what the line that Parse read last reports about the way of a
// mail, and reports whether it does. The record, which Parse filled, gets its
// time, host and process, which a benign line else has no need of.
func (p *Parser) ParseFlow(line *logline.Line, r *event.Record, f *event.Flow) bool {
	if p.message == "" || !postfix.ParseFlow(p.header.Program, p.message, f) {
		return false
	}
	f.Repeat = p.header.Repeat
	if r.Outcome < event.Witness {
		r.Time, r.Host, r.PID = p.splitter.Time(line, &p.header), p.header.Host, p.header.PID
	}
	return true
}

// IsTwofold tells whether the time of the line that Parse read last is one of two
// that its clock may mean, as in the hour that comes twice when summer time ends.
func (p *Parser) IsTwofold(line *logline.Line) bool { return p.splitter.Twice(line, &p.header) }

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
	if isDovecot(program) {
		r.Outcome, r.Testimony = dovecot.Parse(message, &r.Event)
		return
	}
	r.Outcome, r.Testimony, _ = postfix.Parse(program, message, &r.Event)
}

// isDovecot knows the tag of a Dovecot with an instance_name of its own (dovecot-proxy,
// dovecot2), which Dovecot takes for its name in the log.
func isDovecot(program string) bool {
	return program != "" && program[0] == 'd' && strings.HasPrefix(program, "dovecot") && strings.IndexByte(program, '/') < 0
}
