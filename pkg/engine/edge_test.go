package engine

import (
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// edgeFacts is what travels of lines.
func edgeFacts(t *testing.T, e *Edge, lines ...string) []wire.Fact {
	t.Helper()
	var facts []wire.Fact
	for _, line := range lines {
		r := parse(line)
		_, facts = e.Take(&r, facts)
	}
	return facts
}

const (
	connectLine = "2026-06-03T12:00:00Z mx postfix/smtpd[7]: connect from unknown[203.0.113.9]"
	refusedLine = "2026-06-03T12:00:01Z mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <a@example.org>: Relay access denied; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<x>"
)

// An offence that waits for the end of its session travels when its time is over, at the
// place where that was; and so it does after a restart in between.
func TestEdgeReleases(t *testing.T) {
	e := NewEdge(event.HashKey{})
	if facts := edgeFacts(t, e, connectLine, refusedLine); len(facts) != 0 {
		t.Fatalf("got %d facts at once, want none: the session may log in yet", len(facts))
	}
	if !e.Waits() {
		t.Error("got an edge that waits for nothing, want one that waits for the session")
	}
	restored := NewEdge(event.HashKey{})
	if err := restored.Restore(e.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*Edge{"as it was": e, "restored": restored} {
		until := time.Date(2026, 6, 3, 12, 5, 0, 0, time.UTC)
		facts := e.Reach(until, nil)
		want := time.Date(2026, 6, 3, 12, 1, 1, 0, time.UTC)
		if len(facts) != 1 || !facts[0].Place.Equal(want) || !facts[0].Expired || len(facts[0].Released) != 1 || facts[0].Released[0].Record.Kind != event.RelayDenied {
			t.Errorf("%s: got %+v, want one fact at %v with the refusal", name, facts, want)
		}
		if !e.Through().Equal(until) {
			t.Errorf("%s: got through %v, want %v", name, e.Through(), until)
		}
		if facts := e.Reach(until.Add(-time.Minute), nil); len(facts) != 0 || !e.Through().Equal(until) {
			t.Errorf("%s: an earlier time changed the edge: %+v, %v", name, facts, e.Through())
		}
	}
}

// No fact has an earlier place than one before it, though its line came late.
func TestEdgePlacesLateLines(t *testing.T) {
	e := NewEdge(event.HashKey{})
	facts := edgeFacts(t, e,
		"2026-06-03T12:00:09Z mx postfix/smtpd[7]: connect from a.example[192.0.2.1]",
		"2026-06-03T12:00:02Z mx postfix/smtpd[8]: connect from b.example[192.0.2.2]")
	if len(facts) != 2 || !facts[1].Place.Equal(facts[0].Place) || facts[1].Record.Time.Second() != 2 {
		t.Errorf("got %+v, want both at 12:00:09, the second with its own time", facts)
	}
}

// What happened before offences count speaks for its source, and is no offence.
func TestEdgeSpares(t *testing.T) {
	e := NewEdge(event.HashKey{})
	e.CountSince(time.Date(2026, 6, 3, 12, 0, 5, 0, time.UTC))
	const guess = "mx dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip=203.0.113.9, lip=198.51.100.4, TLS, session=<s1>"
	facts := edgeFacts(t, e, "2026-06-03T12:00:01Z "+guess, "2026-06-03T12:00:06Z "+guess[:len(guess)-2]+"2>")
	if len(facts) != 2 || !facts[0].Spared || facts[1].Spared {
		t.Errorf("got %+v, want the first one spared and the second not", facts)
	}
}
