package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Trust lists the hosts between us and our clients, by the settings of Postfix and
// Dovecot. A ban of one of them would shut out every client behind it.
type Trust struct {
	// Own are addresses at which this host is reached although none of its interfaces
	// has them: proxy_interfaces, of a host behind NAT.
	Own []netip.Addr
	// Proxies may name the true client of a connection: smtpd_authorized_xclient_hosts,
	// smtpd_authorized_xforward_hosts, login_trusted_networks (mostly webmail),
	// haproxy_trusted_networks.
	Proxies []netip.Prefix
	// Skipped are parts that are neither an address nor a network, and networks so wide
	// that no address would be left to ban, each after the name of its setting.
	Skipped []string
}

var (
	postfixTrust = []string{"proxy_interfaces", "smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts"}
	dovecotTrust = []string{"login_trusted_networks", "haproxy_trusted_networks"}
)

// Trusted asks postconf(1) and doveconf(1), if they are installed and their files name
// the settings. If one of them fails, its error comes back together with the answer of
// the other.
func Trusted(ctx context.Context) (Trust, error) { return usual().trusted(ctx) }

func (p places) trusted(ctx context.Context) (Trust, error) {
	var t Trust
	var failed []error
	if file := firstOf(p.postfix, "main.cf"); file != "" && mayName(file, postfixTrust, 0) {
		out, err := p.ask(ctx, file, "postconf", append([]string{"-x"}, postfixTrust...)...)
		failed = append(failed, t.read("postconf", out, err, postfixTrust))
	}
	if file := firstOf(p.dovecot, "dovecot.conf"); file != "" && mayName(file, dovecotTrust, 0) {
		out, err := p.ask(ctx, file, "doveconf", dovecotTrust...)
		failed = append(failed, t.read("doveconf", out, err, dovecotTrust))
	}
	return t, errors.Join(failed...)
}

// firstOf returns the file of that name in the first folder that has one, or "".
func firstOf(folders []string, name string) string {
	for _, folder := range folders {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// read takes the settings from a program's output.
func (t *Trust) read(program, out string, err error, settings []string) error {
	if err != nil {
		return fmt.Errorf("asking %s for trusted hosts: %w", program, err)
	}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); slices.Contains(settings, name) {
			t.add(name, value)
		}
	}
	return nil
}

func (t *Trust) add(setting, value string) {
	networks, skipped := parseNetworks(value)
	for _, word := range skipped {
		t.Skipped = append(t.Skipped, setting+": "+word)
	}
	for _, n := range networks {
		switch {
		case setting == "proxy_interfaces":
			t.Own = append(t.Own, n.Addr().Unmap())
		case n.Bits() < widestProxy:
			t.Skipped = append(t.Skipped, setting+": "+n.String())
		default:
			t.Proxies = append(t.Proxies, n)
		}
	}
}

// widestProxy is the shortest prefix that is taken for a network of proxies:
// fc00::/7.
const widestProxy = 7
