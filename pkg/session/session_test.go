package session

import (
	"net/netip"
	"testing"

	"csmail/pkg/event"
)

var (
	one = netip.MustParseAddr("192.0.2.1")
	two = netip.MustParseAddr("192.0.2.2")
)

func record(pid int, addr netip.Addr, kind event.Kind, t event.Testimony, n int) event.Record {
	outcome := event.Noted
	if kind == event.NoKind {
		outcome = event.Witness
	}
	return event.Record{Outcome: outcome, Testimony: t, Event: event.Event{
		Host: "mx1", Program: "postfix/smtpd", Service: event.Postfix, PID: pid, Addr: addr, Kind: kind, Attempts: n,
	}}
}

func TestJoin(t *testing.T) {
	connect := record(1, one, event.NoKind, event.Connected, 0)
	failed := record(1, one, event.AuthFailed, event.NoTestimony, 1)
	fault := record(1, one, event.AuthFault, event.NoTestimony, 1)
	end := func(n int) event.Record { return record(1, one, event.AuthFailed, event.Disconnected, n) }
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		folded bool
		left   int
	}{
		"told before":            {[]event.Record{connect, failed, failed}, end(2), true, 0},
		"more than was told":     {[]event.Record{connect, failed}, end(3), false, 2},
		"never told":             {[]event.Record{connect}, end(2), false, 2},
		"our fault":              {[]event.Record{connect, fault}, end(1), true, 0},
		"connect not in the log": {[]event.Record{failed}, end(1), true, 0},
		"process taken up anew":  {[]event.Record{failed, connect}, end(1), false, 1},
		"ended before":           {[]event.Record{failed, end(1)}, end(1), false, 1},
		"another process":        {[]event.Record{record(2, one, event.AuthFailed, event.NoTestimony, 1)}, end(1), false, 1},
		"another client":         {[]event.Record{record(1, two, event.AuthFailed, event.NoTestimony, 1)}, end(1), false, 1},
		"interleaved":            {[]event.Record{failed, record(2, two, event.AuthFailed, event.Disconnected, 5)}, end(1), true, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := New()
			for _, r := range tt.before {
				j.Join(&r)
			}
			last := tt.last
			if folded := j.Join(&last); folded != tt.folded || last.Attempts != tt.left {
				t.Errorf("folded %v, %d attempts left", folded, last.Attempts)
			}
		})
	}
}

func TestBounded(t *testing.T) {
	j := New()
	for pid := 1; pid <= 3*maxOpen; pid++ {
		r := record(pid, one, event.AuthFailed, event.NoTestimony, 1)
		j.Join(&r)
	}
	if len(j.open) > maxOpen || len(j.order) > maxOpen {
		t.Errorf("%d sessions open, %d in order", len(j.open), len(j.order))
	}
	last := record(3*maxOpen, one, event.AuthFailed, event.Disconnected, 1)
	if !j.Join(&last) {
		t.Error("the newest session is forgotten")
	}
}
