// Package host finds facts about this host that the guard needs: its own
// addresses, Postfix's mynetworks by postconf(1), and whom Postfix and Dovecot
// trust to speak for their clients. It changes nothing.
package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
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

// MyNetworks asks Postfix for mynetworks. Without Postfix there are none. Parts
// that are no network (a table, an exclusion) come back as skipped.
func MyNetworks(ctx context.Context) (networks []netip.Prefix, skipped []string, err error) {
	if !isConfigured() {
		return nil, nil, nil
	}
	out, err := ask(ctx, "postconf", "-xh", "mynetworks")
	if err != nil {
		return nil, nil, fmt.Errorf("asking postconf for mynetworks: %w", err)
	}
	networks, skipped = parseNetworks(out)
	return networks, skipped, nil
}

// ask runs a program that prints settings. Where there is no such program, it
// prints none.
func ask(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, postconfTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return "", fmt.Errorf("%q", strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// postfixFolders are where main.cf is on Linux and the BSDs.
func postfixFolders() []string {
	return []string{os.Getenv("MAIL_CONFIG"), "/etc/postfix", "/usr/local/etc/postfix", "/usr/pkg/etc/postfix"}
}

// isConfigured looks for main.cf. Without one, postconf sleeps for a second before
// it says so.
func isConfigured() bool { return firstOf(postfixFolders(), "main.cf") != "" }

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
