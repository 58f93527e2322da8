package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"csmail/pkg/event"
)

const noon = 1_780_000_000 // seconds since 1970

// No set of kinds stands for all that count against a client.
func TestNoKinds(t *testing.T) {
	for _, kind := range event.Kinds() {
		class := kind.Class()
		if got, want := Kinds(0).Has(kind), class == event.Hostile || class == event.Suspect; got != want {
			t.Errorf("%s: %t", kind, got)
		}
		if !Kinds(1<<kind).Has(kind) || Kinds(1<<kind).Has(kind+1) {
			t.Errorf("a set of %s alone", kind)
		}
	}
}

// Of what the guard knows nothing, it tells a person, and bans nobody.
func TestNothingKnown(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Finding)
		want   Action
	}{
		"a source":               {func(f *Finding) {}, Hold},
		"for information":        {func(f *Finding) { f.Informational = true }, Alert},
		"an account":             {func(f *Finding) { f.Scope, f.Account, f.Sources = event.ScopeAccount, "bob", []netip.Addr{f.Addr} }, Alert},
		"a finding without time": {func(f *Finding) { f.First, f.Last = time.Time{}, time.Time{} }, Hold},
	} {
		f := found("192.0.2.1", 3, sceneStart)
		tt.change(&f)
		if v := New(Facts{}, Options{}).Decide(f, sceneStart); v.Action != tt.want {
			t.Errorf("%s: %s, %s", name, v.Action, v.Reason)
		}
	}
}

// A nameless login seems to be of the one account that failed just before.
func TestNamelessLogin(t *testing.T) {
	failed := func(user string, at uint32) offence {
		return offence{account: accountOf(user), at: at, n: 1, kind: event.AuthFailed, tag: uint8(loginArea) << 4}
	}
	for name, tt := range map[string]struct {
		failed []offence
		want   string
	}{
		"nobody failed":       {nil, ""},
		"one did":             {[]offence{failed("bob", noon-10*minute)}, "bob"},
		"one twice":           {[]offence{failed("bob", noon-2), failed("bob", noon-1)}, "bob"},
		"two did":             {[]offence{failed("bob", noon-2), failed("eve", noon-1)}, ""},
		"too long ago":        {[]offence{failed("bob", noon-10*minute-1)}, ""},
		"another of long ago": {[]offence{failed("eve", noon-hour), failed("bob", noon-1)}, "bob"},
	} {
		var m memory
		s := m.add(1)
		for _, o := range tt.failed {
			m.addOffence(s, o)
		}
		m.noteLogin(s, event.AccountHash{}, noon)
		var want []account
		if tt.want != "" {
			want = []account{{name: accountOf(tt.want), at: noon}}
		}
		if got := m.accountsIn(s.assumed); s.login != noon || !slices.Equal(got, want) || s.accounts.n > 0 {
			t.Errorf("%s: got assumed accounts %v in %+v, want %v and no other", name, got, s, want)
		}
	}
}

// A source with more accounts than are kept knows them all.
func TestCrowded(t *testing.T) {
	var m memory
	s := m.add(1)
	for i := range maxAccounts {
		m.noteLogin(s, accountOf(fmt.Sprint("user", i)), noon)
	}
	if stranger := accountOf("stranger"); s.accounts.n != maxAccounts || s.crowded || m.loginOf(s, stranger) != 0 {
		t.Fatalf("got %d accounts, crowded %t, want %d and false", s.accounts.n, s.crowded, maxAccounts)
	}
	m.noteLogin(s, accountOf("one more"), noon+1)
	if s.accounts.n != maxAccounts || !s.crowded || m.loginOf(s, accountOf("stranger")) != noon+1 {
		t.Errorf("got %d accounts, crowded %t, want %d and true", s.accounts.n, s.crowded, maxAccounts)
	}
}

// Mail of earlier days counts when its lines come late.
func TestMailDaysOutOfOrder(t *testing.T) {
	const today = noon / day
	var s source
	for _, back := range []uint32{0, 3, 3, 31, 32, 40} {
		s.mailOn(today - back)
	}
	if got := s.mailedDays(noon); got != 2 { // the one of 31 days ago is no more of the last 30
		t.Errorf("%d days", got)
	}
	s.mailOn(today + 29)
	if got := s.mailedDays(noon + 29*day); got != 2 {
		t.Errorf("29 days later %d days", got)
	}
}

// The stretch of an hour ends before the second in which the next begins.
func TestMostIn(t *testing.T) {
	list := []offence{{at: noon + hour, n: 2}, {at: noon, n: 3}, {at: noon + hour - 1, n: 4}, {at: noon + 2*hour, n: 1}}
	if got := mostIn(list, hour); got != 7 {
		t.Errorf("%d, want 7", got)
	}
}

// A finding that waits keeps the beginning of the one that it replaces, and what
// its source does meanwhile belongs to it.
func TestWaitingFindingGrows(t *testing.T) {
	g := New(Facts{}, Options{})
	at := func(second int) time.Time { return sceneStart.Add(time.Duration(second) * time.Second) }
	refuse := func(second int) {
		var s scene
		s.kind(time.Duration(second)*time.Second, "192.0.2.1", event.RecipientUnknown, "")
		g.Observe(&s.log[0], false)
	}
	refuse(0)
	f := found("192.0.2.1", 3, at(0))
	f.First, f.Last = at(0), at(0)
	if v := g.Decide(f, at(0)); !v.Pending {
		t.Fatalf("%s %s", v.Action, v.Rule)
	}
	refuse(10)
	f.First, f.Last = at(10), at(10)
	if v := g.Decide(f, at(10)); !v.Pending || g.Pending() != 1 {
		t.Fatalf("%s %s, %d wait", v.Action, v.Rule, g.Pending())
	}
	refuse(20)
	rulings := g.Due(at(70))
	if len(rulings) != 1 || rulings[0].Verdict.Action != Ban || rulings[0].Verdict.Reason != "3 attempts count, 3 are enough" {
		t.Errorf("%+v", rulings)
	}
}

// Only a finding of the same scenario about the same source, network or account takes
// the place of one that waits.
func TestWaitsApart(t *testing.T) {
	addr := netip.MustParseAddr
	first := Finding{Scenario: "a", Scope: event.ScopeIP, Addr: addr("192.0.2.1")}
	network := Finding{Scenario: "a", Scope: event.ScopeRange, Network: netip.MustParsePrefix("192.0.2.0/24"), Addr: addr("192.0.2.1")}
	account := Finding{Scenario: "a", Scope: event.ScopeAccount, Account: "bob", Addr: addr("192.0.2.1")}
	for name, tt := range map[string]struct {
		first  Finding
		change func(*Finding)
		want   int
	}{
		"the same":                           {first, func(f *Finding) {}, 1},
		"another scenario":                   {first, func(f *Finding) { f.Scenario = "b" }, 2},
		"another address":                    {first, func(f *Finding) { f.Addr = addr("192.0.2.2") }, 2},
		"its network":                        {first, func(f *Finding) { *f = network }, 2},
		"its account":                        {first, func(f *Finding) { *f = account }, 2},
		"the same network, another address":  {network, func(f *Finding) { f.Addr = addr("192.0.2.9") }, 1},
		"another network":                    {network, func(f *Finding) { f.Network = netip.MustParsePrefix("192.0.2.0/28") }, 2},
		"another scenario about the network": {network, func(f *Finding) { f.Scenario = "b" }, 2},
		"the same account, another address":  {account, func(f *Finding) { f.Addr = addr("192.0.2.9") }, 1},
		"another account":                    {account, func(f *Finding) { f.Account = "eve" }, 2},
	} {
		g := New(Facts{}, Options{})
		second := tt.first
		tt.change(&second)
		if !g.wait(tt.first, Verdict{wait: wait{until: noon}}) || !g.wait(second, Verdict{wait: wait{until: noon}}) || g.Pending() != tt.want {
			t.Errorf("%s: %d wait, want %d", name, g.Pending(), tt.want)
		}
	}
}

func accountOf(login string) event.AccountHash { return event.HashKey{}.Account(login) }
