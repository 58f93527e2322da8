//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// countryFile is a file of countries as MaxMind writes them.
func countryFile(t *testing.T, countries map[string]string) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, code := range countries {
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
	return b.Bytes()
}

// loginsOfDays are alice's logins from home on the days before.
func loginsOfDays(days int) string {
	var b strings.Builder
	for day := days; day >= 0; day-- {
		at := time.Now().UTC().Add(-time.Duration(day)*24*time.Hour - time.Minute)
		fmt.Fprintf(&b, "%s mx1 dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.25, mpid=%d, TLS, session=<day%d>\n",
			at.Format("2006-01-02T15:04:05.000000-07:00"), account("alice"), 1000+day, day)
	}
	return b.String()
}

// TestCountriesAtTheDoors: whoever logs in to an account from a country that it never came
// from is refused by the real Dovecot, in IMAP, POP3 and SMTP, before the password is looked
// at. In every doubt, and while csmail is dead, he gets in; and mail from there always does.
func TestCountriesAtTheDoors(t *testing.T) {
	for _, r := range enforcing(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			testCountries(t, r)
		})
	}
}

func testCountries(t *testing.T, r release) {
	client := func(name, addr string) *Client {
		return cast([]scenario{{name, addr, addr, false, verified, nil}})[0]
	}
	never := func(string) bool { return false }
	logins := guests()[6].refused // as a decision on an account, at logins alone
	abroad := client("abroad", "198.51.100.82")
	all := []guest{
		{client("home", "203.0.113.81"), "alice", never},
		{abroad, "alice", logins},
		{abroad, "bob", never}, // whose account is not known
		{client("abroad6", "2001:db8:82::82"), "alice", logins},
		{client("nowhere", "2001:db8:83::83"), "alice", never}, // in no known country
	}
	d := newDoormanIn(t, r, []*Client{all[0].Client, abroad, all[3].Client, all[4].Client}, surroundings{
		log:    loginsOfDays(4),
		config: "  countries: {mode: refuse, learn: 1d}\ngeo: {country: DIR/country.mmdb}\n",
		files:  map[string][]byte{"country.mmdb": countryFile(t, map[string]string{"203.0.113.0/24": "DE", "198.51.100.0/24": "FR", "2001:db8:82::/48": "FR"})},
	})
	d.await("the rule is in force", func() bool {
		o, err := tryBox(abroad, portIMAP, "alice")
		return err == nil && o.refused && strings.Contains(o.text, "CrowdSec decision: no login to this account from this country")
	})
	d.visit("countries", all, true, 10*time.Second)
	out, err := d.inside("enforce", "status", "-c", d.config).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "from a country new to the account (refuse), of 2 accounts known") {
		t.Errorf("csmail enforce status does not show the rule on countries: %v\n%s", err, out)
	}
	d.mustBeNoOffence(all)
	_ = d.csmail.cmd.Process.Kill()
	<-d.csmail.done
	d.visit("dead", all, false, 10*time.Second)
}
