//go:build !386 && !arm

// The writer of the test files, mmdbwriter, does not compile for 32-bit processors.

package geo

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"csmail/pkg/hint"
)

// write makes a database file of networks.
func write(t *testing.T, kind string, rows map[string]mmdbtype.Map) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, row := range rows {
		_, parsed, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(parsed, row); err != nil {
			t.Fatal(err)
		}
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

func finder(t *testing.T) *Finder {
	t.Helper()
	f, err := Open(Options{
		Country: write(t, "GeoLite2-City", map[string]mmdbtype.Map{
			"203.0.113.0/24":  {"country": mmdbtype.Map{"iso_code": mmdbtype.String("DE")}},
			"2001:db8::/32":   {"country": mmdbtype.Map{"iso_code": mmdbtype.String("FR")}},
			"198.51.100.0/24": {"city": mmdbtype.Map{}},
		}),
		ASN: write(t, "GeoLite2-ASN", map[string]mmdbtype.Map{
			"203.0.113.0/25": {"autonomous_system_number": mmdbtype.Uint32(64496), "autonomous_system_organization": mmdbtype.String("Example Hosting")},
			"192.0.2.0/24":   {"autonomous_system_number": mmdbtype.Uint32(64497)},
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestPlace(t *testing.T) {
	f := finder(t)
	for addr, want := range map[string]string{
		"203.0.113.7": "DE AS64496 Example Hosting", "203.0.113.200": "DE", "2001:db8:1::1": "FR", "192.0.2.1": "AS64497", "198.51.100.1": "", "127.0.0.1": "",
	} {
		if got := f.Place(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	if got := f.Place(netip.Addr{}).String(); got != "" {
		t.Errorf("no address: got %q, want nothing", got)
	}
	var none *Finder
	if got := none.Place(netip.MustParseAddr("203.0.113.7")).String(); got != "" {
		t.Errorf("without files: got %q, want nothing", got)
	}
}

func TestOpen(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.mmdb")
	if err := os.WriteFile(garbage, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"missing": {Country: "/nowhere/x.mmdb"}, "garbage": {ASN: garbage}} {
		_, err := Open(o)
		if err == nil || !strings.Contains(err.Error(), "opening the geo file") || !strings.Contains(hint.Of(err), ".mmdb") {
			t.Errorf("%s: got error %v with hint %q", name, err, hint.Of(err))
		}
	}
}

// A file with flipped bits gives wrong or no places, and never a panic.
func TestDamagedFile(t *testing.T) {
	path := write(t, "GeoLite2-City", map[string]mmdbtype.Map{"203.0.113.0/24": {"country": mmdbtype.Map{"iso_code": mmdbtype.String("DE")}}})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0xff
		damaged := filepath.Join(t.TempDir(), "damaged.mmdb")
		if err := os.WriteFile(damaged, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(Options{Country: damaged})
		if err != nil {
			continue
		}
		f.Place(netip.MustParseAddr("203.0.113.7"))
		_ = f.Close()
	}
}
