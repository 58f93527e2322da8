package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseNetworks(t *testing.T) {
	networks, skipped := parseNetworks("127.0.0.0/8 [::ffff:127.0.0.0]/104, [::1]/128\n192.0.2.7 192.0.2.9/24 hash:/etc/postfix/nets !192.0.2.1 [fe80::1%eth0]")
	if got := fmt.Sprint(networks); got != "[127.0.0.0/8 ::ffff:127.0.0.0/104 ::1/128 192.0.2.7/32 192.0.2.0/24]" {
		t.Errorf("networks %s, want \"[127.0.0.0/8 ::ffff:127.0.0.0/104 ::1/128 192.0.2.7/32 192.0.2.0/24]\"", got)
	}
	if got := strings.Join(skipped, " "); got != "hash:/etc/postfix/nets !192.0.2.1 [fe80::1%eth0]" {
		t.Errorf("skipped %s, want \"hash:/etc/postfix/nets !192.0.2.1 [fe80::1%%eth0]\"", got)
	}
}

func TestMyNetworks(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("MAIL_CONFIG", dir)
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here := places{postfix: []string{dir}}
	if networks, _, err := (places{postfix: []string{t.TempDir()}}).myNetworks(t.Context()); err != nil || networks != nil {
		t.Errorf("without Postfix: %v, %v, want networks nil", networks, err)
	}
	want := "asking postconf for mynetworks: there is " + filepath.Join(dir, "main.cf") + ", but no postconf to read it; list what it trusts in guard.allow"
	if _, _, err := here.myNetworks(t.Context()); err == nil || err.Error() != want {
		t.Errorf("without postconf: %v, want the error %v", err, want)
	}
	script := "#!/bin/sh\n[ \"$*\" = \"-xh mynetworks\" ] && echo 192.0.2.0/24\n"
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if networks, _, err := MyNetworks(t.Context()); err != nil || fmt.Sprint(networks) != "[192.0.2.0/24]" {
		t.Errorf("got %v, %v", networks, err)
	}
	t.Setenv("PATH", t.TempDir())
	if networks, _, err := (places{postfix: []string{dir}, programs: []string{dir}}).myNetworks(t.Context()); err != nil || fmt.Sprint(networks) != "[192.0.2.0/24]" {
		t.Errorf("with the PATH of cron: %v, %v, want networks [192.0.2.0/24]", networks, err)
	}
	t.Setenv("PATH", dir)
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte("#!/bin/sh\necho broken >&2; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := MyNetworks(t.Context()); err == nil || err.Error() != `asking postconf for mynetworks: "broken"` {
		t.Errorf("a failing postconf: %v, want the error %q", err, `asking postconf for mynetworks: "broken"`)
	}
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := MyNetworks(t.Context()); err == nil || err.Error() != "asking postconf for mynetworks: exit status 3" {
		t.Errorf("a postconf that says nothing: %v, want the error \"asking postconf for mynetworks: exit status 3\"", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := MyNetworks(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits for postconf: %v, want %q", err, context.Canceled)
	}
}

func TestUsualPlaces(t *testing.T) {
	t.Setenv("MAIL_CONFIG", "")
	if p := usual(); p.postfix[0] != "/etc/postfix" || p.programs[0] != "/usr/sbin" {
		t.Errorf("got %+v", p)
	}
	t.Setenv("MAIL_CONFIG", "/srv/postfix")
	if p := usual(); len(p.postfix) != 1 || p.postfix[0] != "/srv/postfix" {
		t.Errorf("with MAIL_CONFIG: %q, want 1 postfix, postfix /srv/postfix", p.postfix)
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
	main := filepath.Join(dir, "main.cf")
	if trust, err := (places{postfix: []string{dir}}).trusted(t.Context()); err != nil || fmt.Sprint(trust) != "{[] [] []}" {
		t.Errorf("asked although main.cf names nothing: %v, %v, want trust \"{[] [] []}\"", trust, err)
	}
	if err := os.WriteFile(main, []byte("myhostname = mx.example.org\nproxy_interfaces = 192.0.2.25\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trust, err := (places{postfix: []string{dir}}).trusted(t.Context())
	want := "{[192.0.2.25 2001:db8::25] [198.51.100.0/28] [smtpd_authorized_xclient_hosts: cidr:/etc/postfix/xclient]}"
	if err != nil || fmt.Sprint(trust) != want {
		t.Errorf("got %v, %v", trust, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte("#!/bin/sh\necho broken >&2; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (places{postfix: []string{dir}}).trusted(t.Context()); err == nil || err.Error() != `asking postconf for trusted hosts: "broken"` {
		t.Errorf("a failing postconf: %v, want the error %q", err, `asking postconf for trusted hosts: "broken"`)
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
	out, err := places{}.ask(t.Context(), "dovecot.conf", "doveconf", dovecotTrust...)
	err = trust.read("doveconf", out, err, dovecotTrust)
	want := "{[] [192.0.2.0/24 2001:db8::/64 198.51.100.7/32] [haproxy_trusted_networks: 0.0.0.0/0]}"
	if err != nil || fmt.Sprint(trust) != want {
		t.Errorf("got %v, %v", trust, err)
	}
}

func TestMayName(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plain.conf", "listen = *\n#login_trusted_networks =\n  # login_trusted_networks = 192.0.2.1\n")
	write("named.conf", "protocols = imap\n  login_trusted_networks = 192.0.2.1 # webmail\n")
	write("conf.d/10.conf", "ssl = yes\n")
	write("conf.d/90.conf", "remote 192.0.2.0/24 {\n\thaproxy_trusted_networks=192.0.2.7\n}\n")
	write("tree.conf", "!include_try "+dir+"/nothing.d/*\n!include conf.d/*.conf\n")
	write("flat.conf", "!include_try "+dir+"/nothing.d/*\n!include plain.conf\n")
	write("loop.conf", "!include loop.conf\n")
	write("odd.conf", "!include [\n")
	for name, want := range map[string]bool{
		"plain.conf": false, "named.conf": true, "tree.conf": true, "flat.conf": false, "loop.conf": true, "odd.conf": true, "missing.conf": true,
	} {
		if got := mayName(filepath.Join(dir, name), dovecotTrust, 0); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
