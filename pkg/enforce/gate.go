// Package enforce answers the one question of all doors: may this client, with this
// account, come in? It looks into the table of decisions, excepts the addresses that are
// never refused, and remembers its refusals, so that the log lines about them do not
// count as offences. The doors are packages below it, one for each protocol: authpolicy
// (Dovecot), policyd (Postfix), socketmap (postscreen), dnsbl.
//
// Every door fails open: whatever is wrong with csmail, the mail server goes on as if
// there were no csmail. A question takes no lock, logs nothing and never waits; a refusal
// takes a short lock to be remembered. The package parses no protocol and never decides
// that a client is hostile.
package enforce

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"csmail/pkg/decision"
	"csmail/pkg/event"
)

// Door is where a client is stopped.
type Door uint8

// The doors.
const (
	AuthPolicy Door = iota
	Policy
	Socketmap
	DNSBL
	doorCount
)

var doorNames = [...]string{AuthPolicy: "auth-policy", Policy: "policy", Socketmap: "socketmap", DNSBL: "dnsbl"}

// String names the door, as metrics and csmail enforce status show it.
func (d Door) String() string { return doorNames[d] }

// Query is a client at a door.
type Query struct {
	Door    Door
	Addr    netip.Addr
	Port    int    // of the client, 0 if unknown
	Account string // as the client sent it; "" before a login
	Service string // service that the client uses: "smtp", "imap", "submission" …, for figures
	Session string // Dovecot's of the login, "" if there is none
	PID     int    // of Postfix's smtpd, 0 if unknown
	Test    bool   // a probe by csmail itself, which is not remembered
}

// Action is the answer of a door.
type Action uint8

// The actions.
const (
	Pass   Action = iota
	Defer         // a captcha decision: mail programs know none, so try later
	Refuse        // a ban
)

var actionNames = [...]string{Pass: "pass", Defer: "defer", Refuse: "refuse"}

// String names the action.
func (a Action) String() string { return actionNames[a] }

// Verdict is the answer to a query. With an action other than Pass it holds the text for
// the client: ASCII, one line, at most MaxText bytes.
type Verdict struct {
	Action   Action
	Decision decision.Decision
	Text     string
}

// MaxText bounds the text for a client, in bytes. Postfix neither cuts nor folds the text
// of a policy server (smtpd_check.c, 3.7), and a reply has room for 512 octets (RFC 5321
// section 4.5.3.1.5).
const MaxText = 200

// Options of a Gate. They may be changed while doors are open.
type Options struct {
	DryRun   bool   // refuse no client; count and remember the refusals that there would have been
	Accounts bool   // decisions on accounts count, too
	Contact  string // address or URL to write to

	// Types that are acted on; nil: ban and captcha.
	Types []decision.Type

	// Never reports whether an address is never refused, and why; nil: only addresses
	// that no client on the Internet has. It must be safe for concurrent use.
	Never func(netip.Addr) (reason string, never bool)

	// Abroad reports whether a login to an account comes from a country that it never
	// came from, and is refused for it; nil: no login is. It must be safe for concurrent
	// use.
	Abroad func(account string, addr netip.Addr, at time.Time) bool
}

// Gate answers for all doors. Its methods are safe for concurrent use.
type Gate struct {
	table    *decision.Table
	options  atomic.Pointer[Options]
	now      func() time.Time
	refusals *Refusals
	figures  figures
	probes   probes
}

// NewGate returns a gate before a table. Now is time.Now if nil.
func NewGate(t *decision.Table, o Options, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	g := &Gate{table: t, now: now, refusals: NewRefusals()}
	g.Set(o)
	return g
}

// Set changes the options.
func (g *Gate) Set(o Options) {
	o.Contact = printable(o.Contact)
	g.options.Store(&o)
}

// Refusals returns the latest refusals.
func (g *Gate) Refusals() *Refusals { return g.refusals }

// Ask answers a query.
func (g *Gate) Ask(q Query) Verdict {
	began := time.Now()
	v := g.judge(&q)
	g.figures.asked(q.Door, q.Addr, time.Since(began))
	if v.Action == Pass {
		return v
	}
	o := g.options.Load()
	if q.Test {
		return v
	}
	at := g.now()
	g.figures.refused(q, v, o.DryRun, at)
	if o.DryRun {
		return Verdict{Action: Pass, Decision: v.Decision}
	}
	g.refusals.Add(Refusal{
		At: at, Door: q.Door, Addr: q.Addr, Account: q.Account, Session: q.Session, PID: q.PID,
		OfAccount: v.Decision.Account != "", ID: v.Decision.ID, Action: v.Action, Service: q.Service,
	})
	return v
}

// judge returns the decision that applies. If the address is never refused, neither is
// any account from there, because it may be the office, or its webmail.
func (g *Gate) judge(q *Query) Verdict {
	q.Addr = q.Addr.Unmap().WithZone("")
	if d, found := g.probed(q); found {
		return g.verdict(d)
	}
	o, now := g.options.Load(), g.now()
	d, found := g.table.Lookup(q.Addr, now)
	if o.Accounts && q.Account != "" {
		if of, ok := g.table.LookupAccount(q.Account, now); ok && (!found || of.Type > d.Type) {
			d, found = of, true
		}
	}
	if !found || !o.acts(d.Type) {
		return o.abroad(q, now)
	}
	if _, never := o.never(q.Addr); never {
		g.figures.spared.Add(1)
		return Verdict{}
	}
	return g.verdict(d)
}

// CountryOrigin is the origin of refusals for a country that an account never came from,
// which no decision of the LAPI asked for.
const CountryOrigin = "csmail-country"

// abroad refuses a login from a country that the account never came from.
func (o *Options) abroad(q *Query, now time.Time) Verdict {
	if q.Account == "" || o.Abroad == nil || !q.Addr.IsValid() {
		return Verdict{}
	}
	if _, never := o.never(q.Addr); never || !o.Abroad(q.Account, q.Addr, now) {
		return Verdict{}
	}
	d := decision.Decision{Type: decision.Ban, Account: q.Account, Origin: CountryOrigin}
	return Verdict{Action: Refuse, Decision: d, Text: withContact(event.OwnMarker+": no login to this account from this country", o.Contact)}
}

func (o *Options) acts(t decision.Type) bool {
	if o.Types == nil {
		return t != decision.Other
	}
	for _, one := range o.Types {
		if one == t {
			return true
		}
	}
	return false
}

// never reports why an address is never refused. An address that no client can have is
// one of them, since a decision on it is a mistake.
func (o *Options) never(addr netip.Addr) (string, bool) {
	switch {
	case !addr.IsValid():
		return "", false // only an account is known
	case addr.IsLoopback():
		return "loopback address", true
	case addr.IsUnspecified(), addr.IsLinkLocalUnicast(), addr.IsMulticast():
		return "address of no client", true
	case o.Never == nil:
		return "", false
	}
	return o.Never(addr)
}

// Never reports whether an address is never refused, and why.
func (g *Gate) Never(addr netip.Addr) (reason string, never bool) {
	return g.options.Load().never(addr.Unmap().WithZone(""))
}

func (g *Gate) verdict(d decision.Decision) Verdict {
	v := Verdict{Action: Refuse, Decision: d}
	if d.Type == decision.Captcha {
		v.Action = Defer
	}
	v.Text = text(&d, g.options.Load().Contact)
	return v
}

// text returns the reply for a client. It begins with the words by which csmail
// recognises its own refusals in the log ([event.OwnMarker]). Only the number in it comes
// from the LAPI.
func text(d *decision.Decision, contact string) string {
	about := "your address"
	if d.Account != "" {
		about = "this account"
	}
	return withContact(fmt.Sprintf("%s %d on %s", event.OwnMarker, d.ID, about), contact)
}

func withContact(text, contact string) string {
	if contact != "" {
		text += "; questions: " + contact
	}
	return text[:min(len(text), MaxText)]
}

// printable removes characters that must not be in a reply line, a JSON text or a TXT
// record.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
