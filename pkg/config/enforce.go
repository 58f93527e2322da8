package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// Bouncer describes the way to CrowdSec's decisions, under the names that CrowdSec's own
// bouncers use.
type Bouncer struct {
	APIURL             string   `yaml:"api_url" doc:"Where the LAPI is; a path is a unix socket. Default: the url of lapi.credentials, else http://127.0.0.1:8080/."`
	APIKey             string   `yaml:"api_key" secret:"true" doc:"The key that sudo cscli bouncers add csmail printed. With it, or with a certificate, csmail run enforces decisions (docs/enforcement.md). Every csmail needs a key of its own: a second reader takes decisions away from the first."`
	CertPath           string   `yaml:"cert_path" doc:"A client certificate instead of a key."`
	KeyPath            string   `yaml:"key_path" doc:"The key of cert_path."`
	CACertPath         string   `yaml:"ca_cert_path" doc:"Who signed the LAPI's certificate."`
	InsecureSkipVerify bool     `yaml:"insecure_skip_verify" doc:"Take any certificate of the LAPI."`
	UpdateFrequency    Duration `yaml:"update_frequency" doc:"How often the LAPI is asked for changes. What csmail itself had banned is in force at once."`
	Scopes             []string `yaml:"scopes" doc:"Only decisions of these scopes. Default: Ip, Range, Username and username."`
	Origins            []string `yaml:"origins" doc:"Only decisions of these origins: crowdsec, cscli, cscli-import, CAPI, lists …. Default: all."`
	Containing         []string `yaml:"scenarios_containing" doc:"Only decisions of scenarios whose names hold one of these."`
	NotContaining      []string `yaml:"scenarios_not_containing" doc:"No decisions of scenarios whose names hold one of these."`
	Types              []string `yaml:"supported_decisions_types" doc:"Which types are acted on: ban, captcha. A captcha is answered with: try later. Other types do nothing."`
	RetryInitial       bool     `yaml:"retry_initial_connect" doc:"Taken as other bouncers have it, and of no account: csmail always tries again, and enforces meanwhile what it knew."`
	MaxDecisions       int      `yaml:"max_decisions" doc:"How many decisions of CrowdSec's community and of lists are kept, and as many of the LAPI's own. 100,000 take 26 MB."`
}

// Enforce lists the doors and their settings.
type Enforce struct {
	DryRun     bool       `yaml:"dry_run" doc:"Refuse nobody: log and count who would have been."`
	Accounts   bool       `yaml:"accounts" doc:"Also enforce decisions on accounts (scope Username): the account cannot log in from anywhere."`
	Contact    string     `yaml:"contact" doc:"Whom somebody who is refused may write to: a mail address or an URL. It stands in the refusal."`
	AuthPolicy AuthPolicy `yaml:"auth_policy" doc:"The door for Dovecot: its auth policy server. It covers IMAP, POP3, ManageSieve, submission, and the logins of Postfix."`
	Policy     Policy     `yaml:"policy" doc:"The door for Postfix: a policy service."`
	Socketmap  Socketmap  `yaml:"socketmap" doc:"The door for postscreen, closed by default: while csmail hangs, port 25 is down, which systemd ends within 7 s."`
	Countries  Countries  `yaml:"countries" doc:"Logins from countries that an account never came from."`
	DNSBL      DNSBL      `yaml:"dnsbl" doc:"The door for everybody who can ask a DNS block list, closed by default."`
}

// Countries is the rule on logins from countries that an account never came from. It goes
// by the file of geo.country, and learns from the successful logins in the log.
type Countries struct {
	Mode   string   `yaml:"mode" doc:"off; report: report successful logins from a country that is new to the account (log, csmail enforce status); refuse: refuse them. A country that is not known is never refused."`
	Learn  Duration `yaml:"learn" doc:"How long an account must be known, in whole days, before a country counts as new to it."`
	Home   []string `yaml:"home" doc:"Countries from which everybody may log in, as two letters: DE."`
	Exempt []string `yaml:"exempt" doc:"Accounts that may log in from everywhere."`
}

// The values of Countries.Mode.
const (
	CountriesOff    = "off"
	CountriesReport = "report"
	CountriesRefuse = "refuse"
)

// Socketmap is the door for postscreen.
type Socketmap struct {
	Listen []string `yaml:"listen" doc:"Where postscreen asks: HOST:PORT, such as 127.0.0.1:10041."`
}

// DNSBL is the door of a DNS block list.
type DNSBL struct {
	Listen []string `yaml:"listen" doc:"Where it is asked over UDP: HOST:PORT, such as 127.0.0.1:10053."`
	Zone   string   `yaml:"zone" doc:"The name of the list: 7.2.0.192.ZONE stands for 192.0.2.7."`
}

// AuthPolicy is the door for Dovecot.
type AuthPolicy struct {
	Listen []string `yaml:"listen" doc:"Where Dovecot asks: HOST:PORT. [] closes the door."`
	Key    string   `yaml:"key" secret:"true" doc:"What Dovecot must send as auth_policy_server_api_header: X-Csmail-Key: …. Needed where others than Dovecot reach the port."`
	Report bool     `yaml:"report" doc:"Take Dovecot's reports on logins as events beside the logs. An attempt that stands in both counts once."`
}

// Policy is the door for Postfix.
type Policy struct {
	Listen         []string `yaml:"listen" doc:"Where Postfix asks: HOST:PORT, or unix:/var/spool/postfix/csmail/policy.sock. [] closes the door."`
	MXCode         int      `yaml:"mx_code" doc:"What a ban answers on port 25: 421 (mail of somebody innocent comes later) or 521 (it is returned)."`
	SubmissionCode int      `yaml:"submission_code" doc:"The same where users send their mail: 521 or 421."`
}

func defaultBouncer() Bouncer {
	return Bouncer{UpdateFrequency: Duration(10 * time.Second), Types: []string{"ban", "captcha"}, MaxDecisions: 250_000, RetryInitial: true}
}

func defaultEnforce() Enforce {
	return Enforce{
		AuthPolicy: AuthPolicy{Listen: []string{"127.0.0.1:10043"}, Report: true},
		Policy:     Policy{Listen: []string{"127.0.0.1:10040"}, MXCode: 421, SubmissionCode: 521},
		Countries:  Countries{Mode: CountriesOff, Learn: Duration(14 * 24 * time.Hour)},
		DNSBL:      DNSBL{Zone: "bl.csmail.internal"},
	}
}

// Enforces reports whether decisions are followed and enforced: a key of a bouncer, or a
// certificate, is there.
func (c Config) Enforces() bool { return c.BouncerKey() != "" || c.Bouncer.CertPath != "" }

// BouncerKey returns the key, under its present name or its former one.
func (c Config) BouncerKey() string {
	if c.Bouncer.APIKey != "" {
		return c.Bouncer.APIKey
	}
	return c.LAPI.BouncerKey
}

// checkEnforcement returns an error for settings that cannot be enforced.
func (c Config) checkEnforcement() error {
	if !c.Detect && !c.Enforces() {
		return hint.Wrap(fmt.Errorf("detect is false and bouncer.api_key is empty, so there is nothing to do"), "bouncer.api_key is what sudo cscli bouncers add csmail prints")
	}
	if c.Bouncer.UpdateFrequency <= 0 {
		return hint.Wrap(fmt.Errorf("bouncer.update_frequency %s: must be more than nothing", c.Bouncer.UpdateFrequency), "10s is the default")
	}
	if c.Bouncer.MaxDecisions < 1 {
		return hint.Wrap(fmt.Errorf("bouncer.max_decisions %d: must be at least 1", c.Bouncer.MaxDecisions), "leave the key out for the default")
	}
	for _, t := range c.Bouncer.Types {
		if t != "ban" && t != "captcha" {
			return hint.Wrap(fmt.Errorf("bouncer.supported_decisions_types %q: must be ban or captcha", t), "[ban, captcha] is the default; other types do nothing")
		}
	}
	for key, code := range map[string]int{"mx_code": c.Enforce.Policy.MXCode, "submission_code": c.Enforce.Policy.SubmissionCode} {
		if code != 421 && code != 521 {
			return hint.Wrap(fmt.Errorf("enforce.policy.%s %d: must be 421 or 521", key, code), "both end the session; 421 lets the mail come later, 521 returns it")
		}
	}
	if zone := c.Enforce.DNSBL.Zone; len(c.Enforce.DNSBL.Listen) > 0 && (len(strings.Trim(zone, ".")) == 0 || len(zone) > 180 || strings.ContainsAny(zone, " /_\\")) {
		return hint.Wrap(fmt.Errorf("enforce.dnsbl.zone %q: is no name of a zone", zone), "bl.csmail.internal is the default")
	}
	if err := c.checkCountries(); err != nil {
		return err
	}
	return c.Enforce.checkPlaces()
}

func (c Config) checkCountries() error {
	r := c.Enforce.Countries
	if !slices.Contains([]string{CountriesOff, CountriesReport, CountriesRefuse}, r.Mode) {
		return hint.Wrap(fmt.Errorf("enforce.countries.mode %q: must be off, report or refuse", r.Mode), "off is the default")
	}
	if r.Learn < Duration(24*time.Hour) || r.Learn > Duration(365*24*time.Hour) {
		return hint.Wrap(fmt.Errorf("enforce.countries.learn %s: must be from 1d to 365d", r.Learn), "14d is the default")
	}
	for _, code := range r.Home {
		if len(code) != 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return hint.Wrap(fmt.Errorf("enforce.countries.home %q: is no country", code), "two capital letters of ISO 3166, like DE; quote \"NO\"")
		}
	}
	if r.Mode != CountriesOff && (!c.Detect || !c.Enforces()) {
		return hint.Wrap(fmt.Errorf("enforce.countries.mode %q: needs detect and bouncer.api_key", r.Mode), "csmail learns from the log who logs in from where, and refuses at its doors")
	}
	return nil
}

// checkPlaces returns an error for an address where no door can listen.
func (e Enforce) checkPlaces() error {
	var seen []string
	for key, places := range map[string][]string{"auth_policy": e.AuthPolicy.Listen, "policy": e.Policy.Listen, "socketmap": e.Socketmap.Listen, "dnsbl": e.DNSBL.Listen} {
		for _, place := range places {
			if slices.Contains(seen, place) {
				return hint.Wrap(fmt.Errorf("enforce.%s.listen %q: another door is there", key, place), "each door needs a place of its own")
			}
			seen = append(seen, place)
			if strings.HasPrefix(place, "unix:/") || strings.HasPrefix(place, "/") {
				continue
			}
			if _, port, err := net.SplitHostPort(place); err != nil || port == "" {
				return hint.Wrap(fmt.Errorf("enforce.%s.listen %q: neither HOST:PORT nor unix:/PATH", key, place), "127.0.0.1:10040, or unix:/var/spool/postfix/csmail/policy.sock")
			}
		}
	}
	return nil
}
