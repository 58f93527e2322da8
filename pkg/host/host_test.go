package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseNetworks(t *testing.T) {
	networks, skipped := parseNetworks("127.0.0.0/8 [::ffff:127.0.0.0]/104, [::1]/128\n192.0.2.7 192.0.2.9/24 hash:/etc/postfix/nets !192.0.2.1")
	if got := fmt.Sprint(networks); got != "[127.0.0.0/8 ::ffff:127.0.0.0/104 ::1/128 192.0.2.7/32 192.0.2.0/24]" {
		t.Errorf("networks %s", got)
	}
	if got := strings.Join(skipped, " "); got != "hash:/etc/postfix/nets !192.0.2.1" {
		t.Errorf("skipped %s", got)
	}
}

func TestMyNetworks(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("MAIL_CONFIG", dir)
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if networks, _, err := MyNetworks(t.Context()); err != nil || networks != nil {
		t.Errorf("without Postfix: %v, %v", networks, err)
	}
	script := "#!/bin/sh\n[ \"$*\" = \"-xh mynetworks\" ] && echo 192.0.2.0/24\n"
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if networks, _, err := MyNetworks(t.Context()); err != nil || fmt.Sprint(networks) != "[192.0.2.0/24]" {
		t.Errorf("got %v, %v", networks, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte("#!/bin/sh\necho broken >&2; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := MyNetworks(t.Context()); err == nil || err.Error() != `asking postconf for mynetworks: "broken"` {
		t.Errorf("a failing postconf: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	addrs, err := Addresses()
	if err != nil || !strings.Contains(fmt.Sprint(addrs), "127.0.0.1") {
		t.Errorf("got %v, %v", addrs, err)
	}
}

func TestTrusted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("MAIL_CONFIG", dir)
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
[ "$1" = -x ] || exit 1
echo "proxy_interfaces = 192.0.2.25, [2001:db8::25]"
echo "smtpd_authorized_xclient_hosts = 198.51.100.0/28 cidr:/etc/postfix/xclient"
echo "smtpd_authorized_xforward_hosts ="
echo "relayhost = 203.0.113.1"
`
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	trust, err := Trusted(t.Context())
	want := "{[192.0.2.25 2001:db8::25] [198.51.100.0/28] [smtpd_authorized_xclient_hosts: cidr:/etc/postfix/xclient]}"
	if err != nil || fmt.Sprint(trust) != want {
		t.Errorf("got %v, %v", trust, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte("#!/bin/sh\necho broken >&2; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Trusted(t.Context()); err == nil || err.Error() != `asking postconf for trusted hosts: "broken"` {
		t.Errorf("a failing postconf: %v", err)
	}
}

func TestDovecotTrust(t *testing.T) {
	var trust Trust
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	script := "#!/bin/sh\necho login_trusted_networks = 192.0.2.0/24 2001:db8::/64\necho haproxy_trusted_networks = 198.51.100.7 0.0.0.0/0\n"
	if err := os.WriteFile(filepath.Join(dir, "doveconf"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	err := trust.read(t.Context(), "doveconf", dovecotTrust, dovecotTrust)
	want := "{[] [192.0.2.0/24 2001:db8::/64 198.51.100.7/32] [haproxy_trusted_networks: 0.0.0.0/0]}"
	if err != nil || fmt.Sprint(trust) != want {
		t.Errorf("got %v, %v", trust, err)
	}
}

func TestIsContainerBridge(t *testing.T) {
	for name, want := range map[string]bool{"docker0": true, "br-1f2e3d": true, "podman1": true, "eth0": false, "bridge0": false, "lo": false} {
		if IsContainerBridge(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
