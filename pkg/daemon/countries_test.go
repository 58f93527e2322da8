//go:build !386 && !arm

// The writer of the test files, mmdbwriter, does not compile for 32-bit processors.

package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"csmail/pkg/config"
	"csmail/pkg/enforce/country"
	"csmail/pkg/event"
	"csmail/pkg/state"
)

// writeCountries writes a file in which 203.0.113.0/24 is in Germany, 198.51.100.0/24 and
// 2001:db8::/32 in France, and nothing else anywhere.
func writeCountries(t *testing.T, path string) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, code := range map[string]string{"203.0.113.0/24": "DE", "198.51.100.0/24": "FR", "2001:db8::/32": "FR"} {
		_, parsed, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(parsed, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// loginAt writes a successful login into the log.
func (r *rig) loginAt(at time.Time, user, addr string) {
	r.t.Helper()
	f := r.openLog()
	r.pid++
	fmt.Fprintf(f, "%s mx1 dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=192.0.2.1, mpid=%d, session=<s%d>\n",
		at.UTC().Format("2006-01-02T15:04:05.000000Z"), user, addr, r.pid, r.pid)
}

func (r *rig) countries(url, keys string) {
	r.t.Helper()
	r.enforcing(url, "  countries: {learn: 1d, "+keys+"}\ngeo: {country: "+r.path("country.mmdb")+"}\nguard: {allow: [198.51.100.99]}\n")
}

// asksLogin asks as Dovecot does before a login, and returns whether it is refused.
func (r *rig) asksLogin(user, addr string) bool {
	r.t.Helper()
	answer := r.asksAuth("allow", fmt.Sprintf(`{"login":%q,"remote":%q,"protocol":"imap"}`, user, addr))
	if answer != `{"status":0,"msg":""}` && answer != `{"status":-1,"msg":"CrowdSec decision: no login to this account from this country"}` {
		r.t.Errorf("%s from %s: got %s", user, addr, answer)
	}
	return strings.Contains(answer, "-1")
}

// Logins from a country that the account never came from are refused, where the rule is
// asked for; in every doubt they are not. What was learned survives a restart.
func TestCountries(t *testing.T) {
	t.Parallel()
	_, url := newDecisions(t)
	r := newRig(t)
	writeCountries(t, r.path("country.mmdb"))
	r.countries(url, "mode: refuse, exempt: [zoe]")
	for _, user := range []string{"ann@example.org", "zoe@example.org"} {
		r.loginAt(time.Now().Add(-72*time.Hour), user, "203.0.113.5")
		r.loginAt(time.Now(), user, "203.0.113.5")
	}
	r.loginAt(time.Now(), "new@example.org", "203.0.113.5")
	check := func(when string, want map[string]bool) {
		t.Helper()
		for asked, want := range want {
			user, addr, _ := strings.Cut(asked, " ")
			if got := r.asksLogin(user, addr); got != want {
				t.Errorf("%s: %s: refused: got %t, want %t", when, asked, got, want)
			}
		}
	}
	nobody := map[string]bool{"ann@example.org 198.51.100.7": false, "ann 198.51.100.7": false}
	rule := map[string]bool{
		"ann@example.org 198.51.100.7": true, "Ann 198.51.100.7": true, "ann 2001:db8::7": true,
		"ann@example.org 203.0.113.77": false, // at home
		"ann@example.org 192.0.2.7":    false, // in no known country
		"ann@example.org 127.0.0.1":    false, // webmail
		"ann 198.51.100.99":            false, // guard.allow
		"zoe 198.51.100.7":             false, // exempt
		"new 198.51.100.7":             false, // known since today
		"eve 198.51.100.7":             false, // not known
	}
	r.start()
	r.eventually("the logins are read", func() bool { return r.lines() == 5 })
	check("the rule is on", rule)
	r.stop()
	r.start()
	check("after a restart", rule)

	reload := func(keys string) {
		t.Helper()
		r.countries(url, keys)
		r.reload <- struct{}{}
		r.await("READY=1")
		if status, err := r.ask.Status(t.Context()); err != nil || status.Reload != "" {
			t.Fatalf("%s: %q, %v", keys, status.Reload, err)
		}
	}
	reload("mode: refuse, home: [FR]")
	check("France is home", nobody)
	reload("mode: off")
	check("the rule is off", nobody)
	if err := os.Remove(r.path("country.mmdb")); err != nil {
		t.Fatal(err)
	}
	reload("mode: refuse")
	check("there is no data", nobody)
	writeCountries(t, r.path("country.mmdb"))
	reload("mode: refuse")
	check("the data is back", rule2(rule, "zoe 198.51.100.7"))

	reload("mode: report")
	check("only reports", nobody)
	r.loginAt(time.Now(), "ann@example.org", "198.51.100.7")
	r.loginAt(time.Now(), "ann@example.org", "198.51.100.8")
	r.eventually("the login is reported", func() bool {
		status, err := r.ask.Status(t.Context())
		if err != nil || status.Enforcement.Countries == nil {
			return false
		}
		c := status.Enforcement.Countries
		return c.Logins == 1 && c.Data && c.Accounts == 3 && c.Abroad[0].Country == "FR" && c.Abroad[0].Addr == "198.51.100.7" && c.Abroad[0].Account == "ann@example.org"
	})
	why, err := r.ask.Why(t.Context(), netip.MustParseAddr("198.51.100.7"))
	if text := strings.Join(why.Enforced, "; "); err != nil || !strings.Contains(text, "from FR, a country that the account never came from") {
		t.Errorf("why: %q, %v", text, err)
	}
}

// rule2 is a rule with one account more that it holds for.
func rule2(rule map[string]bool, more string) map[string]bool {
	rule[more] = true
	return rule
}

// What a guesser's login teaches is nothing.
func TestGuessedLoginTeachesNothing(t *testing.T) {
	t.Parallel()
	_, url := newDecisions(t)
	r := newRig(t)
	writeCountries(t, r.path("country.mmdb"))
	r.countries(url, "mode: refuse")
	r.loginAt(time.Now().Add(-72*time.Hour), "ann", "203.0.113.5")
	r.loginAt(time.Now(), "ann", "203.0.113.5")
	r.guesses(12, "198.51.100.7", "ann", time.Now())
	r.loginAt(time.Now(), "ann", "198.51.100.7")
	r.start()
	r.eventually("all is read", func() bool { return r.lines() == 15 })
	if !r.asksLogin("ann", "198.51.100.8") {
		t.Error("France is a country of the account now")
	}
}

// A file that is cut short while it is open is an address that is not known, not the end
// of the process.
func TestCountriesOfACutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	writeCountries(t, path)
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := config.Default()
	c.Enforce.Countries.Mode, c.Geo.Country = config.CountriesRefuse, path
	n := newCountries(c, store, slog.New(slog.DiscardHandler))
	defer n.geo.Close()
	addr := netip.MustParseAddr("203.0.113.5")
	if got := n.codeOf(addr); got != country.CodeOf("DE") {
		t.Fatalf("got %s, want DE", got)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got := n.codeOf(addr); got != 0 {
		t.Errorf("of a cut file: got %s, want none", got)
	}
	n.learn(&event.Event{User: "ann", Addr: addr, Time: time.Now()}, false, time.Now())
	if n.refuses("ann", netip.MustParseAddr("198.51.100.7"), time.Now()) {
		t.Error("a login is refused without data")
	}
}
