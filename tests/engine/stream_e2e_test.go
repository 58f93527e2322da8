//go:build e2e

package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// template is a log line without stamp and host, in which every 192.0.2.1
// stands for the client and every a@example.org for the user. Weight says how
// often it comes.
type template struct {
	text   string
	weight int
}

// templates are an example of each kind, and more of those that scenarios count.
func templates() []template {
	list := []template{
		{`postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=a@example.org`, 40},
		{`postfix/submission/smtpd[42]: warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: authentication failure, sasl_username=a@example.org`, 10},
		{`dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a@example.org>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>`, 40},
		{`dovecot: imap-login: Disconnected (auth failed, 3 attempts in 12 secs): user=<a@example.org>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>`, 5},
		{`dovecot: auth: passwd-file(a@example.org,192.0.2.1,<s>): unknown user`, 5},
		{`postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 550 5.1.1 <a@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`, 5},
		{`sshd[42]: Failed password for a@example.org from 192.0.2.1 port 4711 ssh2`, 25},
		{`dovecot: auth-worker(42): pam(a@example.org,192.0.2.1,<s>): pam_authenticate() failed: Authentication failure (password mismatch?)`, 10},
	}
	for _, k := range event.Kinds() {
		weight := 4
		if k == event.LoginOK || k == event.Pregreet {
			weight = 8
		}
		list = append(list, template{k.Example(), weight})
	}
	return list
}

// fill returns the event of the template's line for a client and a user.
func (p template) fill(t *testing.T, source netip.Addr, user string) *event.Event {
	t.Helper()
	text := strings.NewReplacer("192.0.2.1", source.String(), "a@example.org", user).Replace(p.text)
	e, ok := parse(text)
	if !ok {
		t.Fatalf("no event: %s", text)
	}
	return e
}

// stream is a seeded series of events whose times come off the multiples of
// every leak speed, and now and then are equal.
type stream struct {
	rand      *rand.Rand
	templates []template
	weights   int
	sources   []netip.Addr
	users     []string
}

func newStream(seed uint64) *stream {
	s := &stream{
		rand:      rand.New(rand.NewPCG(seed, seed)),
		templates: templates(),
		users: []string{
			"info@example.org", "Info@example.org", "admin@example.org", "test@example.com", "anna@example.org",
			"bert@example.org", "clara@example.org", "dora", "emil@example.net", "postmaster@example.org",
		},
	}
	for _, t := range s.templates {
		s.weights += t.weight
	}
	for i := range 24 {
		s.sources = append(s.sources, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
	}
	for i := range 8 {
		s.sources = append(s.sources, netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}))
		s.sources = append(s.sources, netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%d::%x", i%2, i+1)))
	}
	return s
}

// events returns n events over about the given span.
func (s *stream) events(t *testing.T, n int, span time.Duration) []*event.Event {
	t.Helper()
	now := time.Date(2026, 3, 1, 0, 0, 0, 1, time.UTC)
	events := make([]*event.Event, 0, n)
	for len(events) < n {
		if s.rand.IntN(10) > 0 {
			now = now.Add(time.Duration(s.rand.ExpFloat64() * float64(span) / float64(n)))
		}
		events = append(events, s.event(t, now))
	}
	return events
}

func (s *stream) event(t *testing.T, now time.Time) *event.Event {
	t.Helper()
	source := s.sources[min(s.rand.IntN(len(s.sources)), s.rand.IntN(len(s.sources)))] // some come more often
	user := s.users[s.rand.IntN(len(s.users))]
	e := s.pick().fill(t, source, user)
	e.Time = now
	return e
}

func (s *stream) pick() template {
	at := s.rand.IntN(s.weights)
	for _, t := range s.templates {
		if at -= t.weight; at < 0 {
			return t
		}
	}
	panic("weights")
}

// parse reads one line without stamp and host.
func parse(text string) (*event.Event, bool) {
	var r event.Record
	engine.Parse(logline.Line{Text: "2026-03-01T00:00:00Z mx1 " + text, Zone: time.UTC}, &r)
	return &r.Event, r.Outcome == event.Noted
}

// recorded returns the events of a recorded log, without those that an earlier
// line has told of.
func recorded(t *testing.T, path string) []*event.Event {
	t.Helper()
	var events []*event.Event
	core := engine.New(engine.Options{})
	for i, text := range logLines(t, path) {
		r := new(event.Record)
		engine.Parse(logline.Line{Text: text, Received: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Zone: time.UTC, Number: int64(i + 1)}, r)
		if result := core.Step(r); r.Outcome == event.Noted && !result.Folded {
			events = append(events, &r.Event)
		}
	}
	if len(events) == 0 {
		t.Fatalf("%s holds no event", path)
	}
	return events
}

func logLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
