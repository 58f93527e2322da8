package session

import (
	"fmt"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// Relays joins the reports of a Dovecot proxy and of the server behind it about one login if
// each of them is on another edge of a site, joined by itself. For example,
// in a site of front and back:
//
//	back  imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): … session=<u1Dl>
//	front imap-login: proxy(bob,198.51.100.5:143): Login failed: [AUTHENTICATIONFAILED] … session=<u1Dl>
//
// The line that comes first counts. It goes by the session's ID, the client's address and the
// account, as a Joiner does that reads both. Attempts of one edge are deducted only from those of
// another: its own lines are joined. So an edge in the hands of an attacker spares nobody
// without accusing him as often, except of a login that its csmail has refused.
//
// An end that waited for its reason (crossed.go) comes after its wait. Then the other host's
// line may count in its place. Use it from one goroutine at a time.
type Relays struct {
	known *fifoMap[loginKey, siteRelayed] // by site and session
}

// siteRelayed are the reports of the edges of a site about a connection.
type siteRelayed struct {
	addr   address
	user   event.AccountHash // of the last attempt
	server edgeAttempts      // that the proxy has yet to report
	proxy  edgeAttempts      // that the server has yet to report
}

// edgeAttempts are attempts that the latest edge reported.
type edgeAttempts struct {
	edge uint64
	n    int
}

// maxRelayed is the number of connections that are remembered. The lines about one attempt
// are written within moments of each other.
const maxRelayed = 4096

// NewRelays returns a Relays that knows no connection.
func NewRelays() *Relays { return &Relays{newFIFOMap[loginKey, siteRelayed](maxRelayed)} }

// MayRelay reports whether [Relays.Join] takes notice of a record.
func MayRelay(r *event.Record) bool {
	return r.Service == event.Dovecot && (r.Kind == event.AuthFailed || r.Kind == event.OwnRefusal) && r.Session != "" && r.Attempts > 0
}

// Join takes the records of the edges of all sites in one order. The origin of each names its
// site as host, and its edge. It lowers the attempts of r by those that another edge of the
// site has reported, and reports whether none is left. The key hashes the accounts, and must
// always be the same.
func (j *Relays) Join(r *event.Record, key *event.HashKey) bool {
	if !MayRelay(r) {
		return false
	}
	s := j.known.getOrPut(loginKeyOf(r))
	addr, user, edge := addressOf(r.Addr), r.AccountUnder(key), r.From().Edge
	if s.addr != addr || !s.user.IsZero() && !user.IsZero() && !s.user.Is(user) {
		*s = siteRelayed{addr: addr}
	}
	if !user.IsZero() {
		s.user = user
	}
	switch {
	case r.Kind == event.OwnRefusal:
		s.server.add(edge, r.Attempts)
		return false
	case r.Cause != event.Relayed:
		s.proxy.deductFrom(r, edge)
		s.server.add(edge, r.Attempts)
	case r.Phase == event.Attempt:
		s.server.deductFrom(r, edge)
		s.proxy.add(edge, r.Attempts)
	case s.server.n > 0 && s.server.edge != edge: // the end of the connection counts one, whatever their number
		s.server.n, r.Attempts = 0, 0
	default:
		s.proxy.add(edge, r.Attempts)
	}
	return r.Attempts <= 0
}

func (a *edgeAttempts) add(edge uint64, n int) {
	if a.edge != edge {
		*a = edgeAttempts{edge: edge}
	}
	a.n += n
}

// deductFrom deducts the attempts of another edge from r.
func (a *edgeAttempts) deductFrom(r *event.Record, edge uint64) {
	if a.edge != edge {
		deduct(&a.n, r)
	}
}

// Encode writes or reads the state. A Relays that is read must be new.
func (j *Relays) Encode(c *wire.Codec) {
	own := &codec{*c, snapshotVersion}
	entries(own, j.known, own.loginKey, func(s *siteRelayed) {
		own.address(&s.addr)
		own.account(&s.user)
		own.Fixed(&s.server.edge, &s.proxy.edge)
		own.SignedInts(&s.server.n, &s.proxy.n)
	})
	*c = own.Codec
	if c.Err != nil {
		c.Err = fmt.Errorf("the relayed logins of sites: %w", c.Err)
	}
}
