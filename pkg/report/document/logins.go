package document

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// maxFrom is the number of networks that are kept of one account's logins.
	maxFrom = 32
	// manyNetworks is the number of different providers' networks from which an account
	// rarely logs in on one day; manyCountries is that of countries.
	manyNetworks  = 4
	manyCountries = 3
)

// providerOf returns the /16 or /32 of an address, which mostly belongs to one provider.
func providerOf(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is4() {
		bits = 16
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// cameFrom notes the network of a login.
func (a *account) cameFrom(addr netip.Addr) {
	network := providerOf(addr)
	if !network.IsValid() {
		return
	}
	at := slices.IndexFunc(a.from, func(known netip.Addr) bool { return providerOf(known) == network })
	switch {
	case at >= 0 && addr.Less(a.from[at]):
		a.from[at] = addr
	case at < 0 && len(a.from) < maxFrom:
		a.from = append(a.from, addr)
	}
}

// manyOrigins returns accounts that logged in from more networks than on any known
// earlier day. If countries are known, they decide.
func (w *Watch) manyOrigins(in Input) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[name]
		_, before, _, _ := in.Habits.Accounts[name].before(in.From.In(in.Zone).Format(time.DateOnly))
		countries := countriesOf(a.from, in.Place)
		if len(a.from) <= before || len(a.from) < manyNetworks && len(countries) < manyCountries {
			continue
		}
		found = append(found, originsFinding(name, a.from, countries, before))
	}
	return found
}

func countriesOf(addrs []netip.Addr, place func(netip.Addr) (country, as string)) []string {
	if place == nil {
		return nil
	}
	var countries []string
	for _, addr := range addrs {
		if country, _ := place(addr); country != "" {
			countries = append(countries, country)
		}
	}
	slices.Sort(countries)
	return slices.Compact(countries)
}

func originsFinding(name string, from []netip.Addr, countries []string, before int) Finding {
	f := Finding{
		ID: "login-from-many-countries", Severity: Warn, Count: len(from), Subjects: []string{name},
		Title:  fmt.Sprintf("%s logged in from %d different networks", name, len(from)),
		Advice: "doveadm who " + shellWord(name),
	}
	if len(countries) >= manyCountries {
		f.Severity = Urgent
		f.Title = fmt.Sprintf("%s logged in from %d countries: %s", name, len(countries), strings.Join(countries, ", "))
	}
	var networks []string
	for _, addr := range from {
		networks = append(networks, providerOf(addr).String())
	}
	slices.Sort(networks)
	f.Detail = "Logins from " + strings.Join(networks[:min(len(networks), 6)], ", ") + ". A stolen password is used from many places."
	if before > 0 {
		f.Detail += fmt.Sprintf(" In the 30 days before it was %d networks a day at the most.", before)
	}
	return f
}

// maxNewNames is how many accounts a finding names.
const maxNewNames = 5

// newOrigins are accounts that logged in from a country or a network that is new for
// them, as far as their habits are known. A new network alone is mostly a journey, so all
// of them are one note.
func (w *Watch) newOrigins(in Input) []Finding {
	date := in.From.In(in.Zone).Format(time.DateOnly)
	if in.Habits.Since == "" || in.Habits.Since > daysBefore(date, knownDays) {
		return nil
	}
	var found []Finding
	var names, subjects []string
	for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
		known, _, _, _ := in.Habits.Accounts[name].before(date)
		fresh := without(w.accounts[name].from, known)
		if len(known) == 0 || len(fresh) == 0 {
			continue
		}
		if countries := newCountries(fresh, known, in.Place); len(countries) > 0 {
			found = append(found, newCountryFinding(name, fresh, countries))
			continue
		}
		subjects = append(subjects, name)
		names = append(names, fmt.Sprintf("%s (%s)", name, providerOf(fresh[0])))
	}
	if len(names) == 0 {
		return found
	}
	f := Finding{
		ID: "login-from-new-network", Severity: Note, Count: len(names), Subjects: subjects, Advice: "doveadm who " + shellWord(subjects[0]),
		Title:  fmt.Sprintf("%d accounts logged in from a network that is new for them", len(names)),
		Detail: strings.Join(names[:min(len(names), maxNewNames)], ", "),
	}
	if len(names) == 1 {
		f.Title = subjects[0] + " logged in from a network that is new for it"
	}
	if more := len(names) - maxNewNames; more > 0 {
		f.Detail += fmt.Sprintf(" and %d more", more)
	}
	f.Detail += ". Mostly somebody travels or changed the provider; ask if nobody did."
	return append(found, f)
}

func newCountryFinding(name string, fresh []netip.Addr, countries []string) Finding {
	return Finding{
		ID: "login-from-new-country", Severity: Warn, Count: len(countries), Subjects: []string{name}, Advice: "doveadm who " + shellWord(name),
		Title:  fmt.Sprintf("%s logged in from %s, for the first time in 30 days", name, strings.Join(countries, ", ")),
		Detail: fmt.Sprintf("The login came from %s. Ask whether its owner is there; if not, change the password.", fresh[0]),
	}
}

// without returns the addresses whose networks are not known.
func without(addrs, known []netip.Addr) []netip.Addr {
	var fresh []netip.Addr
	for _, addr := range addrs {
		if !slices.ContainsFunc(known, func(k netip.Addr) bool { return providerOf(k) == providerOf(addr) }) {
			fresh = append(fresh, addr)
		}
	}
	return fresh
}

// newCountries returns the countries of the first addresses that are none of the others'.
// Where the country of none of those is known, nothing is new.
func newCountries(fresh, known []netip.Addr, place func(netip.Addr) (country, as string)) []string {
	before := countriesOf(known, place)
	if len(before) == 0 {
		return nil
	}
	return slices.DeleteFunc(countriesOf(fresh, place), func(c string) bool { return slices.Contains(before, c) })
}
