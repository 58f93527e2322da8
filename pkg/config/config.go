// Package config reads csmail's configuration file, a strict YAML: a key that
// csmail does not know is an error that names file and line. It sets nothing up
// and opens nothing but that file.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"

	"gopkg.in/yaml.v3"

	"csmail/pkg/hint"
)

// DefaultPath is where the configuration stands unless -c names another file.
const DefaultPath = "/etc/csmail/csmail.yaml"

// Config is the whole configuration. The zero value plus defaults runs.
type Config struct {
	LAPI  LAPI  `yaml:"lapi"`
	Guard Guard `yaml:"guard"`
}

// LAPI says how to reach CrowdSec's Local API.
type LAPI struct {
	// Credentials is the file that `cscli machines add` wrote.
	Credentials string `yaml:"credentials"`
}

// Guard lists who is never banned.
type Guard struct {
	Allow  []Network `yaml:"allow"`
	Relays []Network `yaml:"relays"` // backup MX, forwarders, webmail
}

// Network is an address or a network in CIDR notation.
type Network netip.Prefix

// UnmarshalYAML reads 192.0.2.1, 192.0.2.0/24 or their IPv6 twins.
func (n *Network) UnmarshalYAML(node *yaml.Node) error {
	p, err := ParseNetwork(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	*n = Network(p)
	return nil
}

// ParseNetwork reads an address or a network.
func ParseNetwork(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Addr().Is4In6() {
			return netip.Prefix{}, fmt.Errorf("%q is an IPv4 network written as IPv6: write it as IPv4", text)
		}
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network", text)
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Prefixes returns the networks as netip prefixes.
func Prefixes(networks []Network) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(networks))
	for _, n := range networks {
		prefixes = append(prefixes, netip.Prefix(n))
	}
	return prefixes
}

func defaults() Config {
	return Config{LAPI: LAPI{Credentials: "/etc/csmail/lapi_credentials.yaml"}}
}

// Load reads the file at path, or at [DefaultPath] if path is empty; only then
// may it be missing.
func Load(path string) (Config, error) {
	named := path != ""
	if !named {
		path = DefaultPath
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return defaults(), nil
	}
	if err != nil {
		return Config{}, hint.Wrap(fmt.Errorf("reading the configuration: %w", err), "without -c csmail reads %s, which may be missing", DefaultPath)
	}
	return parse(path, data)
}

func parse(path string, data []byte) (Config, error) {
	c := defaults()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, hint.Wrap(fmt.Errorf("reading the configuration %q: %w", path, err),
			"the keys are lapi.credentials, guard.allow and guard.relays")
	}
	return c, nil
}
