package render

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
)

func source(addr string, tries int, last string, users ...string) *report.Source {
	at, err := time.Parse(time.RFC3339, last)
	if err != nil {
		panic(err)
	}
	return &report.Source{
		Addr: netip.MustParseAddr(addr), Count: tries, First: at, Last: at, Users: users,
		Kinds: []event.Count{{Name: "no-auth", N: 1}, {Name: "auth-failed", N: tries - 1}},
	}
}

// The screen at 80 columns: the totals, then one line a source.
func TestSources(t *testing.T) {
	banned := source("203.0.113.7", 12, "2026-06-03T04:11:09Z", "bob@example.org", "alice@example.org", "eve")
	banned.Verdict, banned.By = guard.Verdict{Action: guard.Ban}, "csmail/auth-bf"
	held := source("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 9, "2026-06-03T04:12:00Z", "a b\x1bc")
	held.Verdict = guard.Verdict{Action: guard.Hold, Rule: guard.LoginOutage, Reason: "our login service is in trouble"}
	told := source("192.0.2.200", 3, "2025-12-31T23:59:00Z")
	told.Verdict, told.By = guard.Verdict{Action: guard.Alert}, "mine/own"
	sources := []*report.Source{banned, held, told, source("192.0.2.9", 2, "2026-01-01T00:00:00Z")}
	tests := map[string]struct {
		sort Order
		top  int
		want string
	}{
		"all": {ByTries, 0, `4 sources, 26 tries, 1 ban, 1 hold, 1 alert, 1 none
Source       Tries  What            Users        Last seen     Verdict
203.0.113.7     12  auth-failed +1  alice@e… +2  Jun  3 04:11  ban auth-bf
2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff
                 9  auth-failed +1  a?b?c        Jun  3 04:12  hold login-outage
192.0.2.200      3  auth-failed +1               Dec 31  2025  alert mine/own
192.0.2.9        2  no-auth +1                   Jan  1 00:00  none
`},
		"the one seen last": {ByLast, 1, `4 sources, 26 tries, 1 ban, 1 hold, 1 alert, 1 none
Source  Tries  What            Users  Last seen     Verdict
2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff
            9  auth-failed +1  a?b?c  Jun  3 04:12  hold login-outage
and 3 more sources; --all shows them
`},
		"most names": {ByUsers, 2, `4 sources, 26 tries, 1 ban, 1 hold, 1 alert, 1 none
Source       Tries  What            Users        Last seen     Verdict
203.0.113.7     12  auth-failed +1  alice@e… +2  Jun  3 04:11  ban auth-bf
2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff
                 9  auth-failed +1  a?b?c        Jun  3 04:12  hold login-outage
and 2 more sources; --all shows them
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Sources(&out, Sort(sources, tt.sort), Overview{Top: tt.top, Zone: time.UTC}, Screen{}); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%swant\n%s", out.String(), tt.want)
			}
		})
	}
}

// Whatever the sources are called and did, no line is wider than 80 columns, and each
// address stands there whole.
func TestSourcesFit(t *testing.T) {
	kinds := []string{"auth-failed", "hostname-mismatch", "recipient-unknown", "no-auth"}
	rules := []guard.Rule{guard.NeverListed, guard.TooManyGood, guard.LoginOutage}
	rapid.Check(t, func(t *rapid.T) {
		var sources []*report.Source
		for i := range rapid.IntRange(1, 5).Draw(t, "sources") {
			var bytes16 [16]byte
			copy(bytes16[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr"))
			s := source("192.0.2.1", rapid.IntRange(1, 999_999).Draw(t, "tries"), "2026-06-03T04:11:09Z", rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "users")...)
			if s.Addr = netip.AddrFrom16(bytes16).Unmap(); i%2 == 0 {
				s.Addr = netip.AddrFrom4([4]byte(bytes16[:4]))
			}
			s.Kinds[1].Name = rapid.SampledFrom(kinds).Draw(t, "kind")
			s.Verdict = guard.Verdict{Action: guard.Hold, Rule: rapid.SampledFrom(rules).Draw(t, "rule")}
			sources = append(sources, s)
		}
		var out bytes.Buffer
		if err := Sources(&out, sources, Overview{Zone: time.UTC}, Screen{Terminal: true, Columns: 80}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if width := text.RuneWidthWithoutEscSequences(strings.TrimSuffix(line, "\n")); width > 80 {
				t.Fatalf("%d columns: %q", width, line)
			}
		}
		for _, s := range sources {
			if !strings.Contains(out.String(), fmt.Sprint("\n", s.Addr)) {
				t.Fatalf("no %s in\n%s", s.Addr, out.String())
			}
		}
	})
}
