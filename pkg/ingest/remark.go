package ingest

import (
	"strings"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

const (
	// fewLines is the number of lines of a log that are read before a log without any
	// mail daemon is reported.
	fewLines = 1000
	// manyTroubles is how many warnings in a row make a followed log one that is
	// filtered by severity.
	manyTroubles = 50
)

// remarks remembers the reports about one log.
type remarks struct {
	next                   int64 // the count of odd lines at which they are reported next
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

// remark reports oddities of a log once. Skipped lines are reported again each time
// their number has grown tenfold.
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

// passOver empties the record of a line of a log in journalctl's export form. Entries in
// it run over several lines, so a part of a message that looks like a log line may have
// been written by any user.
func (r *reader) passOver(record *event.Record) {
	if r.Parser.Notes.Exported > 0 {
		*record = event.Record{Line: record.Line}
	}
}

// notes returns the notes about all logs of the feed.
func (f *Feed) notes() engine.Notes {
	var all engine.Notes
	for _, log := range f.logs {
		all.Add(log.Parser.Notes)
	}
	return all
}

// Remarks describes skipped lines and oddities of the logs of the feed.
func (f *Feed) Remarks() []string {
	n := f.notes()
	return n.Remarks()
}
