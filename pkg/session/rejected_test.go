package session

import (
	"net/netip"
	"slices"
	"testing"

	"csmail/pkg/event"
)

// A content filter that smtpd asks names no client: the process does.
func TestProxiedRejection(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	connect := record(1, one, event.NoKind, event.Connected, 0)
	proxied := record(1, netip.Addr{}, event.ContentRejected, event.NoTestimony, 1)
	other := record(2, netip.Addr{}, event.ContentRejected, event.NoTestimony, 1)
	end := record(1, one, event.NoKind, event.Disconnected, 0)
	j.Join(&connect)
	if got := j.Join(&proxied); got != Withheld || proxied.Addr != one {
		t.Errorf("got status %d of %s, want %d of %s", got, proxied.Addr, Withheld, one)
	}
	if j.Join(&other); other.Addr.IsValid() {
		t.Errorf("another process: got %s, want nobody", other.Addr)
	}
	j.Join(&end)
	if got := j.Earlier().Released; len(got) != 1 || got[0].Record.Addr != one {
		t.Errorf("at the end: got %v, want one rejection of %s", got, one)
	}
}

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
	proxied := line("postfix/smtpd", "NOQUEUE", event.ContentRejected, event.NoTestimony)
	proxied.Addr = netip.Addr{}
	discarded := line("postfix/cleanup", "A", event.NoKind, event.Discarded)
	discarded.Addr = netip.Addr{}
	whole := line("postfix/smtpd", "B", event.PolicyRejected, event.NoTestimony)
	whole.Cause = event.WholeMessage
	empty := line("postfix/smtpd", "", event.NoKind, event.Undelivered)
	aside := line("postfix/smtpd", "A", event.NoKind, event.Discarded)
	for name, tt := range map[string]struct {
		log  []event.Record
		want int
	}{
		"taken":                        {[]event.Record{taken("A")}, 0},
		"rejected":                     {[]event.Record{taken("A"), rejected("A")}, 1},
		"by its headers":               {[]event.Record{taken("A"), header}, 1},
		"thrown away":                  {[]event.Record{taken("A"), discarded}, 1},
		"thrown away by smtpd":         {[]event.Record{taken("A"), taken("B"), aside}, 1},
		"twice":                        {[]event.Record{taken("A"), header, rejected("A")}, 1},
		"one of two":                   {[]event.Record{taken("A"), taken("B"), rejected("B")}, 1},
		"then the session ends":        {[]event.Record{taken("A"), rejected("A"), empty}, 1},
		"one rejected, one never came": {[]event.Record{taken("A"), rejected("A"), taken("B"), empty}, 2},
		"by a filter that smtpd asks":  {[]event.Record{taken("NOQUEUE"), proxied}, 1},
		"by such a filter, one of two": {[]event.Record{taken("NOQUEUE"), taken("NOQUEUE"), proxied}, 1},
		"by such a filter, none came":  {[]event.Record{taken("NOQUEUE"), proxied, empty}, 1},
		"by such a filter, and no session is known": {[]event.Record{proxied}, 0},
		"by smtpd, at its end":                      {[]event.Record{taken("A"), taken("B"), whole}, 1},
		"by smtpd, before any":                      {[]event.Record{whole}, 0},
		"of another client":                         {[]event.Record{taken("A"), other}, 0},
		"of nobody that we know":                    {[]event.Record{taken("A"), rejected("C")}, 0},
		"of somebody who logged in":                 {[]event.Record{login, rejected("A")}, 0},
		"a recipient, refused by smtpd":             {[]event.Record{taken("A"), line("postfix/smtpd", "A", event.ContentRejected, event.NoTestimony)}, 0},
		"after the end of its session":              {[]event.Record{taken("A"), line("postfix/smtpd", "", event.NoKind, event.Disconnected), rejected("A")}, 1},
		"a queue ID that is used again":             {[]event.Record{taken("A"), rejected("A"), taken("A")}, 1},
		"put aside before, then rejected":           {[]event.Record{line("postfix/smtpd", "", event.NoKind, event.Discarded), taken("A"), rejected("A")}, 0},
		"rejected again under a new one":            {[]event.Record{taken("A"), rejected("A"), taken("A"), rejected("A")}, 2},
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

// smtpd throws a message away, or puts it on hold, before it has accepted the first
// recipient: the message that follows in the session is not taken.
func TestPutAsideBeforeItsRecipient(t *testing.T) {
	line := func(pid int, queueID string, testimony event.Testimony) event.Record {
		r := record(pid, one, event.NoKind, testimony, 0)
		r.Program, r.Session = "postfix/smtpd", queueID
		return r
	}
	refused := line(1, "", event.NoTestimony)
	refused.Outcome, refused.Kind, refused.Code, refused.Attempts = event.Noted, event.RecipientUnknown, "550 5.1.1", 1
	log := []event.Record{
		line(1, "", event.Connected), line(1, "", event.Discarded), line(2, "B", event.MailAccepted),
		line(1, "A", event.MailAccepted), line(1, "C", event.MailAccepted), line(1, "", event.Discarded), line(1, "", event.Connected), line(1, "D", event.MailAccepted),
		line(1, "", event.Discarded), refused, line(1, "E", event.MailAccepted), // its recipient was refused
	}
	var got []string
	j := NewJoiner(event.HashKey{})
	for _, r := range log {
		if j.Join(&r); r.Testimony == event.MailAccepted {
			got = append(got, r.Session)
		}
	}
	if want := []string{"B", "C", "D", "E"}; !slices.Equal(got, want) {
		t.Errorf("got the messages %q taken, want %q", got, want)
	}
}
