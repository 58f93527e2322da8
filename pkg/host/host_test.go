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
