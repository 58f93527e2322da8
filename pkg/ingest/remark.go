package ingest

import (
	"strings"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

const (
	// fewLines is how many lines of a log are waited for before one that has none of a
	// mail daemon is reported.
	fewLines = 1000
	// manyTroubles is how many warnings in a row make a followed log one that is
	// filtered by severity.
	manyTroubles = 50
)

// remarks remembers what was reported about one log.
type remarks struct {
	next                   int64 // the count of odd lines at which they are reported again
	lines, known           int64
	saidForeign, saidLevel bool
}

// see counts a line.
func (m *remarks) see(o event.Outcome) {
	m.lines++
	if o > event.Foreign {
		m.known++
	}
}

// remark reports what is odd about a log, once, and lines that are passed over again
// whenever they are ten times as many.
func (f *Feed) remark(name string, log *reader) {
	if f.log == nil {
		return
	}
	n := &log.Parser.Notes
	if odd := n.Nested + n.Doubted + n.Undated + n.Headerless + n.Exported; odd > 0 && odd >= log.remarks.next {
		log.remarks.next = 10 * odd
		f.log.Warn("lines of a log are not read as they might be meant", "log", name, "lines", strings.Join(n.Remarks(), "; "))
	}
	m := &log.remarks
	if !m.saidForeign && m.known == 0 && m.lines >= fewLines && n.Nested+n.Doubted == 0 {
		m.saidForeign = true
		f.log.Warn("no line of a log is of Postfix, Dovecot or sshd; see docs/inputs.md", "log", name, "lines", m.lines)
	}
	if !m.saidLevel && n.OnlyTroubles() && n.Troubles >= manyTroubles {
		m.saidLevel = true
		f.log.Warn("a log holds warnings of Postfix and Dovecot and nothing else: is it filtered by severity? see docs/inputs.md", "log", name)
	}
}

// passOver empties the record of a line of a log in journalctl's export form. Its
// entries run over several lines, and what looks like a line of its own may be a part
// of a message that anybody wrote.
func (r *reader) passOver(record *event.Record) {
	if r.Parser.Notes.Exported > 0 {
		*record = event.Record{Line: record.Line}
	}
}

// notes returns what was noted about all logs of the feed.
func (f *Feed) notes() engine.Notes {
	var all engine.Notes
	for _, log := range f.logs {
		all.Add(log.Parser.Notes)
	}
	return all
}

// Remarks says what was passed over or is odd about the logs of the feed.
func (f *Feed) Remarks() []string {
	n := f.notes()
	return n.Remarks()
}
