package session

import (
	"net/netip"
	"testing"

	"csmail/pkg/event"
)

func ssh(pid int, kind event.Kind, reason string) event.Record {
	r := record(pid, one, kind, event.NoTestimony, 1)
	r.Service, r.Program = event.SSHD, "sshd-session"
	return withReason(r, reason)
}

func TestSSH(t *testing.T) {
	invalid := ssh(1, event.AuthFailed, "invalid user")
	failed := ssh(1, event.AuthFailed, "failed password")
	tooMany := ssh(1, event.TooManyErrors, "too many")
	locked := ssh(1, event.LoginRefused, "not allowed")
	closed := ssh(1, event.AuthAborted, "connection ended during login")
	module := func(pid, n int) event.Record {
		r := ssh(pid, event.AuthFailed, "authentication failure")
		r.Mechanism, r.Attempts = event.PAM, n
		return r
	}
	interactive := ssh(1, event.AuthFailed, "failed keyboard-interactive/pam")
	pamError := ssh(1, event.AuthFailed, "PAM")
	from := func(addr netip.Addr, r event.Record) event.Record { r.Addr = addr; return r }
	ok := ssh(1, event.LoginOK, "accepted password")
	opened := ssh(1, event.NoKind, "")
	timeout := ssh(99, event.NoAuth, "timeout before authentication")
	timeout.Session = "1"
	penalised := ssh(99, event.Penalised, "penalty: failed authentication")
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		folded bool
		left   int
	}{
		"invalid user, then failed":          {[]event.Record{invalid}, failed, true, 1},
		"failed twice":                       {[]event.Record{failed}, failed, false, 1},
		"invalid user, failed twice":         {[]event.Record{invalid, failed}, failed, false, 1},
		"too many after failed":              {[]event.Record{failed}, tooMany, true, 1},
		"too many after keys alone":          {nil, tooMany, false, 1},
		"too many told twice":                {[]event.Record{tooMany}, tooMany, true, 1},
		"closed after failed":                {[]event.Record{invalid, failed}, closed, true, 1},
		"closed twice":                       {[]event.Record{closed}, closed, true, 1},
		"locked, then failed":                {[]event.Record{locked}, failed, false, 1},
		"failed, then locked":                {[]event.Record{failed}, locked, true, 1},
		"closed alone":                       {nil, closed, false, 1},
		"module, then failed":                {[]event.Record{module(1, 1)}, failed, true, 1},
		"invalid user, then module":          {[]event.Record{invalid}, module(1, 1), true, 1},
		"failed thrice, then two more":       {[]event.Record{module(1, 1), failed, failed, failed}, module(1, 2), true, 2},
		"one failed, then two more":          {[]event.Record{module(1, 1), failed}, module(1, 2), false, 2},
		"module of a process of its own":     {[]event.Record{module(2, 1)}, interactive, true, 0},
		"module, PAM and failed":             {[]event.Record{module(2, 1), pamError}, interactive, true, 1},
		"module and PAM of one process":      {[]event.Record{module(1, 1)}, pamError, true, 1},
		"told once, the next connection":     {[]event.Record{module(1, 1), failed}, ssh(3, event.AuthFailed, "failed password"), false, 1},
		"another process":                    {[]event.Record{failed}, ssh(2, event.AuthFailed, "invalid user"), false, 1},
		"process taken up by another client": {[]event.Record{failed}, from(two, invalid), false, 1},
		"process opened anew":                {[]event.Record{failed, opened}, invalid, false, 1},
		"after a login":                      {[]event.Record{failed, ok}, closed, false, 1},
		"the login itself":                   {[]event.Record{failed}, ok, false, 1},
		"timeout told by the listener":       {[]event.Record{failed}, timeout, true, 1},
		"timeout alone":                      {nil, timeout, false, 1},
		"penalty of the listener, again":     {[]event.Record{penalised}, penalised, false, 1},
		"much later":                         {[]event.Record{at(0, invalid)}, at(900, invalid), false, 1},
		"no process ID":                      {[]event.Record{ssh(0, event.AuthFailed, "invalid user")}, ssh(0, event.AuthFailed, "failed password"), false, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			for _, r := range tt.before {
				r.Outcome = event.Noted
				if r.Kind == event.NoKind {
					r.Outcome = event.Witness
				}
				j.Join(&r)
			}
			last := tt.last
			if folded := j.Join(&last) == Folded; folded != tt.folded || last.Attempts != tt.left {
				t.Errorf("folded %v, %d attempts left, want folded %v, Attempts %d", folded, last.Attempts, tt.folded, tt.left)
			}
		})
	}
}

// A line without an address gets the one that its process has.
func TestSSHAddress(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	known := ssh(1, event.AuthFailed, "failed password")
	j.Join(&known)
	nameless := ssh(1, event.TooManyErrors, "too many")
	nameless.Addr = netip.Addr{}
	if j.Join(&nameless) != Folded || nameless.Addr != one {
		t.Errorf("got %s", nameless.Addr)
	}
	stranger := ssh(2, event.TooManyErrors, "too many")
	stranger.Addr = netip.Addr{}
	if j.Join(&stranger) == Folded || stranger.Addr.IsValid() {
		t.Errorf("got %s", stranger.Addr)
	}
}

func TestPAMUnderDovecot(t *testing.T) {
	module := func(second int) event.Record {
		r := at(second, dovecot("dovecot/auth", "", "a", 1))
		r.Mechanism = event.PAM
		return r
	}
	worker := func(second int, session string) event.Record {
		return at(second, dovecot("dovecot/auth", session, "a", 1))
	}
	login := func(second, n int) event.Record { return at(second, dovecot("dovecot/imap-login", "s", "a", n)) }
	smtpd := func(second int) event.Record {
		return at(second, record(9, one, event.AuthFailed, event.NoTestimony, 1))
	}
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		folded bool
		left   int
	}{
		"module, then worker":              {[]event.Record{module(0)}, worker(3, "s"), true, 0},
		"module, worker, then login":       {[]event.Record{module(0), worker(3, "s")}, login(9, 1), true, 0},
		"modules, then login":              {[]event.Record{module(0), module(5), module(10)}, login(60, 3), true, 0},
		"login tells of more":              {[]event.Record{module(0)}, login(60, 3), false, 2},
		"module again":                     {[]event.Record{module(0)}, module(3), false, 1},
		"module, then Postfix":             {[]event.Record{module(0)}, smtpd(3), true, 0},
		"module, worker, then Postfix":     {[]event.Record{module(0), worker(3, "")}, smtpd(3), true, 0},
		"told once, the next login counts": {[]event.Record{module(0), worker(3, "s")}, worker(6, "t"), false, 1},
		"forgotten, but for the last":      {[]event.Record{module(0), module(1000)}, login(1002, 2), false, 1},
		"an hour later":                    {[]event.Record{module(0)}, login(3600, 1), false, 1},
		"much later":                       {[]event.Record{module(0)}, worker(60, "s"), false, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			for _, r := range tt.before {
				j.Join(&r)
			}
			last := tt.last
			if folded := j.Join(&last) == Folded; folded != tt.folded || last.Attempts != tt.left {
				t.Errorf("folded %v, %d attempts left, want folded %v, Attempts %d", folded, last.Attempts, tt.folded, tt.left)
			}
		})
	}
}
