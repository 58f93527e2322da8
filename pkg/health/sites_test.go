package health

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// A host that is heard of keeps its Site, however many names turn up; one that was
// silent for a day makes room.
func TestSitesAreBounded(t *testing.T) {
	s := NewSites(testLimits)
	mx1 := s.Note(1, "mx1", noon)
	for i := range Host(5 * maxSites) {
		s.Note(1000+i, "invented", noon+uint32(i))
	}
	if s.Count() != maxSites || s.Of(1) != mx1 {
		t.Fatalf("got %d sites and mx1 kept %t, want %d and true", s.Count(), s.Of(1) == mx1, maxSites)
	}
	if got := s.Note(7, "mx7", noon+hour); got != s.others {
		t.Error("a host beyond the bound has a Site of its own")
	}
	s.Note(1, "mx1", noon+day)
	mx7 := s.Note(7, "mx7", noon+day+2*hour)
	if mx7 == s.others || s.Count() != maxSites || s.Of(1) != mx1 {
		t.Errorf("after a day: got a Site of its own %t, %d sites, mx1 kept %t, want true, %d, true", mx7 != s.others, s.Count(), s.Of(1) == mx1, maxSites)
	}
	// What the forgotten host knew may have been trouble.
	if o := (Offence{Service: event.Dovecot, Key: 7, At: s.lost, Now: noon + day + 2*hour}); mx7.Login(o) != Excused {
		t.Error("what was forgotten counts as no trouble")
	}
	o := Offence{Service: event.Dovecot, Key: 7, At: s.lost + 1, Now: noon + day + 2*hour}
	if mx7.Login(o) != NoExcuse {
		t.Error("what came after it counts as trouble")
	}
}

// A judge of more than 512 edges reads back what it has stored.
func TestManySitesAreReadBack(t *testing.T) {
	l := testLimits
	l.Sites = 2 * maxSites
	s := NewSites(l)
	for i := range Host(2 * maxSites) {
		s.Note(1+i, "mx", noon)
	}
	c := &wire.Codec{}
	s.Encode(c)
	again := NewSites(l)
	r := &wire.Codec{B: c.B, Reading: true}
	if again.Encode(r); r.Err != nil || again.Count() != 2*maxSites {
		t.Errorf("got %d sites, %v, want %d", again.Count(), r.Err, 2*maxSites)
	}
}

// Of a host that is forgotten nothing is known until its last line, and trouble that it
// reported excuses nothing later.
func TestForgetHost(t *testing.T) {
	s := NewSites(testLimits)
	s.Note(1, "mx1", noon).Fault(event.AuthFault, event.Dovecot, Client{}, noon)
	ask := func(at uint32) Excuse {
		return s.Of(1).Login(Offence{Service: event.Dovecot, Key: 7, At: at, Now: at + day})
	}
	if ask(noon+10) == NoExcuse {
		t.Fatal("the fault excuses nothing before")
	}
	s.Forget(1)
	s.Forget(2)
	if ask(noon) != Excused || ask(noon+10) != NoExcuse {
		t.Errorf("got %v until its last line and %v later, want excused and not", ask(noon), ask(noon+10))
	}
	if got := s.Note(1, "mx1", noon+10); got != s.Of(1) {
		t.Error("its next line is noted elsewhere")
	}
}

// drawFact tells Sites one thing of a small world, and returns what they answer.
func drawFact(t *rapid.T, at uint32) func(*Sites) []any {
	host := Host(rapid.IntRange(1, 4).Draw(t, "host"))
	service := event.Service(rapid.IntRange(1, int(event.SSHD)).Draw(t, "service"))
	key := uint64(rapid.IntRange(20, 26).Draw(t, "key"))
	account := uint64(rapid.IntRange(0, 2).Draw(t, "account")) * 100
	what := rapid.IntRange(0, 7).Draw(t, "what")
	return func(s *Sites) []any {
		site := s.Note(host, fmt.Sprint("mx", host), at)
		believed := false
		switch what {
		case 0:
			site.Named(key, at)
		case 1:
			site.MailTaken(key, at)
		case 2:
			site.LoggedIn(service, key, at)
		case 3:
			believed = site.Fault(event.AuthFault, service, Client{Key: key, Account: account}, at)
		case 4:
			believed = site.Fault([]event.Kind{event.AuthFault, event.LookupFault, event.DNSBLFault}[account/100], service, Client{}, at)
		case 5:
			believed = site.Fault(event.LookupFault, service, Client{Key: key, Account: account}, at)
		case 6:
			site.LoginFails(service, key, account+1, at, true)
		case 7:
			site.RecipientMissed(key, at)
		}
		all := []any{believed, s.Breakers(at)}
		for _, past := range []uint32{0, 30, 1000} {
			o := Offence{Service: service, Key: key + 1, At: at - past, Now: at, Met: account > 0}
			all = append(all, site.Login(o), site.Recipient(o), site.Resolver(key, o.At, at), site.Lists(key, o.At, at), site.ListsRefused(o.At),
				site.MayExcuse(LoginArea, service, key, o.At, at))
		}
		return all
	}
}

// Sites that are written and read back at any point answer as those that are not.
func TestSitesSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, stored := NewSites(testLimits), NewSites(testLimits)
		at := uint32(noon)
		for range rapid.IntRange(1, 80).Draw(t, "length") {
			at += uint32(rapid.SampledFrom([]int{0, 1, 20, 400, 4000, 90000}).Draw(t, "gap"))
			if rapid.IntRange(0, 3).Draw(t, "store") == 0 {
				stored = storedAndRead(t, stored)
			}
			tell := drawFact(t, at)
			if got, want := fmt.Sprint(tell(stored)), fmt.Sprint(tell(plain)); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
	})
}

func storedAndRead(t *rapid.T, s *Sites) *Sites {
	var w wire.Codec
	s.Encode(&w)
	fresh := NewSites(Limits{})
	r := wire.Codec{B: w.B, Reading: true}
	fresh.Encode(&r)
	fresh.Configure(testLimits)
	if r.Err != nil || len(r.B) > 0 {
		t.Fatalf("reading: %v, %d bytes left, want no B", r.Err, len(r.B))
	}
	var again wire.Codec
	if fresh.Encode(&again); !slices.Equal(w.B, again.B) {
		t.Fatal("the second snapshot differs from the first")
	}
	return fresh
}

// Whose faults were refuted is not believed again on that day.
func TestWords(t *testing.T) {
	const stranger, regular, other = 70, 80, 90
	for name, tt := range map[string]struct {
		c      Client
		second uint32 // when the second fault comes
		in     uint32 // when somebody else gets in, 0: nobody does
		want   bool
	}{
		"a stranger, nobody gets in":            {Client{Key: stranger}, hour, 0, true},
		"a stranger, for half a day":            {Client{Key: stranger}, strangersWord, 0, true},
		"a stranger, for longer":                {Client{Key: stranger}, strangersWord + 1, 0, false},
		"a stranger, others get in":             {Client{Key: stranger}, hour, 10, false},
		"a stranger, in the same second":        {Client{Key: stranger}, hour, noonItself, true},
		"a stranger, the next day":              {Client{Key: stranger}, day + 1, 10, true},
		"nobody, others get in":                 {Client{}, hour, 10, false},
		"nobody, nobody gets in":                {Client{}, hour, 0, true},
		"a regular, others get in":              {Client{Key: regular, Account: 100}, regularsWord, 10, true},
		"a regular, others get in, for longer":  {Client{Key: regular, Account: 100}, regularsWord + 1, 10, false},
		"a regular, nobody gets in, for longer": {Client{Key: regular, Account: 100}, 20 * hour, 0, true},
	} {
		s := loginService()
		s.fault(tt.c, noon, 0)
		if tt.in == noonItself {
			s.works(other, noon)
		} else if tt.in > 0 {
			s.works(other, noon+tt.in)
		}
		s.fault(tt.c, noon+tt.second, s.othersIn(tt.c.Key))
		w := s.doubt.words[0]
		if got := !w.burnt; got != tt.want {
			t.Errorf("%s: got believed %t, want %t", name, got, tt.want)
		}
	}
}

const noonItself = ^uint32(0)

// What is certain takes two accounts, or one and a fault without a client.
func TestCertainAndPerhaps(t *testing.T) {
	a, sameAccount, b, stranger, second := Client{Key: 200, Account: 100}, Client{Key: 300, Account: 100}, Client{Key: 400, Account: 200}, Client{Key: 500}, Client{Key: 600}
	for name, tt := range map[string]struct {
		met         []Client
		sure, doubt bool
	}{
		"a stranger":                        {[]Client{stranger}, false, false},
		"two strangers":                     {[]Client{stranger, second}, false, true},
		"nobody":                            {[]Client{{}}, false, true},
		"a regular":                         {[]Client{a}, false, false},
		"a regular and a stranger":          {[]Client{a, stranger}, false, true},
		"a regular and nobody":              {[]Client{a, {}}, true, true},
		"nobody and a regular":              {[]Client{{}, a}, true, true},
		"two regulars":                      {[]Client{a, b}, true, true},
		"two addresses of the same account": {[]Client{a, sameAccount}, false, false},
	} {
		s := loginService()
		for i, c := range tt.met {
			s.fault(c, noon+uint32(i), 0)
		}
		if sure, doubt := s.sure.covers(noon+1), s.doubt.covers(noon+1); sure != tt.sure || doubt != tt.doubt {
			t.Errorf("%s: got certain %t and perhaps %t, want %t and %t", name, sure, doubt, tt.sure, tt.doubt)
		}
	}
}

// Postfix asks the Dovecot of its own host, and else any that is used.
func TestPostfixAsksDovecot(t *testing.T) {
	const postfixOnly, withDovecot, sick, idle = 1, 2, 3, 4
	build := func() *Sites {
		s := NewSites(testLimits)
		for i := range uint32(100) {
			s.Note(withDovecot, "b", noon+60*i).LoggedIn(event.Dovecot, uint64(2+i%5), noon+60*i)
		}
		s.Note(postfixOnly, "a", noon)
		s.Note(idle, "d", noon).LoginFails(event.Dovecot, 7, 7, noon, false)
		return s
	}
	at := uint32(noon + 30*60 + 30)
	o := Offence{Service: event.Postfix, Key: 50, At: at, Now: noon + 2*hour, Met: true}
	s := build()
	if got := s.Of(postfixOnly).Login(o); got != NoExcuse {
		t.Errorf("logins at the only Dovecot that is used: got %d, want %d", got, NoExcuse)
	}
	for i := range uint32(2) {
		s.Note(sick, "c", at).Fault(event.AuthFault, event.Dovecot, Client{Key: uint64(10 + i), Account: uint64(100 + i)}, at)
	}
	for host, want := range map[Host]Excuse{postfixOnly: Excused, withDovecot: NoExcuse, sick: Excused} {
		if got := s.Of(host).Login(o); got != want {
			t.Errorf("beside a sick Dovecot, host %d: got %d, want %d", host, got, want)
		}
	}
	for i := range uint32(100) { // its own users get in all the while
		s.Note(postfixOnly, "a", noon+60*i).LoggedIn(event.Postfix, uint64(20+i%5), noon+60*i)
	}
	if got := s.Of(postfixOnly).Login(o); got != NoExcuse {
		t.Errorf("beside a sick Dovecot that it does not ask: got %d, want %d", got, NoExcuse)
	}
}

// A host logs the same complaint each hour, whatever happens: that takes nothing from
// another one. Whoever puts words of his own into one is believed a few times.
func TestCauses(t *testing.T) {
	s := loginService()
	for i := range uint32(5) {
		s.fault(Client{Cause: 3}, noon+i*hour, s.othersIn(0))
		s.works(90, noon+i*hour+10)
	}
	s.fault(Client{Cause: 3}, noon+10*hour, s.othersIn(0))
	if s.doubt.covers(noon + 10*hour) {
		t.Error("a complaint that was refuted makes a doubt")
	}
	s.fault(Client{Cause: 4}, noon+10*hour, s.othersIn(0))
	if !s.doubt.covers(noon + 10*hour) {
		t.Error("another complaint makes none")
	}
	believed := 0
	for i := range uint32(20 * causes) {
		at := noon + 11*hour + 100*i
		s.fault(Client{Cause: uint64(i)}, at, s.othersIn(0))
		if s.doubt.lastFault == at {
			believed++
		}
		s.works(90, at+10)
	}
	if believed > causes {
		t.Errorf("got %d believed complaints, want %d at most", believed, causes)
	}
}

// Strangers, however many, do not crowd out what a regular says.
func TestStrangersCrowdNobodyOut(t *testing.T) {
	s := loginService()
	s.fault(Client{Key: 200, Account: 100}, noon, 0)
	for i := range uint32(5 * maxSigns) {
		s.fault(Client{Key: uint64(1000 + i)}, noon+1+i, 0)
	}
	s.fault(Client{Key: 300, Account: 101}, noon+200, 0)
	if !s.sure.covers(noon + 200) {
		t.Error("two regulars make no outage among many strangers")
	}
}
