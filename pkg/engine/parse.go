package engine

import (
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/grammar/dovecot"
	"csmail/pkg/grammar/postfix"
	"csmail/pkg/grammar/sshd"
	"csmail/pkg/logline"
)

// Parse reads one line into r and overwrites r. It is a pure function: the same line
// gives the same Record. The strings of the Record point into line.Text. A Missed or
// Ambiguous Record holds only the whole line, as its Message. The caller provides the
// Record, because it is large and most lines need none.
func Parse(line logline.Line, r *event.Record) {
	var p Parser
	p.Parse(&line, r)
}

// Parser parses the lines of one source, in any order but fastest in the order of the
// log. It gives the same results as [Parse]. The zero value is ready; use it from one
// goroutine at a time. It keeps the text of one line in memory.
type Parser struct {
	Notes Notes // about the lines so far; the caller may read and reset them

	splitter logline.Splitter
	header   logline.Header
	message  string // of the line that Parse read last; "" if it had no header
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
	if message == "" && r.Outcome == event.Missed { // from the journal, whose MESSAGE may be null
		r.Outcome = event.Benign
	}
	p.note(h, message, r)
	switch r.Outcome {
	case event.Missed, event.Ambiguous:
		*r = event.Record{Outcome: r.Outcome, Line: line.Number, Event: event.Event{Message: line.Text}}
	case event.Benign: // a grammar may find out only after the client that the line is no event
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

// ParseFlow reads the way of a mail from the line that Parse read last, and reports
// whether the line is about one. The record, which Parse filled, gets its time, host and
// process, which a benign line otherwise lacks.
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

// FlowLine is a line that may report the way of a mail. To keep a line for later costs a
// quarter of what its reading takes. Its strings point into the text of the line.
type FlowLine struct {
	event.Logged
	program, message string
	repeat           int

	// Of the begin and the end of a connection, which are half of all lines, the grammar
	// of events has read the client.
	client postfix.FlowClient
}

// MayFlow reports whether the line that Parse read last may report the way of a mail.
func (p *Parser) MayFlow() bool { return postfix.MayFlow(p.header.Program, p.message) }

// FlowLine writes the line that Parse read last into f, for which MayFlow is true.
// [FlowLine.Read] shows whether it reports the way of a mail.
func (p *Parser) FlowLine(line *logline.Line, r *event.Record, f *FlowLine) {
	h := &p.header
	f.Time, f.Host, f.PID = r.Time, h.Host, h.PID
	f.program, f.message, f.repeat = h.Program, p.message, h.Repeat
	if r.Outcome < event.Witness {
		f.Time = p.splitter.Time(line, h)
		f.client = postfix.FlowClient{}
		return
	}
	f.client = postfix.FlowClientOf(p.message, r)
}

// Read reads the way of the mail, and reports whether the line is about one.
func (l *FlowLine) Read(f *event.Flow) bool {
	if !l.client.Read(l.program, l.message, f) && !postfix.ParseFlow(l.program, l.message, f) {
		return false
	}
	f.Repeat = l.repeat
	return true
}

// IsTwofold reports whether the clock time of the line that Parse read last occurs twice,
// as in the hour at the end of summer time.
func (p *Parser) IsTwofold(line *logline.Line) bool { return p.splitter.Twice(line, &p.header) }

// read chooses the grammar by the program's tag.
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

// isDovecot reports whether a tag is that of a Dovecot with an instance_name of its own
// (dovecot-proxy, dovecot2), which Dovecot uses as its name in the log.
func isDovecot(program string) bool {
	return program != "" && program[0] == 'd' && strings.HasPrefix(program, "dovecot") && strings.IndexByte(program, '/') < 0
}
