// Package country remembers the countries that each account logged in from, for the rule
// that refuses or reports a login from anywhere else. It learns from successful logins
// only. In doubt a login is not strange: an account that is new, one of many countries, a
// country that is not known, a time when nothing could be learned. It looks no address
// up, and refuses nobody by itself.
package country

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// The bounds of the memory.
const (
	maxAccounts  = 100_000
	maxCountries = 8 // of an account; one with more is at home everywhere

	// lasts is for how many days a country counts after the last login from there: a
	// year, and the holiday of the next one.
	lasts = 400

	// gap is how many days may pass without learning before every account is given the
	// time of learning again: somebody may have moved meanwhile.
	gap = 3
)

// Code is a country by its two letters of ISO 3166-1; 0: not known.
type Code uint16

// CodeOf reads the two letters; anything else is no country.
func CodeOf(text string) Code {
	if len(text) != 2 {
		return 0
	}
	return Code(text[0]&^0x20)<<8 | Code(text[1]&^0x20)
}

// String returns the two letters, "" for 0.
func (c Code) String() string {
	if c == 0 {
		return ""
	}
	return string([]byte{byte(c >> 8), byte(c)})
}

// day is a day since 1970.
type day uint16

func dayOf(t time.Time) day { return day(max(t.Unix(), 0) / (24 * 60 * 60)) }

// Memory remembers the countries of accounts. It keeps their names as hashes only. Its
// methods are safe for concurrent use.
type Memory struct {
	mu       sync.Mutex
	key      event.HashKey
	learn    day // how long an account must be known
	most     int
	accounts map[uint64][]record // by the hash of the name without its domain
	n        int
	resumed  day // since when there was no gap
	latest   day // on which something was learned
	changed  bool
}

// record is one account.
type record struct {
	domain      uint64
	first, seen day
	crowded     bool // more countries than there is room for
	visits      []visit
}

// visit is a country and the day of the last login from there.
type visit struct {
	from Code
	last day
}

// New returns an empty memory. An account is judged when it has been known for the time
// of learning.
func New(key event.HashKey, learn time.Duration) *Memory {
	return &Memory{key: key, learn: day(learn / (24 * time.Hour)), most: maxAccounts, accounts: map[uint64][]record{}}
}

// SetLearn changes the time of learning.
func (m *Memory) SetLearn(learn time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.learn = day(learn / (24 * time.Hour))
}

// Learn takes a successful login, and reports whether it was a strange one. A country
// that is not known teaches only that the account is used. So where the data of countries
// is away for some days, nothing is learned, and every account gets the time of learning
// again.
func (m *Memory) Learn(login string, from Code, at time.Time) (strange bool) {
	if login == "" {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	today, name := dayOf(at), m.key.Account(login)
	if from != 0 {
		m.pass(today)
	}
	strange = m.isStrange(name, from, today)
	r := m.record(name, today)
	if r.know(from, today) {
		m.changed = true
	}
	return strange
}

// pass notes that something is learned on a day.
func (m *Memory) pass(today day) {
	if today <= m.latest {
		return
	}
	if m.latest != 0 && today-m.latest > gap {
		m.resumed = today
	}
	m.latest, m.changed = today, true
}

// IsStrange reports whether an account never logged in from a country, as far as is
// known, and is known for long enough to say so.
func (m *Memory) IsStrange(login string, from Code, at time.Time) bool {
	if login == "" {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.isStrange(m.key.Account(login), from, dayOf(at))
}

func (m *Memory) isStrange(name event.AccountHash, from Code, today day) bool {
	if from == 0 || today > m.latest+gap || m.resumed != 0 && today < m.resumed+m.learn {
		return false
	}
	first, known := today, 0
	for i := range m.accounts[name.Name] {
		r := &m.accounts[name.Name][i]
		if !name.Is(event.AccountHash{Name: name.Name, Domain: r.domain}) {
			continue
		}
		first = min(first, r.first)
		for _, v := range r.visits {
			if v.last+lasts < today {
				continue
			}
			if known++; v.from == from {
				return false
			}
		}
		if r.crowded {
			return false
		}
	}
	return known > 0 && first+m.learn <= today
}

// record finds or makes the record of an account.
func (m *Memory) record(name event.AccountHash, today day) *record {
	all := m.accounts[name.Name]
	if i := slices.IndexFunc(all, func(r record) bool { return r.domain == name.Domain }); i >= 0 {
		return &all[i]
	}
	if m.n >= m.most {
		m.evict()
		all = m.accounts[name.Name]
	}
	m.n++
	m.accounts[name.Name] = append(all, record{domain: name.Domain, first: today})
	return &m.accounts[name.Name][len(all)]
}

// evict forgets an eighth of the accounts, those that were silent for the longest time.
func (m *Memory) evict() {
	days := make([]day, 0, m.n)
	for _, all := range m.accounts {
		for _, r := range all {
			days = append(days, r.seen)
		}
	}
	slices.Sort(days)
	few := max(len(days)/8, 1)
	limit := days[few-1]
	for name, all := range m.accounts {
		all = slices.DeleteFunc(all, func(r record) bool {
			gone := r.seen <= limit && few > 0
			if gone {
				few--
				m.n--
			}
			return gone
		})
		if m.accounts[name] = all; len(all) == 0 {
			delete(m.accounts, name)
		}
	}
}

// know notes a login, and reports whether that changed anything.
func (r *record) know(from Code, today day) (changed bool) {
	if r.first > today { // logs that are read back
		r.first, changed = today, true
	}
	if r.seen < today {
		r.seen, changed = today, true
	}
	if from == 0 || r.crowded {
		return changed
	}
	for i := range r.visits {
		if v := &r.visits[i]; v.from == from {
			changed = changed || v.last < today
			v.last = max(v.last, today)
			return changed
		}
	}
	r.visits = slices.DeleteFunc(r.visits, func(v visit) bool { return v.last+lasts < today })
	if len(r.visits) >= maxCountries {
		r.visits, r.crowded = nil, true
		return true
	}
	r.visits = append(r.visits, visit{from, today})
	return true
}

// Len returns how many accounts are known.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}

const version = 1

// TakeSnapshot returns the memory in the form that Restore reads, and whether it
// changed since the snapshot before.
func (m *Memory) TakeSnapshot() (snapshot []byte, changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.changed {
		return nil, false
	}
	m.changed = false
	c := &wire.Codec{B: append([]byte{version}, m.key[:]...)}
	m.encode(c)
	return c.B, true
}

// Restore replaces the memory by the result of TakeSnapshot, with its key. On an error
// the memory is as it was.
func (m *Memory) Restore(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	fresh := New(event.HashKey{}, 0)
	if b[0] != version || len(b) < 1+len(fresh.key) {
		return fmt.Errorf("the countries of logins are not of version %d", version)
	}
	copy(fresh.key[:], b[1:])
	c := &wire.Codec{B: b[1+len(fresh.key):], Reading: true}
	fresh.encode(c)
	if c.Err == nil && len(c.B) > 0 {
		c.Fail()
	}
	if c.Err != nil {
		return fmt.Errorf("reading the countries of logins: %w", c.Err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.key, m.accounts, m.n, m.resumed, m.latest = fresh.key, fresh.accounts, fresh.n, fresh.resumed, fresh.latest
	return nil
}

func (m *Memory) encode(c *wire.Codec) {
	wire.Numbers(c, &m.resumed, &m.latest)
	type account struct {
		name uint64
		record
	}
	var all []account
	for name, records := range m.accounts {
		for _, r := range records {
			all = append(all, account{name, r})
		}
	}
	wire.List(c, &all, func(a *account) {
		wire.Numbers(c, &a.name, &a.domain)
		wire.Numbers(c, &a.first, &a.seen)
		c.Bools(&a.crowded)
		wire.List(c, &a.visits, func(v *visit) {
			wire.Numbers(c, &v.from)
			wire.Numbers(c, &v.last)
		})
	})
	if !c.Reading || c.Err != nil {
		return
	}
	if len(all) > maxAccounts {
		c.Fail()
		return
	}
	for _, a := range all {
		if len(a.visits) > maxCountries {
			c.Fail()
			return
		}
		m.accounts[a.name] = append(m.accounts[a.name], a.record)
		m.n++
	}
}
