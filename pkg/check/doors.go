package check

import (
	"context"
	"fmt"
	"strings"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/enforce/wiring"
)

// doors looks whether Postfix and Dovecot ask csmail, and whether mail and logins go on
// when csmail is dead.
func (p *prober) doors(ctx context.Context) (string, []Finding) {
	settings, err := p.settings(ctx)
	if err != nil {
		return "", []Finding{{Warning, err.Error(), "run csmail check as root"}}
	}
	report := wiring.Read(wiring.Settings(settings), doorsOf(p.Config))
	var found []Finding
	for _, f := range report.Findings {
		level := Warning
		if f.Closes() {
			level = Critical
		}
		found = append(found, Finding{level, f.Service + ": " + f.Problem, f.Mend})
	}
	var asks, silent []string
	for _, s := range report.Services {
		if s.Asks {
			asks = append(asks, s.Name)
		} else {
			silent = append(silent, s.Name)
		}
	}
	if !p.Config.Enforces() {
		if len(asks) > 0 {
			found = append(found, warning("sudo csmail setup --enforce", "csmail has no bouncer key, and %s still asks it", strings.Join(asks, ", "))...)
		}
		return "csmail enforces nothing inside Postfix and Dovecot", found
	}
	if s, err := p.status(ctx); err == nil {
		found = append(found, closedDoors(p.Config, s.Enforcement)...)
	}
	if len(asks) == 0 && len(silent) > 0 {
		return "", append(found, warning("sudo csmail setup --enforce", "csmail is a bouncer, and neither Postfix nor Dovecot asks it")...)
	}
	if len(silent) > 0 {
		found = append(found, note("docs/enforcement.md has the lines", "these do not ask csmail: %s", strings.Join(silent, ", "))...)
	}
	return "csmail is asked by " + strings.Join(asks, ", "), found
}

func doorsOf(c config.Config) wiring.Doors {
	return wiring.Doors{Policy: c.Enforce.Policy.Listen, AuthPolicy: c.Enforce.AuthPolicy.Listen, Socketmap: c.Enforce.Socketmap.Listen}
}

// closedDoors returns the configured doors without csmail listening there.
func closedDoors(c config.Config, e *control.Enforcement) (found []Finding) {
	if e == nil {
		return nil // the bouncer's probe reports it
	}
	open := map[string]int{}
	for _, d := range e.Doors {
		open[d.Name] = len(d.Places)
	}
	for _, d := range []struct {
		name   string
		listen []string
	}{{"policy", c.Enforce.Policy.Listen}, {"auth-policy", c.Enforce.AuthPolicy.Listen}} {
		if open[d.name] < len(d.listen) {
			found = append(found, Finding{Critical, fmt.Sprintf("csmail run does not listen at the door %s: %s", d.name, strings.Join(d.listen, " ")), "sudo systemctl restart csmail; journalctl -u csmail says why"})
		}
	}
	return found
}
