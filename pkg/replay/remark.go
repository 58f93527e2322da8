package replay

import (
	"fmt"

	"csmail/pkg/event"
	"csmail/pkg/hint"
)

// notALog refuses a source if no line had a header, or if most messages of mail daemons
// in it lack one. A wrong file must not look like a quiet day. In a file without headers
// the few lines that seem to have one may be text that a client put into a message.
func notALog(name string, t Tally) error {
	const take = "csmail reads syslog files, Postfix's and Dovecot's own log files, and journalctl's output in any form but cat and verbose"
	none := t.Outcomes[event.NoHeader] == t.Lines
	switch {
	case t.Lines == 0:
		return nil
	case t.Notes.Verbose > 0 && none:
		return hint.Wrap(fmt.Errorf("%q is the output of journalctl -o verbose, which csmail does not read", name), "journalctl -o export or -o json has the same fields")
	case t.Notes.Headerless > t.known():
		return hint.Wrap(fmt.Errorf("%q has no headers: %d of its %d lines are messages without time, host and program, as journalctl -o cat prints them", name, t.Notes.Headerless, t.Lines),
			"take journalctl -o short-iso or -o json")
	case none:
		return hint.Wrap(fmt.Errorf("%q is not a log: none of its %d lines starts with a syslog header", name, t.Lines), take)
	}
	return nil
}

// remark notes oddities of a log as a whole.
func (t *Tally) remark(name string) {
	switch {
	case t.Lines == 0 || t.Outcomes[event.NoHeader] == t.Lines:
	case t.known() == 0 && t.Notes.Nested == 0 && t.Notes.Doubted == 0:
		t.Remarks = append(t.Remarks, fmt.Sprintf("not one of the %d lines of %q is of Postfix, Dovecot or sshd (docs/inputs.md)", t.Lines, name))
	case t.Notes.OnlyTroubles():
		t.Remarks = append(t.Remarks, fmt.Sprintf("%q holds warnings of Postfix and Dovecot and nothing else: is it filtered by severity? "+
			"Without the other lines no login is seen to succeed (docs/inputs.md)", name))
	}
}
