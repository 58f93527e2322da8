// Package geo looks up the country and the network operator (autonomous system) of an
// address in MaxMind DB files (format 2.0), for example those that CrowdSec's item
// geoip-enrich keeps up to date in /var/lib/crowdsec/data.
//
// It downloads nothing and asks no service. Without such files two columns are missing
// and everything else works.
package geo

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"

	"csmail/pkg/hint"
)

// Where CrowdSec keeps its files (hub item crowdsecurity/geoip-enrich).
const (
	DefaultCountry = "/var/lib/crowdsec/data/GeoLite2-City.mmdb"
	DefaultASN     = "/var/lib/crowdsec/data/GeoLite2-ASN.mmdb"
)

// Options name the files. A file that is named must be there; a default one need
// not.
type Options struct {
	Country string // a country or city file; empty: DefaultCountry, if it is there
	ASN     string // an ASN file; empty: DefaultASN, if it is there
}

// Place is where an address is. Its fields are empty where the files do not know.
type Place struct {
	Country string // ISO 3166-1 code: DE
	AS      uint   // number of the autonomous system
	Org     string // its name, as registered
}

// Finder looks addresses up. A nil Finder knows no place. It is safe for
// concurrent use. The files are mapped into memory, so Close must come after the
// last lookup.
type Finder struct{ country, asn *maxminddb.Reader }

// Open opens the files. With none at hand it returns nil and no error.
func Open(o Options) (*Finder, error) {
	country, err := open(o.Country, DefaultCountry)
	if err != nil {
		return nil, err
	}
	asn, err := open(o.ASN, DefaultASN)
	if err != nil {
		return nil, errors.Join(err, closeReader(country))
	}
	if country == nil && asn == nil {
		return nil, nil
	}
	return &Finder{country: country, asn: asn}, nil
}

func open(named, usual string) (*maxminddb.Reader, error) {
	path := cmp.Or(named, usual)
	reader, err := maxminddb.Open(path)
	if err == nil {
		return reader, nil
	}
	if named == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return nil, hint.Wrap(fmt.Errorf("opening the geo file %q: %w", path, err),
		"a MaxMind DB file (.mmdb) is wanted; CrowdSec's are in /var/lib/crowdsec/data: cscli hub update && cscli hub upgrade")
}

func closeReader(r *maxminddb.Reader) error {
	if r == nil {
		return nil
	}
	return r.Close()
}

// Close lets the files go.
func (f *Finder) Close() error {
	if f == nil {
		return nil
	}
	return errors.Join(closeReader(f.country), closeReader(f.asn))
}

// HasCountries reports whether a file knows countries.
func (f *Finder) HasCountries() bool { return f != nil && f.country != nil }

// HasNetworks reports whether a file knows network operators.
func (f *Finder) HasNetworks() bool { return f != nil && f.asn != nil }

// Place looks an address up. A damaged entry counts as an unknown one.
func (f *Finder) Place(addr netip.Addr) Place {
	var p Place
	if f == nil || !addr.IsValid() {
		return p
	}
	if f.country != nil {
		_ = f.country.Lookup(addr).DecodePath(&p.Country, "country", "iso_code")
	}
	if f.asn != nil {
		result := f.asn.Lookup(addr)
		_ = result.DecodePath(&p.AS, "autonomous_system_number")
		_ = result.DecodePath(&p.Org, "autonomous_system_organization")
	}
	return p
}

// Network shows the autonomous system like "AS64496 Example Hosting", and nothing
// if it is unknown.
func (p Place) Network() string {
	if p.AS == 0 {
		return ""
	}
	if p.Org == "" {
		return fmt.Sprintf("AS%d", p.AS)
	}
	return fmt.Sprintf("AS%d %s", p.AS, p.Org)
}

// String shows country and autonomous system, each if it is known.
func (p Place) String() string {
	network := p.Network()
	if p.Country == "" || network == "" {
		return p.Country + network
	}
	return p.Country + " " + network
}
