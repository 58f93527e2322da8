package daily

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"csmail/pkg/event"
)

// The counts do not depend on the clients and addresses that were found before: more
// come than there is room for, and each line by itself gives the same sum.
func TestKnownClientsAndAddresses(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	together, apart := NewFigures(), NewFigures()
	count := func(add func(*Figures)) {
		add(together)
		one := NewFigures()
		add(one)
		apart.Merge(one)
	}
	for i := range 2500 {
		addr := netip.AddrFrom4([4]byte{198, 18, byte(random.IntN(10)), byte(random.IntN(256))})
		if i%16 == 0 {
			addr = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 7: byte(random.IntN(256)), 15: 1})
		}
		name := []string{"unknown", "a.example", "mx.b.example"}[random.IntN(3)]
		reason := fmt.Sprintf("554 5.7.1 Helo command rejected: %d", random.IntN(4))
		m := &mail{sender: fmt.Sprintf("user%d@d%d.example", random.IntN(900), random.IntN(3)), size: 7, from: origin(random.IntN(3))}
		d := delivery{agent: []string{"lmtp", "smtp", "virtual"}[random.IntN(3)], recipient: m.sender, size: 7}
		count(func(f *Figures) { f.latest.connect(f.SMTPDClients, addr) })
		count(func(f *Figures) { f.latest.screen(f.ScreenClients, addr) })
		count(func(f *Figures) { f.disconnect("2026-06-01T07", &event.Flow{Client: name, Addr: addr}, 3) })
		count(func(f *Figures) {
			f.refuse(&event.Flow{Daemon: "smtpd", Action: event.Reject, Stage: "RCPT", Text: reason}, addr, "2026-06-01T07")
		})
		count(func(f *Figures) { f.receive(m, 1, "2026-06-01T07") })
		count(func(f *Figures) { f.deliver(&d, 1, "2026-06-01T07") })
		if i%5 == 0 { // a mail that turns out to be a filter's
			count(func(f *Figures) { f.receive(m, -1, "2026-06-01T07") })
			count(func(f *Figures) { f.deliver(&d, -1, "2026-06-01T07") })
		}
	}
	if diff := cmp.Diff(apart, together, cmpopts.IgnoreUnexported(Figures{}, Traffic{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-each line by itself +together):\n%.4000s", diff)
	}
}

func TestLowerNames(t *testing.T) {
	var n names
	for range 2 {
		for _, text := range []string{"", "a", "Bob@Example.org", "bob@example.org", "BOB@example.org", strings.Repeat("X", 300), "Bob@Example.orG"} {
			if got, want := n.lower(text), strings.ToLower(text); got != want {
				t.Errorf("the name of %q is %q, want %q", text, got, want)
			}
		}
	}
}
