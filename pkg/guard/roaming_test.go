package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// A phone with an old password roams in a network in which others fail, too. A few of them
// do not make it a botnet; what they did is kept. More of them do.
func TestRoamingAmongOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		phone, others int
		account       string // of the others; %d: the number of each
		again         int    // failures of each of the others
		login         bool   // the phone's owner logs in elsewhere
		hourly        int    // failures of the phone an hour
		action        Action
		reason        string
		kept          int
	}{
		"alone":                     {15, 0, "", 1, true, 6, Hold, "all failures are on one account, which logs in elsewhere, and at most 6 an hour: so does a phone with an old password", 0},
		"and one guess":             {14, 1, "admin", 1, true, 6, Hold, "all failures but those of 1 address are on one account, which logs in elsewhere, and at most 6 an hour: so does a phone with an old password", 1},
		"and five who mistype":      {10, 5, "user%d", 3, true, 6, Hold, "all failures but those of 5 addresses are on one account, which logs in elsewhere, and at most 6 an hour: so does a phone with an old password", 5},
		"and six":                   {9, 6, "user%d", 1, true, 6, Ban, "15 attempts count, 15 are enough", 0},
		"and a second account":      {8, 7, "alice", 1, true, 6, Ban, "15 attempts count, 15 are enough", 0},
		"nobody logs in elsewhere":  {14, 1, "admin", 1, false, 6, Ban, "15 attempts count, 15 are enough", 0},
		"more often than one phone": {14, 1, "admin", 1, true, 14, Ban, "15 attempts count, 15 are enough", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var f Finding
			g, _ := told(Options{}, func(s *scene) {
				s.busy(0, time.Hour)
				if tt.login {
					s.login(0, "198.51.100.7", "bob@example.org")
				}
				for i := range tt.phone {
					addr := fmt.Sprint("192.0.2.", i+1)
					s.fail(time.Hour+time.Duration(i)*time.Hour/time.Duration(tt.hourly), addr, "bob@example.org", event.Dovecot)
					f.Sources = append(f.Sources, netip.MustParseAddr(addr))
				}
				for i := range tt.others {
					addr, account := fmt.Sprint("192.0.2.", 100+i), tt.account
					if account == "user%d" {
						account = fmt.Sprint("user", i)
					}
					for range tt.again {
						s.fail(time.Hour+time.Duration(i)*time.Minute, addr, account, event.Dovecot)
					}
					f.Sources = append(f.Sources, netip.MustParseAddr(addr))
				}
			})
			now := sceneStart.Add(5 * time.Hour)
			found := found("192.0.2.1", 15, now)
			found.Scope, found.Addr, found.Network, found.Addresses = event.ScopeRange, netip.Addr{}, netip.MustParsePrefix("192.0.2.0/24"), true
			found.Sources = f.Sources
			v := g.Decide(found, now)
			if v.Action != tt.action || v.Reason != tt.reason || len(v.Values) != tt.kept {
				t.Errorf("got %s, %q, %d values, want %s, %q, %d", v.Action, v.Reason, len(v.Values), tt.action, tt.reason, tt.kept)
			}
		})
	}
}

// A network of which the finding holds a phone's failures only is no phone's, if more of its
// addresses failed before; and info at many domains is no single account.
func TestRoamingHidesNobody(t *testing.T) {
	of := func(login func(n int) string, others int) (*Guard, Finding, time.Time) {
		var f Finding
		g, _ := told(Options{}, func(s *scene) {
			s.busy(0, time.Hour)
			s.login(0, "198.51.100.7", "info@example.org")
			for i := range others {
				s.fail(time.Hour+time.Duration(i)*time.Minute, fmt.Sprint("192.0.2.", 100+i), fmt.Sprint("user", i), event.Dovecot)
			}
			for i := range 15 {
				addr := fmt.Sprint("192.0.2.", i+1)
				s.fail(2*time.Hour+time.Duration(i)*10*time.Minute, addr, login(i), event.Dovecot)
				f.Sources = append(f.Sources, netip.MustParseAddr(addr))
			}
		})
		now := sceneStart.Add(5 * time.Hour)
		finding := found("192.0.2.1", 15, now)
		finding.First = sceneStart.Add(time.Hour)
		finding.Scope, finding.Addr, finding.Network, finding.Addresses = event.ScopeRange, netip.Addr{}, netip.MustParsePrefix("192.0.2.0/24"), true
		finding.Sources = f.Sources
		return g, finding, now
	}
	phone := func(int) string { return "info@example.org" }
	for name, tt := range map[string]struct {
		login  func(int) string
		others int
		want   Action
	}{
		"a phone":                        {phone, 0, Hold},
		"a phone, and five others":       {phone, 5, Hold},
		"a phone, and six others before": {phone, 6, Ban},
		"one name at many domains": {func(n int) string {
			return []string{"info", fmt.Sprintf("info@d%d.example", n), "info@example.org"}[min(n, 14)/7]
		}, 0, Ban},
	} {
		g, f, now := of(tt.login, tt.others)
		if v := g.Decide(f, now); v.Action != tt.want {
			t.Errorf("%s: got %s, %q, want %s", name, v.Action, v.Reason, tt.want)
		}
	}
}
