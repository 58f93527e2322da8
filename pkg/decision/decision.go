// Package decision is the table of CrowdSec's decisions that csmail enforces: addresses,
// networks and accounts, each decision under the number that the Local API (LAPI) gave
// it.
//
// A door asks on every connection, so reading takes no lock: any number of goroutines may
// read the table while one changes it. Of several decisions on a client the strictest
// counts, then the one that ends last. For example, a ban on 192.0.2.0/24 outweighs a
// captcha on 192.0.2.7. Each ends by its own time, even while the LAPI cannot be reached.
//
// The package is pure: no I/O, no goroutine, no clock. It never talks to the LAPI and
// never refuses a client by itself.
package decision

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unique"
)

// Type is the measure that a decision asks for, from the mildest to the strictest.
type Type uint8

// The types. A decision of another type is kept under Other and has no effect:
// CrowdSec's bouncers ignore types that they do not know unless a fallback is
// configured.
const (
	Other Type = iota
	Captcha
	Ban
)

var typeNames = [...]string{Other: "other", Captcha: "captcha", Ban: "ban"}

// String returns CrowdSec's name of the type, "other" for what csmail ignores.
func (t Type) String() string { return typeNames[t] }

// TypeOf reads a decision's type. Case does not matter.
func TypeOf(text string) Type {
	switch {
	case strings.EqualFold(text, "ban"):
		return Ban
	case strings.EqualFold(text, "captcha"):
		return Captcha
	}
	return Other
}

// Decision is one decision of the LAPI. It is about a network (of an address: one of
// full length) or about an account, never both.
type Decision struct {
	ID       int64
	Type     Type
	Network  netip.Prefix // masked, unmapped; the zero Prefix: about an account
	Account  string       // lower case; "": about a network
	Origin   string       // "crowdsec", "cscli", "CAPI", "lists" …
	Scenario string       // of an origin "lists" the name of the list
	Until    time.Time    // when it ends, by this host's clock
}

// The reasons for which csmail does not keep a decision of the LAPI. All others
// of the same answer are kept.
var (
	ErrScope    = errors.New("scope that no mail server can enforce")
	ErrValue    = errors.New("value that is neither address, network nor account")
	ErrTooWide  = errors.New("network wider than any that a person means to ban")
	ErrDuration = errors.New("invalid duration")
)

// The widest networks that are enforced. A wider one is a typing error, and would
// shut half the world out.
const (
	widest4 = 8
	widest6 = 16
)

// The longest texts that are kept. A login name longer than maxAccount does not exist
// (RFC 5321 section 4.5.3.1 allows 64 octets and 255 of a domain).
const (
	maxAccount = 320
	maxLabel   = 200
)

// Raw is a decision as the LAPI sends it (pkg/models/decision.go, v1.7.8).
type Raw struct {
	ID                                             int64
	Scope, Value, Type, Origin, Scenario, Duration string
}

// Parse reads a decision. The LAPI stores values as they were entered, so they are
// brought into one form here. For example, 2001:DB8::5 becomes 2001:db8::5 and
// ::ffff:192.0.2.1 becomes 192.0.2.1. The duration counts from now.
func Parse(r Raw, now time.Time) (Decision, error) {
	d := Decision{ID: r.ID, Type: TypeOf(r.Type), Origin: label(r.Origin), Scenario: label(r.Scenario)}
	left, err := time.ParseDuration(r.Duration)
	if err != nil {
		return d, fmt.Errorf("decision %d: %w: %.40q", r.ID, ErrDuration, r.Duration)
	}
	d.Until = now.Add(left)
	switch strings.ToLower(r.Scope) {
	case "ip", "range":
		d.Network, err = parseNetwork(r.Value)
	case "username", "user", "account":
		if d.Account = Fold(r.Value); d.Account == "" {
			err = ErrValue
		}
	default:
		return d, fmt.Errorf("decision %d: %w: %.40q", r.ID, ErrScope, r.Scope)
	}
	if err != nil {
		return d, fmt.Errorf("decision %d: %w: %.60q", r.ID, err, r.Value)
	}
	return d, nil
}

// label keeps one copy of a text that thousands of decisions share.
func label(text string) string {
	if len(text) > maxLabel {
		text = text[:maxLabel]
	}
	return unique.Make(text).Value()
}

// Fold brings a login name into the form of the table: lower case, as Dovecot's
// auth_username_format has it by default. An invalid name becomes empty.
func Fold(account string) string {
	if len(account) > maxAccount {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(account))
}

func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" || addr.IsUnspecified() {
			return netip.Prefix{}, ErrValue
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, ErrValue
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, ErrTooWide
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	widest := widest6
	if p.Addr().Is4() {
		widest = widest4
	}
	if p.Bits() < widest {
		return netip.Prefix{}, ErrTooWide
	}
	return p.Masked(), nil
}

// IsLocal reports whether a decision was made by this LAPI: by its agents, its profiles
// ("crowdsec/NAME"), a person at cscli or in the console. The others come from
// CrowdSec's community list and from subscribed lists.
func (d *Decision) IsLocal() bool { return IsLocalOrigin(d.Origin) }

// IsLocalOrigin reports the same of an origin.
func IsLocalOrigin(origin string) bool {
	switch origin {
	case "crowdsec", "cscli", "cscli-import", "console", "remediation_sync":
		return true
	}
	return strings.HasPrefix(origin, "crowdsec/")
}

// Value returns the object of the decision in canonical form. An account is a person's
// name and must not be logged.
func (d *Decision) Value() string {
	switch {
	case d.Account != "":
		return d.Account
	case d.Network.IsSingleIP():
		return d.Network.Addr().String()
	}
	return d.Network.String()
}

// stricter reports whether a counts before b.
func stricter(a, b *Decision) bool {
	if a.Type != b.Type {
		return a.Type > b.Type
	}
	return a.Until.After(b.Until)
}
