package session

import (
	"net/netip"
	"testing"

	"csmail/pkg/event"
)

// A message that a filter rejects as a whole was not taken: it is withdrawn once, by its
// rejection or by the end of its session.
func TestRejectedMessages(t *testing.T) {
	line := func(program, queueID string, kind event.Kind, testimony event.Testimony) event.Record {
		r := record(1, one, kind, testimony, 1)
		r.Program, r.Session = program, queueID
		return r
	}
	taken := func(id string) event.Record { return line("postfix/smtpd", id, event.NoKind, event.MailAccepted) }
	rejected := func(id string) event.Record {
		return line("postfix/cleanup", id, event.ContentRejected, event.NoTestimony)
	}
	header := rejected("A")
	header.Addr = netip.Addr{}
	other := rejected("A")
	other.Addr = two
	login := taken("A")
	login.Kind = event.AuthMailOK
	empty := line("postfix/smtpd", "", event.NoKind, event.Undelivered)
	for name, tt := range map[string]struct {
		log  []event.Record
		want int
	}{
		"taken":                          {[]event.Record{taken("A")}, 0},
		"rejected":                       {[]event.Record{taken("A"), rejected("A")}, 1},
		"by its headers":                 {[]event.Record{taken("A"), header}, 1},
		"twice":                          {[]event.Record{taken("A"), header, rejected("A")}, 1},
		"one of two":                     {[]event.Record{taken("A"), taken("B"), rejected("B")}, 1},
		"then the session ends":          {[]event.Record{taken("A"), rejected("A"), empty}, 1},
		"one rejected, one never came":   {[]event.Record{taken("A"), rejected("A"), taken("B"), empty}, 2},
		"of another client":              {[]event.Record{taken("A"), other}, 0},
		"of nobody that we know":         {[]event.Record{taken("A"), rejected("C")}, 0},
		"of somebody who logged in":      {[]event.Record{login, rejected("A")}, 0},
		"a recipient, refused by smtpd":  {[]event.Record{taken("A"), line("postfix/smtpd", "A", event.ContentRejected, event.NoTestimony)}, 0},
		"after the end of its session":   {[]event.Record{taken("A"), line("postfix/smtpd", "", event.NoKind, event.Disconnected), rejected("A")}, 1},
		"a queue ID that is used again":  {[]event.Record{taken("A"), rejected("A"), taken("A")}, 1},
		"rejected again under a new one": {[]event.Record{taken("A"), rejected("A"), taken("A"), rejected("A")}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, j := 0, NewJoiner(event.HashKey{})
			for _, r := range tt.log {
				j.Join(&r)
				got += r.Withdrawn
			}
			if got != tt.want {
				t.Errorf("got %d withdrawn, want %d", got, tt.want)
			}
		})
	}
}
