package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/enforce/country"
	"csmail/pkg/event"
	"csmail/pkg/geo"
	"csmail/pkg/state"
)

const (
	// keptCountries is under which name the state file keeps the countries of the accounts.
	keptCountries = "countries"

	keepCountries = time.Minute // between two looks at the file, and two snapshots

	// newsWithin is how old a login may be to be reported: logs that are read back bring
	// no news.
	newsWithin = time.Hour

	maxAbroad = 20 // that status shows
)

// countries applies enforce.countries: it learns from successful logins, and says which
// login comes from a country that is new to the account. While there is no data nothing
// is new.
type countries struct {
	memory *country.Memory
	store  *state.Store
	log    *slog.Logger
	rules  atomic.Pointer[countryRules]
	seen   atomic.Uint64 // successful logins from a new country

	data sync.RWMutex // held for writing while the finder is closed
	geo  *geo.Finder
	file os.FileInfo // that the finder has open

	mu     sync.Mutex
	abroad []control.Abroad // newest last
}

// countryRules are the rules of the configuration.
type countryRules struct {
	mode   string
	path   string // of the file
	home   []country.Code
	exempt []event.Account
}

// newCountries brings back the knowledge of the run before.
func newCountries(c config.Config, store *state.Store, log *slog.Logger) *countries {
	var key event.HashKey
	_, _ = rand.Read(key[:]) // never fails (crypto/rand, Go 1.24)
	n := &countries{memory: country.New(key, time.Duration(c.Enforce.Countries.Learn)), store: store, log: log}
	kept, err := store.Kept(keptCountries)
	if err == nil {
		err = n.memory.Restore(kept)
	}
	if err != nil {
		log.Warn("the countries that accounts came from are learned anew", "error", err)
	}
	n.set(c)
	return n
}

// set takes a configuration.
func (n *countries) set(c config.Config) {
	r := &countryRules{mode: c.Enforce.Countries.Mode, path: cmp.Or(c.Geo.Country, geo.DefaultCountry)}
	for _, code := range c.Enforce.Countries.Home {
		r.home = append(r.home, country.CodeOf(code))
	}
	for _, login := range c.Enforce.Countries.Exempt {
		r.exempt = append(r.exempt, event.AccountOf(login))
	}
	n.memory.SetLearn(time.Duration(c.Enforce.Countries.Learn))
	n.rules.Store(r)
	n.open()
}

// run looks at the file and stores the new knowledge, until the context ends.
func (n *countries) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, keepCountries)
		n.open()
		snapshot, changed := n.memory.TakeSnapshot()
		if !changed {
			continue
		}
		if err := n.store.Keep(keptCountries, snapshot); err != nil {
			n.log.Warn("the countries that accounts came from cannot be kept for the next start", "error", err)
		}
	}
	n.data.Lock()
	defer n.data.Unlock()
	_ = n.geo.Close() // of a file that was only read
	n.geo = nil
}

// open opens the file if it is another than before. CrowdSec replaces it from time to
// time.
func (n *countries) open() {
	r := n.rules.Load()
	if r.mode == config.CountriesOff {
		return
	}
	info, err := os.Stat(r.path)
	n.data.Lock()
	defer n.data.Unlock()
	if err == nil && n.geo != nil && os.SameFile(info, n.file) && info.ModTime().Equal(n.file.ModTime()) && info.Size() == n.file.Size() {
		return
	}
	var found *geo.Finder
	if err == nil {
		found, err = geo.Open(geo.Options{Country: r.path})
	}
	_ = n.geo.Close() // of a file that was only read
	had := n.geo != nil || n.file == nil
	n.geo, n.file = found, info
	if err != nil {
		n.file = emptyFile{}
		if had {
			n.log.Warn("there is no data on countries, so no login is from a new one", "path", r.path, "error", err)
		}
	}
}

// emptyFile stands for a file that is not there.
type emptyFile struct{ os.FileInfo }

// codeOf returns the country of an address, 0 if it is not known. A file that is cut
// short while it is open is an address that is not known.
func (n *countries) codeOf(addr netip.Addr) (code country.Code) {
	n.data.RLock()
	defer n.data.RUnlock()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // the file is mapped into memory
	defer func() {
		if recover() != nil {
			code = 0
		}
	}()
	return country.CodeOf(n.geo.Place(addr).Country)
}

// refuses reports whether a login is refused for its country.
func (n *countries) refuses(account string, addr netip.Addr, at time.Time) bool {
	r := n.rules.Load()
	if r.mode != config.CountriesRefuse || r.spares(account) {
		return false
	}
	code := n.codeOf(addr)
	return !slices.Contains(r.home, code) && n.memory.IsStrange(account, code, at)
}

// spares reports whether an account may log in from everywhere.
func (r *countryRules) spares(login string) bool {
	account := event.AccountOf(login)
	return slices.ContainsFunc(r.exempt, account.Is)
}

// learn takes a successful login, and reports one from a country that is new to the
// account. One that was guessed teaches nothing.
func (n *countries) learn(e *event.Event, guessed bool, now time.Time) {
	r := n.rules.Load()
	if r.mode == config.CountriesOff || guessed || e.User == "" || !e.Addr.IsValid() {
		return
	}
	code := n.codeOf(e.Addr)
	if !n.memory.Learn(e.User, code, e.Time) || r.spares(e.User) || slices.Contains(r.home, code) || now.Sub(e.Time) > newsWithin {
		return
	}
	n.seen.Add(1)
	n.log.Warn("a login from a country that the account never came from", "address", e.Addr.String(), "country", code.String(), "service", e.Service.String())
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.abroad) == maxAbroad {
		n.abroad = n.abroad[1:]
	}
	n.abroad = append(n.abroad, control.Abroad{At: e.Time, Addr: e.Addr.String(), Country: code.String(), Account: string([]byte(e.User))})
}

// status returns the figures of csmail enforce status; nil: the rule is off.
func (n *countries) status() *control.Countries {
	r := n.rules.Load()
	if r.mode == config.CountriesOff {
		return nil
	}
	n.data.RLock()
	hasData := n.geo != nil
	n.data.RUnlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &control.Countries{Mode: r.mode, Data: hasData, Accounts: n.memory.Len(), Logins: n.seen.Load(), Abroad: []control.Abroad{}}
	for _, a := range slices.Backward(n.abroad) {
		s.Abroad = append(s.Abroad, a)
	}
	return s
}
