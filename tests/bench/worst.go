package main

import (
	"fmt"
	"strings"
	"time"
)

// The worst that an attacker can make a host log to keep csmail busy, each part for
// itself. Nothing may cost more a line the more of it there is.

// addresses is how many addresses an attacker has.
const addresses = 50_000

// stranger returns the n-th of 131,072 addresses of the network for benchmarks
// (RFC 2544).
func stranger(n int) string {
	return fmt.Sprintf("198.%d.%d.%d", 18+n>>16, n>>8&255, n&255)
}

// failed is a failed login at Postfix.
func (g *generator) failed(address, user string) {
	g.line("postfix/submission/smtpd", "warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=%s", address, user)
}

// crowd are 50,000 addresses that guess in turn, six times within five minutes, each at an
// account of its own: no two lines that follow each other are of the same client, and each
// may be a person who mistypes. An hour later the next 50,000 come.
func (g *generator) crowd(lines int) { g.guessInTurn(lines, 2*addresses) }

// manySources are the same with 5,000 accounts: each has ten attackers at a time.
func (g *generator) manySources(lines int) { g.guessInTurn(lines, addresses/10) }

func (g *generator) guessInTurn(lines, accounts int) {
	const guesses = 6
	for n := 0; g.lines < lines; n++ {
		if n%(guesses*addresses) == 0 {
			g.at = g.at.Add(time.Hour)
		}
		g.at = g.at.Add(time.Millisecond)
		g.pid = 1000 + n%400
		source := n%addresses + n/(guesses*addresses)%2*addresses
		g.failed(stranger(source), fmt.Sprintf("user%d@example.org", source%accounts))
	}
}

// waitingSources are 4,096 /64 with ten unknown recipients each, so that as many
// findings wait, and each goes on.
func (g *generator) waitingSources(lines int) {
	for n := 0; g.lines < lines; n++ {
		g.at = g.at.Add(time.Millisecond)
		g.pid = 1000 + n%400
		client := fmt.Sprintf("unknown[2001:db8:%x:%x::%x]", n%4096>>8, n%4096&255, n/4096+1)
		g.line("postfix/smtpd", "NOQUEUE: reject: RCPT from %s: 550 5.1.1 <name%d@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<a@example.com> to=<name%d@example.org> proto=ESMTP helo=<host.example.com>",
			client, n, n)
	}
}

// newNames is a name that was never seen before in every line, of users, hosts and
// senders.
func (g *generator) newNames(lines int) {
	for n := 0; g.lines < lines; n++ {
		g.at = g.at.Add(5 * time.Millisecond)
		g.pid = 1000 + n%400
		address := stranger(g.random.IntN(addresses))
		g.failed(address, fmt.Sprintf("%016x@%08x.example", g.random.Uint64(), g.random.Uint32()))
		g.line("postfix/smtpd", "NOQUEUE: reject: RCPT from %x.example.net[%s]: 554 5.7.1 <%x@example.com>: Relay access denied; from=<%x@example.com> to=<%x@example.com> proto=ESMTP helo=<%x>",
			g.random.Uint64(), address, n, g.random.Uint64(), n, g.random.Uint64())
	}
}

// longFields are names as long as a daemon logs them: Postfix cuts a line at 2,000
// bytes.
func (g *generator) longFields(lines int) {
	long := strings.Repeat("x", 640)
	for n := 0; g.lines < lines; n++ {
		g.at = g.at.Add(5 * time.Millisecond)
		g.pid = 1000 + n%400
		address := stranger(g.random.IntN(addresses))
		switch n % 3 {
		case 0:
			g.failed(address, fmt.Sprintf("%s%d", long, n))
		case 1:
			g.line("dovecot", "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<%s%d>, method=PLAIN, rip=%s, lip=192.0.2.1, TLS, session=<%x>", long, n, address, n)
		default:
			g.line("postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 504 5.5.2 <%s%d>: Helo command rejected: need fully-qualified hostname; from=<%s@example.com> to=<user@example.org> proto=ESMTP helo=<%s%d>",
				address, long, n, long, long, n)
		}
	}
}

// collidingNames are names that all have the same 64-bit FNV-1a hash: a table with
// that hash and no key of its own finds them all in one place.
func (g *generator) collidingNames(lines int) {
	for n := 0; g.lines < lines; n++ {
		g.at = g.at.Add(50 * time.Millisecond)
		g.pid = 1000 + n%400
		g.failed(stranger(n%512), colliding(n))
	}
}

// colliding returns the n-th of many names. Whichever of two pieces is taken, the
// hash of what stands before the next piece is the same (Joux, Multicollisions, 2004);
// the pieces were found by searching for equal hashes, a few seconds each.
func colliding(n int) string {
	var name strings.Builder
	for i, pair := range collisions {
		name.WriteString(pair[n>>i&1])
	}
	return name.String()
}

var collisions = [...][2]string{
	{"fg0mzjjkc4hcf", "2kceapf4nd3c_"},
	{"e3hpayomapbaa", "nrqtovd5sq3cv"},
	{"aunpjpwcp1sba", "ohvvjvypw1ud4"},
	{"bbtz2i0uuybaa", "fuswqbrtxqpa4"},
	{"uhe0efgfpdgdq", "qggpqcghpeec_"},
	{"sinji4orpa3ca", "k2ouqrwjdokbc"},
	{"zgjxkgls2lndc", "isjjsbmb3mvb_"},
	{"gsfemfwpu1sda", "q0orhw5qlipby"},
	{"3zbgsyi4j0fdm", "okohevyb4aud-"},
	{"xertnbyvvquda", "nfu3lhslr2ndj"},
	{"fvps0llffxidf", "v1v0zx2cxdga8"},
	{"gez0exbid2oda", "zdvfg3sblkmax"},
	{"gnazah45mkdaa", "wfciluurgdocf"},
	{"440o225simdbc", "5p0smo3uynyc-"},
}
