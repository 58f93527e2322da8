package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// sources are the kinds of sources, and whether each needs a place to read from.
var sources = []string{"file", "journalctl", "syslog", "stdin"}

// check finds values that no csmail can work with.
func (c Config) check() error {
	if c.LAPI.Decisions != DecisionsByProfiles && c.LAPI.Decisions != DecisionsExplicit {
		return hint.Wrap(fmt.Errorf("lapi.decisions %q: must be profiles or explicit", c.LAPI.Decisions), "profiles leaves it to the LAPI's profiles.yaml")
	}
	if c.LAPI.Duration <= 0 {
		return hint.Wrap(fmt.Errorf("lapi.duration %s: must be more than nothing", c.LAPI.Duration), "write it like 4h or 7d")
	}
	if text := c.LAPI.SimulateUntil; text != "" {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return hint.Wrap(fmt.Errorf("lapi.simulate_until %q: is no time", text), "write it like 2026-11-30T06:00:00Z, or leave the key out")
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return hint.Wrap(fmt.Errorf("log_level %q: must be debug, info, warn or error", c.LogLevel), "info is the default")
	}
	if len(c.Scenarios) == 0 {
		return hint.Wrap(fmt.Errorf("scenarios: the list is empty, so nobody would ever be banned"), "leave the key out for the set balanced")
	}
	if err := c.Guard.checkNames(); err != nil {
		return err
	}
	for _, count := range []struct { // a list, not a map: of several wrong ones it is always the first that is reported
		name string
		n    int
	}{
		{"mail_days", c.Guard.MailDays},
		{"stale_per_hour", c.Guard.StalePerHour},
		{"unnamed_per_hour", c.Guard.UnnamedPerHour},
		{"sprayed_accounts", c.Guard.SprayedAccounts},
		{"shared_accounts", c.Guard.SharedAccounts},
		{"typing", c.Guard.Typing},
		{"visits_per_hour", c.Guard.VisitsPerHour},
		{"bans_per_hour", c.Guard.BansPerHour},
		{"good_share", c.Guard.GoodShare},
	} {
		if count.n < 1 {
			return hint.Wrap(fmt.Errorf("guard.%s %d: must be at least 1", count.name, count.n), "leave the key out for the default; docs/safety.md explains it")
		}
	}
	if port := c.Prometheus.ListenPort; port < 1 || port > 65535 {
		return hint.Wrap(fmt.Errorf("prometheus.listen_port %d: must be from 1 to 65535", port), "60602 is the default")
	}
	if tls := c.Report.Mail.TLS; tls != "" && tls != "required" && tls != "none" {
		return hint.Wrap(fmt.Errorf("report.mail.tls %q: must be required or none", tls), "leave the key out for TLS where the server offers it")
	}
	if err := c.checkEnforcement(); err != nil {
		return err
	}
	if err := c.checkCluster(); err != nil {
		return err
	}
	for i, s := range c.Sources {
		if err := s.check(); err != nil {
			return fmt.Errorf("sources, number %d: %w", i+1, err)
		}
	}
	return nil
}

// maxNames bounds guard.allow_names: each is looked up once a minute.
const maxNames = 256

// hostName is a name of DNS in ASCII with a dot in it (RFC 1123 section 2.1).
var hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)

func (g Guard) checkNames() error {
	if len(g.AllowNames) > maxNames {
		return hint.Wrap(fmt.Errorf("guard.allow_names: %d names, at most %d can be looked up", len(g.AllowNames), maxNames), "guard.allow takes whole networks")
	}
	for _, name := range g.AllowNames {
		if _, err := ParseNetwork(name); err == nil {
			return hint.Wrap(fmt.Errorf("guard.allow_names %q: is an address, no name", name), "addresses and networks stand in guard.allow")
		}
		if len(name) > 253 || !hostName.MatchString(name) {
			return hint.Wrap(fmt.Errorf("guard.allow_names %q: is no host name", name), "write it like office.example.org; a name with other letters in its xn-- form")
		}
	}
	return nil
}

// check returns an error for a source with missing or unknown settings.
func (s Source) check() error {
	if !slices.Contains(sources, s.Source) {
		return hint.Wrap(fmt.Errorf("source %q: must be one of %s", s.Source, strings.Join(sources, ", ")), "to follow a log file: source: file, filenames: [/var/log/mail.log]")
	}
	if s.Source == "file" && len(s.Files()) == 0 {
		return hint.Wrap(fmt.Errorf("source file names no file"), "filenames: [/var/log/mail.log]")
	}
	if s.Source == "syslog" && s.Path == "" && s.ListenPort == 0 {
		return hint.Wrap(fmt.Errorf("source syslog names no place to listen on"), "listen_addr: 127.0.0.1, listen_port: 5140; or path: /run/csmail/log.sock")
	}
	if s.ListenPort < 0 || s.ListenPort > 65535 {
		return hint.Wrap(fmt.Errorf("listen_port %d: must be from 1 to 65535", s.ListenPort), "5140 needs no privilege, 514 does")
	}
	if !slices.Contains([]string{"", "udp", "tcp"}, s.Protocol) {
		return hint.Wrap(fmt.Errorf("protocol %q: must be udp or tcp", s.Protocol), "udp is the default")
	}
	if s.Envelope != "" && s.Envelope != "docker" {
		return hint.Wrap(fmt.Errorf("envelope %q: must be docker, or left out", s.Envelope), "docs/inputs.md says which lines it is for")
	}
	if _, err := s.Zone(); err != nil {
		return hint.Wrap(fmt.Errorf("timezone %q: %w", s.Timezone, err), "name it as in /usr/share/zoneinfo, like Europe/Berlin")
	}
	return nil
}

// Files returns the paths and globs of a source of kind file.
func (s Source) Files() []string {
	if s.Filename == "" {
		return s.Filenames
	}
	return append(slices.Clone(s.Filenames), s.Filename)
}

// Zone returns the time zone of lines that name none.
func (s Source) Zone() (*time.Location, error) {
	if s.Timezone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(s.Timezone)
}
