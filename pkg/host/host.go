// Package host finds facts about this host that the guard needs: its own addresses,
// Postfix's mynetworks by postconf(1), and the hosts that Postfix and Dovecot trust to
// name the true client. For example, a webmail server in login_trusted_networks is such
// a host. The package changes nothing.
package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// postconfTimeout is far more than postconf needs, and short enough for a
// person who waits.
const postconfTimeout = 5 * time.Second

// Addresses returns the addresses of this host's interfaces.
func Addresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("reading this host's addresses: %w", err)
	}
	var addrs []netip.Addr
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap().WithZone(""))
		}
	}
	return addrs, nil
}

// places are the folders of a host's settings and programs.
type places struct{ postfix, dovecot, programs []string }

// usual are the places on Linux and the BSDs. The PATH of cron(8) and of many users
// leaves out the programs that only the administrator needs, such as postconf.
// Where MAIL_CONFIG is set, Postfix has no other folder than that (postconf(1)).
func usual() places {
	postfix := []string{"/etc/postfix", "/usr/local/etc/postfix", "/usr/pkg/etc/postfix"}
	if named := os.Getenv("MAIL_CONFIG"); named != "" {
		postfix = []string{named}
	}
	return places{
		postfix:  postfix,
		dovecot:  []string{"/etc/dovecot", "/usr/local/etc/dovecot", "/usr/pkg/etc/dovecot"},
		programs: []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/pkg/sbin", "/usr/pkg/bin"},
	}
}

// MyNetworks asks Postfix for mynetworks. Without Postfix's main.cf there are none.
// Parts that are no network (a table, an exclusion) come back as skipped.
func MyNetworks(ctx context.Context) (networks []netip.Prefix, skipped []string, err error) {
	return usual().myNetworks(ctx)
}

func (p places) myNetworks(ctx context.Context) (networks []netip.Prefix, skipped []string, err error) {
	file := firstOf(p.postfix, "main.cf")
	if file == "" { // postconf would sleep for a second before it says so
		return nil, nil, nil
	}
	out, err := p.ask(ctx, file, "postconf", "-xh", "mynetworks")
	if err != nil {
		return nil, nil, fmt.Errorf("asking postconf for mynetworks: %w", err)
	}
	networks, skipped = parseNetworks(out)
	return networks, skipped, nil
}

// ask runs a program that prints the settings of a file.
func (p places) ask(ctx context.Context, file, program string, args ...string) (string, error) {
	path := p.find(program)
	if path == "" {
		return "", fmt.Errorf("there is %s, but no %s to read it; list what it trusts in guard.allow", file, program)
	}
	ctx, cancel := context.WithTimeout(ctx, postconfTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return "", fmt.Errorf("%q", strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// find returns the path of a program, "" if it is not installed.
func (p places) find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, folder := range p.programs {
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return path
		}
	}
	return ""
}

// parseNetworks reads the list of postconf(5) mynetworks: networks with or
// without a length, IPv6 in brackets.
func parseNetworks(text string) (networks []netip.Prefix, skipped []string) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
		if p, ok := parseNetwork(word); ok {
			networks = append(networks, p)
			continue
		}
		skipped = append(skipped, word)
	}
	return networks, skipped
}

func parseNetwork(word string) (netip.Prefix, bool) {
	bare := strings.NewReplacer("[", "", "]", "").Replace(word)
	if p, err := netip.ParsePrefix(bare); err == nil {
		return p.Masked(), true
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}
