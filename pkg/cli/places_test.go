//go:build !386 && !arm

// The writer of the geo files, mmdbwriter, does not compile for 32-bit processors.

package cli

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// geoFile writes a database of one network and returns its path.
func geoFile(t *testing.T, kind, network string, row mmdbtype.Map) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, parsed, err := net.ParseCIDR(network)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(parsed, row); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), kind+".mmdb")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// geoConfig writes a configuration with geo files that know 203.0.113.0/24.
func geoConfig(t *testing.T) string {
	t.Helper()
	country := geoFile(t, "GeoLite2-City", "203.0.113.0/24", mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("DE")}})
	asn := geoFile(t, "GeoLite2-ASN", "203.0.113.0/24", mmdbtype.Map{
		"autonomous_system_number": mmdbtype.Uint32(64496), "autonomous_system_organization": mmdbtype.String("Example Hosting"),
	})
	path := filepath.Join(t.TempDir(), "csmail.yaml")
	text := fmt.Sprintf("geo: {country: %s, asn: %s}\n", country, asn)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const twoCountries = `2026-06-03T04:11:09.000000Z mx1 postfix/smtpd[1]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username=bob
2026-06-03T04:11:10.000000Z mx1 postfix/smtpd[2]: warning: unknown[203.0.113.8]: SASL LOGIN authentication failed: x, sasl_username=eve
2026-06-03T04:11:11.000000Z mx1 postfix/smtpd[3]: warning: unknown[192.0.2.200]: SASL LOGIN authentication failed: x, sasl_username=bob
`

// why says where the address is.
func TestWhyNamesThePlace(t *testing.T) {
	var out, errs bytes.Buffer
	log := filepath.Join(t.TempDir(), "mail.log")
	write(t, log, twoCountries)
	status := Main(t.Context(), []string{"why", "--no-lapi", "-c", geoConfig(t), "203.0.113.7", log}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if want := "\nFrom: DE AS64496 Example Hosting\n"; status != exitOK || !strings.Contains(out.String(), want) {
		t.Errorf("status %d, %s: got\n%swant in it%s", status, errs.String(), out.String(), want)
	}
}

func TestPlaces(t *testing.T) {
	config := geoConfig(t)
	tests := map[string]string{
		"--by country":              "1 country, 3 tries, 1 of them without a known country\nCountry    Tries  Sources  Banned  Users  Last seen\nDE             2        2       0      2  Jun  3 04:11\n(unknown)      1        1       0      1  Jun  3 04:11\n",
		"--by as -o raw":            "\nAS64496 Example Hosting\n",
		"--wide -i 203.0.113.7":     "| DE                      |",
		"-o json -i 203.0.113.7":    `"country": "DE",` + "\n    " + `"as": "AS64496 Example Hosting"`,
		"-i 203.0.113.7":            "203.0.113.7  DE AS64496      1  auth-failed  bob",
		"-o raw -i 203.0.113.0/24":  "203.0.113.7\n203.0.113.8\n",
		"-o raw --count":            "      1 192.0.2.200\n      1 203.0.113.7\n      1 203.0.113.8\n",
		"-o raw --count --top 9":    "      1 192.0.2.200\n      1 203.0.113.7\n      1 203.0.113.8\n",
		"-o json -i 192.0.2.200/32": `"reason": "no scenario overflowed"` + "\n  }",
	}
	for args, want := range tests {
		t.Run(args, func(t *testing.T) {
			var out, errs bytes.Buffer
			all := append([]string{"scan", "-q", "--timezone", "UTC", "-c", config}, append(strings.Fields(args), "-")...)
			status := Main(t.Context(), all, Streams{In: strings.NewReader(twoCountries), Out: &out, Err: &errs})
			if status != exitOK || errs.Len() > 0 {
				t.Fatalf("status %d: %s", status, errs.String())
			}
			if !strings.Contains(out.String(), want) {
				t.Errorf("got\n%swant in it\n%s", out.String(), want)
			}
		})
	}
}
