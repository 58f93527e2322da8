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
	// maxFrom bounds the networks of one account's logins.
	maxFrom = 32
	// manyNetworks is from how many networks, which are those of different providers,
	// hardly anybody logs in on one day; manyCountries the same of countries.
	manyNetworks  = 4
	manyCountries = 3
)

// providerOf is the /16 or /32 of an address, which mostly is one provider's.
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

// manyOrigins are accounts that logged in from more networks than on any day
// before, as far as that is known. Where it is known, the country decides.
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
