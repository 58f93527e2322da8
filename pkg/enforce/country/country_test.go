package country

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)

const (
	aDay  = 24 * time.Hour
	learn = 14 * aDay
)

// login is a successful login, days after the start.
type login struct {
	day  int
	user string
	from string
}

func memory(logins ...login) *Memory {
	m := New(event.HashKey{1}, learn)
	for _, l := range logins {
		m.Learn(l.user, CodeOf(l.from), start.Add(time.Duration(l.day)*aDay))
	}
	return m
}

// daily has an account log in on each day.
func daily(from, to int, user, country string) (all []login) {
	for i := from; i <= to; i++ {
		all = append(all, login{i, user, country})
	}
	return all
}

func TestStrange(t *testing.T) {
	many := daily(0, 20, "bob@example.org", "DE")
	for i := range maxCountries {
		many = append(many, login{20, "bob@example.org", fmt.Sprintf("A%c", 'A'+i)})
	}
	for name, c := range map[string]struct {
		logins []login
		day    int
		user   string
		from   string
		want   bool
	}{
		"a country of its own":                {daily(0, 20, "bob@example.org", "DE"), 20, "bob@example.org", "DE", false},
		"another country":                     {daily(0, 20, "bob@example.org", "DE"), 20, "bob@example.org", "FR", true},
		"another spelling":                    {daily(0, 20, "bob@example.org", "DE"), 20, "Bob@Example.org", "FR", true},
		"Dovecot logs no domain":              {daily(0, 20, "bob", "DE"), 20, "bob@example.org", "FR", true},
		"the client sends no domain":          {daily(0, 20, "bob@example.org", "DE"), 20, "bob", "FR", true},
		"a namesake's country, by domain":     {append(daily(0, 20, "bob@example.org", "DE"), daily(0, 20, "bob@example.net", "FR")...), 20, "bob@example.org", "FR", true},
		"a namesake's country, no domain":     {append(daily(0, 20, "bob@example.org", "DE"), daily(0, 20, "bob@example.net", "FR")...), 20, "bob", "FR", false},
		"letters of the file in lower case":   {daily(0, 20, "bob", "de"), 20, "bob", "DE", false},
		"an account that nobody knows":        {daily(0, 20, "bob", "DE"), 20, "eve", "FR", false},
		"no account":                          {daily(0, 20, "bob", "DE"), 20, "", "FR", false},
		"a country that is not known":         {daily(0, 20, "bob", "DE"), 20, "bob", "", false},
		"no country of the account is known":  {daily(0, 20, "bob", ""), 20, "bob", "FR", false},
		"still learning":                      {daily(0, 13, "bob", "DE"), 13, "bob", "FR", false},
		"has learned":                         {daily(0, 14, "bob", "DE"), 14, "bob", "FR", true},
		"a new account among old ones":        {append(daily(0, 20, "bob", "DE"), daily(15, 20, "eve", "DE")...), 20, "eve", "FR", false},
		"more countries than there is room":   {many, 20, "bob@example.org", "FR", false},
		"last year's holiday":                 {append(daily(0, 2, "bob", "FR"), daily(3, 380, "bob", "DE")...), 380, "bob", "FR", false},
		"a holiday long ago":                  {append(daily(0, 2, "bob", "FR"), daily(3, 500, "bob", "DE")...), 500, "bob", "FR", true},
		"nothing was learned for a month":     {append(daily(0, 20, "bob", "DE"), daily(50, 51, "bob", "DE")...), 51, "bob", "FR", false},
		"a fortnight after that":              {append(daily(0, 20, "bob", "DE"), daily(50, 64, "bob", "DE")...), 64, "bob", "FR", true},
		"nothing is learned any more":         {daily(0, 20, "bob", "DE"), 24, "bob", "FR", false},
		"a weekend without a login":           {daily(0, 20, "bob", "DE"), 23, "bob", "FR", true},
		"logs that are read back after today": {append([]login{{20, "bob", "DE"}}, daily(0, 19, "bob", "DE")...), 20, "bob", "FR", true},
	} {
		m := memory(c.logins...)
		if got := m.IsStrange(c.user, CodeOf(c.from), start.Add(time.Duration(c.day)*aDay)); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// A strange login is one once: the account came from there, then.
func TestLearnSaysWhatWasStrange(t *testing.T) {
	m := memory(daily(0, 20, "bob", "DE")...)
	at := start.Add(20 * aDay)
	for i, want := range []bool{true, false} {
		if got := m.Learn("bob", CodeOf("FR"), at); got != want {
			t.Errorf("login %d from FR: got %t, want %t", i+1, got, want)
		}
	}
}

// Where the data of countries was away, nobody is strange until the time of learning has
// passed again.
func TestDataWasAway(t *testing.T) {
	m := memory(daily(0, 20, "bob", "DE")...)
	for _, l := range append(daily(21, 25, "bob", ""), daily(26, 45, "bob", "DE")...) {
		m.Learn(l.user, CodeOf(l.from), start.Add(time.Duration(l.day)*aDay))
		want := l.day <= 23 || l.day >= 40
		if got := m.IsStrange("bob", CodeOf("FR"), start.Add(time.Duration(l.day)*aDay)); got != want {
			t.Errorf("day %d: got %t, want %t", l.day, got, want)
		}
	}
}

func TestSnapshot(t *testing.T) {
	many := daily(0, 20, "bob@example.org", "DE")
	for i := range 2 * maxCountries {
		many = append(many, login{20, "eve", fmt.Sprintf("A%c", 'A'+i)})
	}
	m := memory(many...)
	b, changed := m.TakeSnapshot()
	if !changed {
		t.Fatal("nothing changed")
	}
	if _, changed = m.TakeSnapshot(); changed {
		t.Error("a second snapshot without a change")
	}
	again := New(event.HashKey{2}, learn)
	if err := again.Restore(b); err != nil {
		t.Fatal(err)
	}
	at := start.Add(20 * aDay)
	if !again.IsStrange("bob@example.org", CodeOf("FR"), at) || again.IsStrange("bob@example.org", CodeOf("DE"), at) || again.IsStrange("eve", CodeOf("FR"), at) || again.Len() != 2 {
		t.Errorf("restored: %d accounts, and other answers", again.Len())
	}
	for n := range b {
		other := memory(daily(0, 20, "joe", "DE")...)
		if err := other.Restore(b[:n]); err == nil && n > 0 || other.Len() != 1 {
			t.Fatalf("cut after %d of %d bytes: %v, %d accounts", n, len(b), err, other.Len())
		}
	}
	if err := again.Restore(append(slices.Clone(b), 0)); err == nil {
		t.Error("one byte more: no error")
	}
}

// The memory is bounded; who was silent for the longest time is forgotten first.
func TestBounded(t *testing.T) {
	m := memory(daily(0, 20, "bob", "DE")...)
	m.most = 1000
	for i := range 5000 {
		m.Learn(fmt.Sprint("user", i), CodeOf("DE"), start.Add(time.Duration(20+i/200)*aDay))
		if i%100 == 0 {
			m.Learn("bob", CodeOf("DE"), start.Add(time.Duration(20+i/200)*aDay))
		}
	}
	if m.Len() > 1000 {
		t.Errorf("got %d accounts, want at most 1000", m.Len())
	}
	if !m.IsStrange("bob", CodeOf("FR"), start.Add(44*aDay)) {
		t.Error("an account that logs in all the time was forgotten")
	}
}

func TestConcurrentUse(t *testing.T) {
	m := New(event.HashKey{1}, learn)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 2000 {
				m.Learn(fmt.Sprint(i, n%50), CodeOf("DE"), start.Add(time.Duration(n)*time.Minute))
				m.IsStrange(fmt.Sprint(i, n%50), CodeOf("FR"), start)
				m.TakeSnapshot()
			}
		})
	}
	group.Wait()
}

func FuzzRestore(f *testing.F) {
	b, _ := memory(daily(0, 20, "bob@example.org", "DE")...).TakeSnapshot()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := New(event.HashKey{}, learn)
		if m.Restore(b) == nil {
			m.Learn("bob", CodeOf("DE"), start)
			m.IsStrange("bob", CodeOf("FR"), start)
		}
	})
}
