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

// Trust is what the settings of Postfix and Dovecot say of hosts that stand
// between us and our clients. A ban of one of them would shut out everybody
// behind it.
type Trust struct {
	// Own are addresses under which others reach us although no interface has
	// them: proxy_interfaces, of a host behind NAT.
	Own []netip.Addr
	// Proxies may tell us who their client is: smtpd_authorized_xclient_hosts,
	// smtpd_authorized_xforward_hosts, login_trusted_networks (mostly webmail),
	// haproxy_trusted_networks.
	Proxies []netip.Prefix
	// Skipped are parts that are no address and no network, or one so wide that
	// nobody would be left to ban, with the setting before them.
	Skipped []string
}

var (
	postfixTrust = []string{"proxy_interfaces", "smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts"}
	dovecotTrust = []string{"login_trusted_networks", "haproxy_trusted_networks"}
)

// Trusted asks postconf(1) and doveconf(1), where there are any and their files
// name the settings. What one of them does not tell comes back as an error, beside
// what the other told.
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

// read takes the settings from what a program printed.
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
