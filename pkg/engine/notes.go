package engine

import (
	"fmt"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// Notes count the lines of a log that are read in part or not at all, so that a misread
// log does not look like a quiet one.
type Notes struct {
	Nested     int64  // lines of other programs that hold a mail log's line
	NestedIn   string // the program of the first
	Doubted    int64  // journal entries whose writer is not believed
	Writer     string // the writer of the first, by its trusted fields
	Undated    int64  // lines whose stamp counts from the start of the host
	Headerless int64  // messages of Postfix or Dovecot without a header
	Verbose    int64  // messages in the form of journalctl -o verbose
	Exported   int64  // fields in journalctl's export form, where that is not read
	Troubles   int64  // warnings or worse of Postfix and Dovecot, up to the first other line
	Informs    int64  // 1 if there was such a line
}

// Add adds the counts of another part of the same log, or of another log.
func (n *Notes) Add(o Notes) {
	if n.Nested == 0 {
		n.NestedIn = o.NestedIn
	}
	if n.Doubted == 0 {
		n.Writer = o.Writer
	}
	n.Nested += o.Nested
	n.Doubted += o.Doubted
	n.Undated += o.Undated
	n.Headerless += o.Headerless
	n.Verbose += o.Verbose
	n.Exported += o.Exported
	n.Troubles += o.Troubles
	n.Informs += o.Informs
}

// fewTroubles is the number of warnings in a row from which on a log counts as filtered
// by severity. In a whole log each session has lines of other severities at its start and
// end.
const fewTroubles = 5

// OnlyTroubles reports whether a log holds only warnings and errors.
func (n *Notes) OnlyTroubles() bool { return n.Informs == 0 && n.Troubles >= fewTroubles }

// Remarks describes the counts, with the place in the documentation.
func (n *Notes) Remarks() []string {
	var all []string
	add := func(count int64, form string, args ...any) {
		if count > 0 {
			all = append(all, fmt.Sprintf("%d %s", count, fmt.Sprintf(form, args...)))
		}
	}
	add(n.Nested, "lines look like mail logs inside other lines; see docs/inputs.md, envelope (the first is of %q)", n.NestedIn)
	add(n.Doubted, "journal entries were passed over, since their writers are no mail daemons; see docs/inputs.md, trusted (the first is of %q)", n.Writer)
	add(n.Undated, "lines are stamped with the time since boot and have no date; take journalctl -o short-iso (docs/inputs.md)")
	add(n.Headerless, "lines are messages without a header, as journalctl -o cat prints them; take -o short-iso (docs/inputs.md)")
	add(n.Exported, "fields of journalctl -o export were passed over; only csmail scan and its kin read that form (docs/inputs.md)")
	return all
}

// note counts what the outcome of a line does not show.
func (p *Parser) note(h *logline.Header, message string, r *event.Record) {
	if h.Doubt != "" && r.Outcome > event.Benign {
		if p.Notes.Doubted++; p.Notes.Doubted == 1 {
			p.Notes.Writer = strings.Clone(h.Doubt)
		}
		*r = event.Record{Outcome: event.Foreign, Line: r.Line}
		return
	}
	if r.Outcome == event.Foreign || r.Outcome <= event.Missed && logline.MaybeStamped(message) {
		p.noteNested(h, message)
	}
	if r.Outcome == event.Foreign {
		return
	}
	if h.IsUndated() {
		p.Notes.Undated++
	}
	if p.Notes.Informs == 0 && h.Doubt == "" && isMailSystem(h.Program) {
		if isTrouble(message) {
			p.Notes.Troubles++
		} else {
			p.Notes.Informs = 1
		}
	}
}

// noteNested counts a line of a mail daemon that is the message of another line.
func (p *Parser) noteNested(h *logline.Header, message string) {
	inner, text, ok := logline.Inner(message)
	if !ok {
		return
	}
	var r event.Record
	if read(programOf(inner.Program, text), text, &r); r.Outcome == event.Foreign {
		return
	}
	if p.Notes.Nested++; p.Notes.Nested == 1 {
		p.Notes.NestedIn = strings.Clone(h.Program)
	}
}

// noteUnread counts a line without a header that looks like a part of one.
func (p *Parser) noteUnread(text string) {
	switch {
	case strings.HasPrefix(text, "    MESSAGE="):
		p.Notes.Verbose++
	case strings.HasPrefix(text, "__CURSOR="), strings.HasPrefix(text, "__REALTIME_TIMESTAMP="):
		p.Notes.Exported++
	case isHeaderless(text):
		p.Notes.Headerless++
	}
}

// isHeaderless reports whether text begins as the commonest messages do.
func isHeaderless(text string) bool {
	for _, start := range [...]string{
		"connect from ", "disconnect from ", "lost connection after ", "warning: ", "NOQUEUE: ", "CONNECT from [", "PASS OLD [", "PASS NEW [",
		"DISCONNECT [", "PREGREET ", "HANGUP after ", "imap-login: ", "pop3-login: ", "submission-login: ", "auth: ",
	} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	queueID, _, ok := strings.Cut(text, ": ")
	return ok && isQueueID(queueID)
}

// isMailSystem reports whether a program is one of Postfix's or Dovecot's, whose
// messages name their severity.
func isMailSystem(program string) bool { return program == "dovecot" || strings.Contains(program, "/") }

// isTrouble reports whether a message is a warning or worse: Postfix begins with the
// severity (src/util/msg_output.c), Dovecot names it behind the process
// (src/lib/failures.c).
func isTrouble(message string) bool {
	first, rest, _ := strings.Cut(message, ": ")
	if isSevere(first) {
		return true
	}
	second, _, _ := strings.Cut(rest, ": ")
	return isSevere(second)
}

// isSevere reports whether a word of Postfix's or Dovecot's severities means a warning or
// worse.
func isSevere(word string) bool {
	switch word {
	case "warning", "error", "fatal", "panic", "Warning", "Error", "Fatal", "Panic":
		return true
	}
	return false
}
