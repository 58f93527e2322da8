package guard

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// scene is a log in the making. Times are offsets from its start.
type scene struct {
	log   []event.Record
	facts Facts
}

// eternity is when every wait is over.
var eternity = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

var sceneStart = time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)

func (s *scene) put(at time.Duration, addr string, r event.Record) {
	r.Time = sceneStart.Add(at)
	if addr != "" {
		r.Addr = netip.MustParseAddr(addr)
	}
	if r.Kind != event.NoKind {
		r.Outcome, r.Attempts = event.Noted, max(r.Attempts, 1)
	} else {
		r.Outcome = event.Witness
	}
	s.log = append(s.log, r)
}

func (s *scene) connect(at time.Duration, addr, name string) {
	s.put(at, addr, event.Record{Testimony: event.Connected, Event: event.Event{Service: event.Postfix, ClientName: name}})
}

func (s *scene) mail(at time.Duration, addr string) {
	s.put(at, addr, event.Record{Testimony: event.MailAccepted, Event: event.Event{Service: event.Postfix}})
}

func (s *scene) kind(at time.Duration, addr string, k event.Kind, reason string) {
	e := event.Event{Service: event.Postfix, Kind: k, Reason: reason}
	if strings.HasSuffix(reason, " after AUTH") { // as its grammar says
		e.Cause = event.LoginService
	}
	s.put(at, addr, event.Record{Event: e})
}

func (s *scene) fail(at time.Duration, addr, user string, service event.Service) {
	s.put(at, addr, event.Record{Event: event.Event{Service: service, Kind: event.AuthFailed, User: user}})
}

func (s *scene) login(at time.Duration, addr, user string) {
	s.put(at, addr, event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.LoginOK, User: user}})
}

// nameless is what a client whose name does not resolve gets.
func (s *scene) nameless(at time.Duration, addr string) {
	s.kind(at, addr, event.HostnameMismatch, "Name or service not known")
	s.connect(at, addr, "unknown")
	s.kind(at, addr, event.NoHostname, "Client host rejected: cannot find your hostname")
}

const attacker = "203.0.113.66"

// attack guesses at twelve accounts within six minutes.
func (s *scene) attack(at time.Duration) {
	for i := range 12 {
		s.fail(at+time.Duration(i)*30*time.Second, attacker, fmt.Sprint("victim", i), event.Postfix)
	}
}

// busy has clients with names connect, and bring mail, every few seconds.
func (s *scene) busy(from, to time.Duration) {
	for i, at := 0, from; at < to; i, at = i+1, at+3*time.Second {
		addr := fmt.Sprintf("198.51.100.%d", 1+i%200)
		s.connect(at, addr, "mail.example")
		if i%5 == 0 {
			s.mail(at+time.Second, addr)
		}
	}
}

// strictness is a naive scenario: how much of which classes is a finding.
type strictness struct {
	name     string
	needed   int
	leak     time.Duration
	suspects bool
}

var strictnesses = []strictness{
	{"3 hostile", 3, time.Hour, false},
	{"5 hostile", 5, time.Hour, false},
	{"5 of any", 5, time.Hour, true},
	{"strict", 1, 24 * time.Hour, true},
}

// play runs the log by a guard and a leaky bucket for each source, and returns
// who is banned.
func (s *scene) play(t *testing.T, how strictness, o Options) ([]string, []Verdict) {
	t.Helper()
	slices.SortStableFunc(s.log, func(a, b event.Record) int { return a.Time.Compare(b.Time) })
	p := &player{guard: New(s.facts, o), how: how, buckets: map[uint64]*bucket{}, banned: map[string]bool{}}
	for i := range s.log {
		p.step(&s.log[i])
	}
	p.rule(p.guard.Settle(eternity))
	return slices.Sorted(func(yield func(string) bool) {
		for addr := range p.banned {
			if !yield(addr) {
				return
			}
		}
	}), p.verdicts
}

type bucket struct {
	level       float64
	first, last time.Time
}

type player struct {
	guard    *Guard
	how      strictness
	buckets  map[uint64]*bucket
	banned   map[string]bool
	verdicts []Verdict
}

func (p *player) step(r *event.Record) {
	p.guard.Observe(r, false)
	class := r.Kind.Class()
	if r.Addr.IsValid() && (class == event.Hostile || class == event.Suspect && p.how.suspects) {
		p.pour(r)
	}
	p.rule(p.guard.Due(r.Time))
}

func (p *player) pour(r *event.Record) {
	b, known := p.buckets[keyOf(r.Addr)]
	if !known {
		b = &bucket{}
		p.buckets[keyOf(r.Addr)] = b
	}
	if b.level = max(0, b.level-r.Time.Sub(b.last).Hours()/p.how.leak.Hours()); b.level == 0 {
		b.first = r.Time
	}
	b.level += float64(r.Attempts)
	b.last = r.Time
	if b.level <= float64(p.how.needed-1) {
		return
	}
	f := Finding{
		Scenario: "csmail/naive", Scope: event.ScopeIP, Addr: r.Addr, Needed: p.how.needed, Leak: p.how.leak,
		First: b.first, Last: b.last,
	}
	b.level = 0
	p.note(f, p.guard.Decide(f, r.Time))
}

func (p *player) rule(rulings []Ruling) {
	for _, r := range rulings {
		p.note(r.Finding, r.Verdict)
	}
}

func (p *player) note(f Finding, v Verdict) {
	p.verdicts = append(p.verdicts, v)
	if v.Action == Ban {
		p.banned[f.Addr.String()] = true
	}
}

// expect plays the scene in every strictness.
func (s *scene) expect(t *testing.T, bans func(strictness) []string) {
	t.Helper()
	for _, how := range strictnesses {
		got, verdicts := s.play(t, how, Options{})
		want := slices.Sorted(slices.Values(bans(how)))
		if !slices.Equal(got, want) {
			missing := slices.DeleteFunc(slices.Clone(want), func(a string) bool { return slices.Contains(got, a) })
			wrong := slices.DeleteFunc(slices.Clone(got), func(a string) bool { return slices.Contains(want, a) })
			t.Errorf("%s: wrongly banned %s, not banned %s\n%s", how.name, some(wrong), some(missing), reasons(verdicts))
		}
	}
}

func some(addrs []string) string {
	if len(addrs) > 5 {
		return fmt.Sprintf("%d, as %v", len(addrs), addrs[:5])
	}
	return fmt.Sprint(addrs)
}

func reasons(verdicts []Verdict) string {
	counts := map[string]int{}
	for _, v := range verdicts {
		counts[fmt.Sprintf("%s %s: %s", v.Action, v.Rule, v.Reason)]++
	}
	var lines []string
	for text, n := range counts {
		lines = append(lines, fmt.Sprintf("  %4d %s", n, text))
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Compare(b, a) })
	return strings.Join(lines[:min(len(lines), 12)], "\n")
}

func onlyAttacker(strictness) []string { return []string{attacker} }
