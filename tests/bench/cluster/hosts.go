package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
	"csmail/pkg/wire"
)

// hosts are the simulated edges.
type hosts struct {
	names []string
	edges []*edge
	dice  *rand.Rand
	rate  int
	now   time.Time

	attackers int
}

type edge struct {
	join  *engine.Edge
	next  uint64
	facts []wire.Fact
}

// sent is a batch as an edge sends it.
type sent struct {
	host  string
	data  []byte
	facts int
}

func newHosts(o options) *hosts {
	h := &hosts{dice: rand.New(rand.NewPCG(1, 2)), rate: o.rate, attackers: o.attackers, now: time.Now().UTC().Truncate(time.Second)}
	for i := range o.edges {
		h.names = append(h.names, fmt.Sprintf("mx%04d", i))
		h.edges = append(h.edges, &edge{join: engine.NewEdge(event.HashKey{})})
	}
	return h
}

// second returns what the hosts send in the next second, a batch each.
func (h *hosts) second() []sent {
	var all []sent
	for i, e := range h.edges {
		for k := 0; len(e.facts) < h.rate; k++ {
			at := h.now.Add(time.Duration(k) * time.Second / time.Duration(2*h.rate))
			var r event.Record
			engine.Parse(logline.Line{Text: at.Format("2006-01-02T15:04:05.000000Z07:00 ") + h.names[i] + " " + h.line(), Received: at, Zone: time.UTC}, &r)
			_, e.facts = e.join.Take(&r, e.facts)
		}
		e.facts = e.join.Reach(h.now.Add(time.Second), e.facts)
		b := &wire.Batch{Epoch: 1, First: e.next, Sent: h.now, Through: h.now.Add(time.Second), Facts: e.facts}
		all = append(all, sent{h.names[i], wire.AppendBatch(nil, b), len(e.facts)})
		e.next = b.Next()
		e.facts = e.facts[:0]
	}
	h.now = h.now.Add(time.Second)
	return all
}

// line returns a line of the shares that travel of a real mix: a quarter are clients with a
// verified name, a third offences, the rest mail and logins of honest clients.
func (h *hosts) line() string {
	pid := 1000 + h.dice.IntN(30000)
	switch n := h.dice.IntN(100); {
	case n < 26:
		c := h.dice.IntN(200_000)
		return fmt.Sprintf("postfix/smtpd[%d]: connect from mail%d.example.net[198.%d.%d.%d]", pid, c, 18+c>>16&1, c>>8&255, c&255)
	case n < 48:
		return fmt.Sprintf("dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<user%d@example.org>, method=PLAIN, rip=%s, lip=192.0.2.25, TLS, session=<%x>", h.dice.IntN(5000), h.attacker(), h.dice.Uint64())
	case n < 61:
		return fmt.Sprintf("postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <a%d@example.com>: Relay access denied; from=<b@example.com> to=<a%d@example.com> proto=ESMTP helo=<x>", pid, h.attacker(), pid, pid)
	case n < 88:
		c := h.dice.IntN(200_000)
		return fmt.Sprintf("postfix/smtpd[%d]: %011X: client=mail%d.example.net[198.%d.%d.%d]", pid, h.dice.Uint64()>>20, c, 18+c>>16&1, c>>8&255, c&255)
	}
	u := h.dice.IntN(100_000)
	return fmt.Sprintf("dovecot: imap-login: Login: user=<user%d@example.org>, method=PLAIN, rip=100.%d.%d.%d, lip=192.0.2.25, mpid=%d, TLS, session=<%x>", u, 128+u>>16, u>>8&255, u&255, pid, h.dice.Uint64())
}

// attacker returns one of the addresses that guess.
func (h *hosts) attacker() string {
	n := h.dice.IntN(min(h.attackers, 4_000_000))
	return fmt.Sprintf("%d.%d.%d.%d", 101+n>>16&63, n>>14&255, n>>6&255, n&63<<2|1)
}
