package guard

import (
	"cmp"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// Options are the limits of the rules. A zero value takes the default, which is in
// brackets. docs/safety.md explains each under its key in the configuration.
type Options struct {
	// HashKey is the secret for the hashes of account names. A restored state brings its
	// own.
	HashKey event.HashKey

	// ProviderNames are suffixes of verified client names whose hosts are proven. For
	// example, "provider.example" covers itself and all names below it. [none]
	ProviderNames []string

	LoginProves     time.Duration // how long a login proves its source [336h]
	MailDays        int           // on how many of the last 30 days mail must have been taken from a source to prove it [3]
	StalePerHour    int           // failures an hour on one account that a proven source may have [10]
	UnnamedPerHour  int           // failures an hour without a user name that a recent login outweighs [120]
	SprayedAccounts int           // number of accounts from which on no outage excuses a source [10]

	// SharedAccounts is the number of accounts that log in from a source, for a day or
	// longer, from which on a person decides about its ban. [10]
	SharedAccounts int

	// Typing is the number of failures on one account up to which a new source may be a
	// person who mistypes. TypingTime is how long the guard then waits for the right
	// password after the last failure. [5, 5m]
	Typing     int
	TypingTime time.Duration

	// FirstContact is how long the guard waits for a login before it bans a source for
	// suspect kinds right after its first offence. [1m]
	FirstContact time.Duration

	// ResolverQuiet is the longest time between two clients with a verified name
	// for which the resolver counts as working, ListQuiet the longest between two
	// mails taken from others for which block lists do. [30m, 2h]
	ResolverQuiet time.Duration
	ListQuiet     time.Duration

	FaultLasts   time.Duration // how long a fault holds at least [2m]
	FaultSilence time.Duration // how long a fault holds while no client gets in [30m]

	VisitsPerHour int // empty visits an hour that no monitoring makes [600]
	BansPerHour   int // [2000]
	GoodShare     int // percent of a day's successful clients that may be banned on that day; at least one [2]
	MaxSources    int // sources remembered [100000]
	MaxPending    int // findings that wait for evidence [4096]
	MaxSites      int // hosts, or groups of them, of whose own services something is known [512]

	// Foreign is set if the hosts do not trust each other: a proof that one of them reports
	// weighs on others only under conditions; see witness.
	Foreign bool
}

const (
	minute = uint32(60)
	hour   = 60 * minute
	day    = 24 * hour
)

// limits are the Options in seconds and with defaults.
type limits struct {
	providers                                         []string
	login, typingTime, firstContact                   uint32 // seconds
	resolverQuiet, listQuiet, faultLasts, faultQuiet  uint32
	mailDays, stale, unnamed, sprayed, shared, typing int
	visits, bans, share, sources, pending, sites      int
	foreign                                           bool
}

func (o Options) limits() limits {
	l := limits{
		login:         seconds(o.LoginProves, 14*day),
		typingTime:    seconds(o.TypingTime, 5*minute),
		firstContact:  seconds(o.FirstContact, minute),
		resolverQuiet: seconds(o.ResolverQuiet, 30*minute),
		listQuiet:     seconds(o.ListQuiet, 2*hour),
		faultLasts:    seconds(o.FaultLasts, 2*minute),
		faultQuiet:    seconds(o.FaultSilence, 30*minute),
		mailDays:      cmp.Or(o.MailDays, 3),
		stale:         cmp.Or(o.StalePerHour, 10),
		unnamed:       cmp.Or(o.UnnamedPerHour, 120),
		sprayed:       cmp.Or(o.SprayedAccounts, 10),
		shared:        cmp.Or(o.SharedAccounts, 10),
		typing:        cmp.Or(o.Typing, 5),
		visits:        cmp.Or(o.VisitsPerHour, 600),
		bans:          cmp.Or(o.BansPerHour, 2000),
		share:         cmp.Or(o.GoodShare, 2),
		sources:       cmp.Or(o.MaxSources, 100_000),
		pending:       cmp.Or(o.MaxPending, 4096),
		sites:         o.MaxSites,
		foreign:       o.Foreign,
	}
	for _, name := range o.ProviderNames {
		if name = strings.ToLower(strings.Trim(name, ".")); name != "" {
			l.providers = append(l.providers, name)
		}
	}
	return l
}

// health returns the limits of the rules about the host's own services.
func (l *limits) health() health.Limits {
	return health.Limits{ResolverQuiet: l.resolverQuiet, ListQuiet: l.listQuiet, FaultLasts: l.faultLasts, FaultSilence: l.faultQuiet, Sites: l.sites}
}

func seconds(d time.Duration, otherwise uint32) uint32 {
	if d <= 0 {
		return otherwise
	}
	return uint32(min(d/time.Second, 1<<31))
}
