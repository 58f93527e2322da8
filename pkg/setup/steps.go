package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"csmail/pkg/hint"
)

// account makes the user of csmail run, where the package did not.
func (p *planner) account() error {
	if _, err := p.host.Run(p.ctx, "getent", "passwd", serviceUser); err == nil {
		return nil
	}
	p.add(Step{
		Title: "make the user csmail", Why: "csmail run needs no privilege and has a user of its own.",
		Do:   []Action{{Run: []string{"useradd", "--system", "--home-dir", "/var/lib/csmail", "--no-create-home", "--shell", "/usr/sbin/nologin", serviceUser}}},
		Undo: []Action{{Run: []string{"userdel", serviceUser}}},
	})
	return nil
}

// logs gives the user the groups that may read the logs.
func (p *planner) logs() error {
	names, err := p.host.Run(p.ctx, "id", "-nG", serviceUser)
	if err != nil {
		names = "" // the user is made by the step before
	}
	var missing []string
	for _, group := range []string{"systemd-journal", "adm"} {
		if _, err := p.host.Run(p.ctx, "getent", "group", group); err == nil && !slices.Contains(strings.Fields(names), group) {
			missing = append(missing, group)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	p.add(Step{
		Title: "let csmail read the log", Why: "The journal belongs to systemd-journal, Debian's log files to adm.",
		Do: []Action{{Run: []string{"usermod", "-a", "-G", strings.Join(missing, ","), serviceUser}}},
	})
	return nil
}

// isRegistered reports whether csmail has credentials for a Local API, or a token to get
// some.
func (p *planner) isRegistered() (bool, error) {
	if _, err := p.host.ReadFile(CredentialsPath); err == nil {
		return true, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("looking for the LAPI's credentials: %w", err)
	}
	return p.local.has("lapi", "registration_token"), nil
}

// ownCredentialsPath is where csmail run writes the credentials with which it registered
// itself. /etc/csmail is not its own.
const ownCredentialsPath = "/var/lib/csmail/lapi_credentials.yaml"

// token has csmail run register itself at a LAPI on another host.
func (p *planner) token() error {
	if p.options.Token == "" {
		return nil
	}
	if p.options.LAPI == "" {
		return hint.Wrap(errors.New("a token is given, and no LAPI"), "--lapi http://lapi.example.org:8080 says where it is")
	}
	p.local.set("lapi", "url", p.options.LAPI)
	p.local.set("lapi", "registration_token", p.options.Token)
	p.local.secret = true
	p.local.set("lapi", "credentials", ownCredentialsPath)
	return nil
}

// machine registers csmail at the Local API of this host.
func (p *planner) machine() error {
	if p.options.Token != "" {
		return nil
	}
	if registered, err := p.isRegistered(); err != nil {
		return err
	} else if registered {
		return p.credentialRights()
	}
	if !p.host.Has("cscli") {
		return hint.Wrap(errors.New("there is no cscli on this host, so csmail cannot be registered"),
			"install CrowdSec, or, if its LAPI runs elsewhere: csmail setup --lapi URL --token TOKEN (of its auto_registration)")
	}
	p.add(Step{
		Title: "register at CrowdSec's Local API", Why: "csmail pushes its alerts there; cscli decisions list shows the bans.",
		Do: []Action{
			{Run: []string{"cscli", "machines", "add", serviceUser, "--auto", "--force", "-f", CredentialsPath}},
			{Run: ownCredentials},
			{Run: lockCredentials},
		},
		Undo: []Action{{Run: []string{"cscli", "machines", "delete", serviceUser}, Optional: true}, {Remove: CredentialsPath}},
	})
	return nil
}

var (
	ownCredentials  = []string{"chown", "root:" + serviceUser, CredentialsPath}
	lockCredentials = []string{"chmod", "0640", CredentialsPath}
)

// credentialRights mends the rights of the credentials, where a run of setup ended
// before it set them.
func (p *planner) credentialRights() error {
	rights, err := p.host.Run(p.ctx, "stat", "-c", "%G %a", CredentialsPath)
	if err != nil || strings.TrimSpace(rights) == serviceUser+" 640" {
		return nil // with a token the file is csmail's own, elsewhere
	}
	p.add(Step{
		Title: "let csmail read its credentials", Why: "They belong to root, and csmail run is not root.",
		Do: []Action{{Run: ownCredentials}, {Run: lockCredentials}},
	})
	return nil
}

// hubCollections are those of CrowdSec's hub that judge the same logs without the
// guard.
var hubCollections = []string{"crowdsecurity/postfix", "crowdsecurity/dovecot"}

// hub takes the hub's mail collections out of the agent.
func (p *planner) hub() error {
	if p.options.KeepHub || !p.host.Has("cscli") {
		return nil
	}
	installed, err := HubCollections(p.ctx, p.host)
	if err != nil {
		return err
	}
	if len(installed) == 0 {
		return nil
	}
	p.add(Step{
		Title: "remove " + strings.Join(installed, " and ") + " from the agent",
		Why:   "CrowdSec's own setup installs them. They ban from the same log without csmail's guard, and each attack makes two alerts.",
		Do: []Action{
			{Run: append([]string{"cscli", "collections", "remove"}, installed...)},
			{Run: []string{"systemctl", "reload", "crowdsec"}, Optional: true},
		},
		Undo: []Action{
			{Run: append([]string{"cscli", "collections", "install"}, installed...)},
			{Run: []string{"systemctl", "reload", "crowdsec"}, Optional: true},
		},
	})
	return nil
}

// Programs are the programs of a host, a part of [Host].
type Programs interface {
	Run(ctx context.Context, name string, args ...string) (string, error)
	Has(name string) bool
}

// HubCollections returns the mail collections of CrowdSec's hub that the agent has, in
// the order of their names.
func HubCollections(ctx context.Context, programs Programs) ([]string, error) {
	out, err := programs.Run(ctx, "cscli", "collections", "list", "-o", "json")
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("asking cscli for the hub's collections: %w", err), "run csmail setup as root, with CrowdSec configured: cscli version")
	}
	var list struct {
		Collections []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("reading cscli's list of collections: %w", err)
	}
	var installed []string
	for _, c := range list.Collections {
		if slices.Contains(hubCollections, c.Name) {
			installed = append(installed, c.Name)
		}
	}
	slices.Sort(installed)
	return installed, nil
}

// simulation lets the first day's alerts only be simulated, on a new
// installation. It comes before the registration, so that a run of setup that ends
// between them leaves nothing that bans.
func (p *planner) simulation() error {
	before, err := p.host.ReadFile(LocalPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if p.local, err = readLocal(before, err == nil); err != nil {
		return err
	}
	registered, err := p.isRegistered()
	if err != nil || registered || p.options.Live || p.options.Simulate <= 0 {
		return err
	}
	p.local.set("lapi", "simulate_until", p.options.Now.Add(p.options.Simulate).UTC().Format("2006-01-02T15:04:05Z"))
	return nil
}

// service starts csmail run.
func (p *planner) service() error {
	if !p.host.Has("systemctl") || !p.host.IsDir("/run/systemd/system") {
		return nil
	}
	_, enabled := p.host.Run(p.ctx, "systemctl", "is-enabled", "--quiet", "csmail.service")
	_, active := p.host.Run(p.ctx, "systemctl", "is-active", "--quiet", "csmail.service")
	if enabled != nil || active != nil {
		p.add(Step{
			Title: "start csmail", Why: "It follows the log, and starts again with the host.",
			Do:   []Action{{Run: []string{"systemctl", "enable", "--now", "csmail.service"}}},
			Undo: []Action{{Run: []string{"systemctl", "disable", "--now", "csmail.service"}}},
		})
	} else if len(p.steps) > 0 {
		p.add(Step{Title: "restart csmail", Why: "Its configuration changed.", Do: []Action{{Run: []string{"systemctl", "restart", "csmail.service"}}}})
	}
	if _, err := p.host.Run(p.ctx, "systemctl", "is-enabled", "--quiet", "csmail-report.timer"); err != nil {
		p.add(Step{
			Title: "send the daily report to root", Why: "report.mail.to of the configuration names somebody else.",
			Do:   []Action{{Run: []string{"systemctl", "enable", "--now", "csmail-report.timer"}}},
			Undo: []Action{{Run: []string{"systemctl", "disable", "--now", "csmail-report.timer"}}},
		})
	}
	return nil
}

// configuration writes the settings that the other steps need into csmail.yaml.local.
func (p *planner) configuration() error {
	s, err := p.writeLocal()
	if err != nil || s.Title == "" {
		return err
	}
	if p.options.Token != "" {
		s.Undo = append([]Action{{Unregister: ownCredentialsPath}}, s.Undo...)
	}
	p.add(s)
	return nil
}

// writeLocal returns the step that writes the keys that were set since the last one; the
// zero Step if there are none.
func (p *planner) writeLocal() (Step, error) {
	if !p.local.isChanged() {
		return Step{}, nil
	}
	after, err := p.local.text()
	if err != nil {
		return Step{}, err
	}
	undo := Action{Remove: LocalPath, Wrote: after}
	if p.local.isThere {
		undo = Action{Write: LocalPath, Content: p.local.before, Wrote: after, Mode: 0o640, Owner: "root:" + serviceUser}
	}
	s := Step{
		Title: "write " + LocalPath, Why: "This file is laid over csmail.yaml; packages never touch it. It sets " + strings.Join(p.local.added, ", ") + ".",
		Do:   []Action{{Write: LocalPath, Content: after, Mode: 0o640, Owner: "root:" + serviceUser, Secret: p.local.secret}},
		Undo: []Action{undo},
	}
	p.local.before, p.local.isThere, p.local.added = after, true, nil
	return s, nil
}
