package check

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/setup"
)

// greeting is the LAPI's answer to csmail's login.
type greeting struct {
	who   string
	ahead time.Duration // of the LAPI's clock
}

// lapi looks whether the LAPI takes csmail's alerts.
func (p *prober) lapi(ctx context.Context) (string, []Finding) {
	switch {
	case !p.Config.Detect:
		return "detect is false: no alert is sent", nil
	case !p.Config.SendsAlerts():
		return "this host is an edge: the judges send its alerts", nil
	}
	answer, err := p.greeting(ctx)
	if err != nil {
		return "", []Finding{ofError(err)}
	}
	var found []Finding
	switch {
	case p.Config.LAPI.Simulate:
		found = note("take lapi.simulate out of /etc/csmail/csmail.yaml.local", "bans are only simulated")
	case p.Config.LAPI.Simulates(p.Now()):
		found = note("take lapi.simulate_until out of /etc/csmail/csmail.yaml.local to ban at once", "bans are only simulated until %s", p.Config.LAPI.SimulateUntil)
	}
	return "it takes " + answer.who, found
}

// agent looks whether CrowdSec's agent bans from the same log.
func (p *prober) agent(ctx context.Context) (string, []Finding) {
	if !p.Config.Detect {
		return "detect is false: the agent may read the mail log", nil
	}
	if !p.Programs.Has("cscli") {
		return "there is no cscli on this host", nil
	}
	collections, err := setup.HubCollections(ctx, p.Programs)
	if err != nil {
		return "", []Finding{{Warning, err.Error(), "run csmail check as root"}}
	}
	if len(collections) > 0 {
		return "", warning("sudo cscli collections remove "+strings.Join(collections, " ")+" && sudo systemctl reload crowdsec",
			"the agent bans from the mail log too, without csmail's guard: %s", strings.Join(collections, ", "))
	}
	lone, err := p.mailScenarios(ctx)
	if err != nil {
		return "", []Finding{{Warning, err.Error(), "run csmail check as root"}}
	}
	if len(lone) > 0 {
		return "", warning("sudo cscli scenarios remove "+strings.Join(lone, " ")+" && sudo systemctl reload crowdsec",
			"the agent bans from the mail log too, without csmail's guard: %s", strings.Join(lone, ", "))
	}
	return "the agent has no scenario for the mail log", nil
}

// mailScenarios returns the agent's scenarios for Postfix and Dovecot, and csmail's own
// if both the agent and csmail run use them.
func (p *prober) mailScenarios(ctx context.Context) (found []string, err error) {
	out, err := p.Programs.Run(ctx, "cscli", "scenarios", "list", "-o", "json")
	if err != nil {
		return nil, fmt.Errorf("asking cscli for the agent's scenarios: %w", err)
	}
	var list struct{ Scenarios []struct{ Name string } }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("reading cscli's list of scenarios: %w", err)
	}
	for _, s := range list.Scenarios {
		author, name, _ := strings.Cut(s.Name, "/")
		if author == "csmail" || strings.Contains(name, "postfix") || strings.Contains(name, "dovecot") || strings.Contains(name, "postscreen") {
			found = append(found, s.Name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// bouncer tests whether the bans are enforced: by csmail itself, or by another bouncer of
// this host's LAPI.
func (p *prober) bouncer(ctx context.Context) (string, []Finding) {
	if p.Config.Enforces() {
		return p.ownBouncer(ctx)
	}
	if !p.Programs.Has("cscli") {
		return "the LAPI is on another host", note("on the LAPI's host: sudo cscli bouncers list", "which bouncers enforce the bans is not known here")
	}
	out, err := p.Programs.Run(ctx, "cscli", "bouncers", "list", "-o", "json")
	if err != nil {
		return "", []Finding{{Warning, fmt.Sprintf("asking cscli for the bouncers: %v", err), "run csmail check as root"}}
	}
	return judgeBouncers(out, p.Now())
}

// stale is how long a bouncer may be silent: the slowest of CrowdSec's own ask each
// minute.
const stale = 15 * time.Minute

// judgeBouncers reads the list that cscli bouncers list -o json prints.
func judgeBouncers(text string, now time.Time) (string, []Finding) {
	var list []struct {
		Name     string    `json:"name"`
		Revoked  bool      `json:"revoked"`
		LastPull time.Time `json:"last_pull"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return "", warning("sudo cscli bouncers list", "reading cscli's list of bouncers: %v", err)
	}
	var silent []string
	for _, b := range list {
		if !b.Revoked && now.Sub(b.LastPull) < stale {
			return fmt.Sprintf("%s asked at %s", b.Name, minute(b.LastPull)), nil
		}
		silent = append(silent, b.Name)
	}
	if len(silent) == 0 {
		return "", warning("sudo csmail setup --enforce, or: sudo apt install crowdsec-firewall-bouncer-nftables", "no bouncer is there, so a ban keeps no client out")
	}
	return "", warning("sudo cscli bouncers list; is its service running?", "no bouncer asks the LAPI: %s", strings.Join(silent, ", "))
}

// ownBouncer looks whether csmail follows the LAPI's decisions.
func (p *prober) ownBouncer(ctx context.Context) (string, []Finding) {
	if err := p.Key(ctx); err != nil {
		return "", []Finding{ofError(err)}
	}
	s, err := p.status(ctx)
	if err != nil {
		return "the LAPI takes the key", nil // the probe service reports that csmail run is dead
	}
	e := s.Enforcement
	if e == nil {
		return "", critical("sudo systemctl restart csmail", "a bouncer is configured, and csmail run follows no decisions")
	}
	limit := max(3*time.Duration(p.Config.Bouncer.UpdateFrequency), time.Minute)
	var found []Finding
	switch {
	case e.Error != "":
		found = []Finding{{Critical, e.Error, e.Hint}}
	case e.LastPull.IsZero() && p.Now().Sub(s.Started) > limit, !e.LastPull.IsZero() && p.Now().Sub(e.LastPull) > limit:
		found = critical("journalctl -u csmail", "csmail has not asked the LAPI for %s", limit)
	}
	if e.DryRun {
		found = append(found, note("take enforce.dry_run out of /etc/csmail/csmail.yaml.local", "a dry run: no client is refused")...)
	}
	if e.LeftOut > 0 {
		found = append(found, warning("raise bouncer.max_decisions", "there was no room for %d decisions", e.LeftOut)...)
	}
	return fmt.Sprintf("csmail has %d decisions, asked at %s", e.Decisions, minute(e.LastPull)), found
}

var _ Daemon = (*control.Client)(nil)
