package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/hint"
	"csmail/pkg/host"
)

// prober holds the inputs, and the answers that several probes need.
type prober struct {
	Inputs
	status   func(context.Context) (control.Status, error)
	greeting func(context.Context) (greeting, error)
	settings func(context.Context) (host.MailSettings, error)
}

// Probes returns the probes in the order of their output.
func Probes(in Inputs) []Probe {
	p := &prober{Inputs: in}
	p.status = once(in.Daemon.Status)
	p.settings = once(in.Mail)
	p.greeting = once(func(ctx context.Context) (g greeting, err error) {
		g.who, g.ahead, err = in.LAPI(ctx)
		return g, err
	})
	all := []Probe{
		{"service", p.service},
		{"logs", p.logs},
		{"lapi", p.lapi},
		{"agent", p.agent},
		{"bouncer", p.bouncer},
		{"doors", p.doors},
		{"clock", p.clock},
		{"state", p.state},
		{"scenarios", p.scenarios},
		{"files", p.files},
		{"postfix", p.postfix},
		{"dovecot", p.dovecot},
	}
	if in.Config.Cluster.Role != "" {
		all = append(all, Probe{"cluster", p.cluster})
	}
	return all
}

// once calls f a single time, with the context of the first caller.
func once[T any](f func(context.Context) (T, error)) func(context.Context) (T, error) {
	var ask sync.Once
	var answer T
	var err error
	return func(ctx context.Context) (T, error) {
		ask.Do(func() { answer, err = f(ctx) })
		return answer, err
	}
}

// ofError makes a critical finding of an error and its hint.
func ofError(err error) Finding { return Finding{Critical, err.Error(), hint.Of(err)} }

// service looks whether csmail run does its work.
func (p *prober) service(ctx context.Context) (string, []Finding) {
	s, err := p.status(ctx)
	if errors.Is(err, control.ErrNotRunning) {
		return "", critical("sudo systemctl enable --now csmail", "%v", err)
	}
	if err != nil {
		return "", []Finding{ofError(err)}
	}
	var found []Finding
	for _, trouble := range s.Troubles {
		found = append(found, Finding{Critical, trouble, "csmail status shows all; journalctl -u csmail says since when"})
	}
	if s.Reload != "" {
		found = append(found, warning("csmail run -t, then sudo systemctl reload csmail", "the last reload was refused: %s", s.Reload)...)
	}
	if p.Version != "" && s.Version != p.Version {
		found = append(found, warning("sudo systemctl restart csmail", "csmail %s is installed, and %s runs", p.Version, s.Version)...)
	}
	if s.Outbox.Parked > 0 {
		found = append(found, warning("csmail outbox list, then csmail outbox retry all", "the LAPI did not take %d alerts", s.Outbox.Parked)...)
	}
	return fmt.Sprintf("csmail %s runs since %s", s.Version, minute(s.Started)), found
}

func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// logs looks whether each log can be read and is written to.
func (p *prober) logs(ctx context.Context) (string, []Finding) {
	if !p.Config.Detect {
		return "detect is false: no log is read", nil
	}
	var found []Finding
	for _, err := range p.Logs(ctx) {
		found = append(found, ofError(err))
	}
	s, err := p.status(ctx)
	if err != nil {
		return "the logs can be read", found
	}
	var read []string
	for _, source := range s.Sources {
		text := source.Name + ": no line yet"
		if !source.LastLine.IsZero() {
			text = source.Name + ": the last line is of " + minute(source.LastLine)
		}
		read = append(read, text)
		if source.Error != "" {
			found = append(found, Finding{Critical, source.Name + ": " + source.Error, source.Hint})
		}
	}
	return strings.Join(read, "; "), append(found, p.hidden(s.Gateway)...)
}

// hidden finds by the log that the clients come from one address of this host or a private
// one, unless the administrator knows it: a proxy without the PROXY protocol, or a
// container's network, hides them, whatever the settings say.
func (p *prober) hidden(g *control.Gateway) []Finding {
	if g == nil {
		return nil
	}
	if addr, err := netip.ParseAddr(g.Addr); err == nil {
		for _, n := range slices.Concat(p.Config.Guard.Relays, p.Config.Guard.Allow) {
			if netip.Prefix(n).Contains(addr) {
				return nil
			}
		}
	}
	return warning("have the proxy or the container pass on the clients' addresses (host network, or smtpd_upstream_proxy_protocol and Dovecot's haproxy listeners); if it is a webmail: guard.relays: ["+g.Addr+"]",
		"%d %% of the connections in the log come from %s, so none of these clients can be banned", g.Percent, g.Addr)
}

// lowDisk is the least free space in bytes: a checkpoint writes the whole state.
const lowDisk = 200 << 20

// state tests whether csmail's state can be stored.
func (p *prober) state(ctx context.Context) (string, []Finding) {
	folder := filepath.Dir(p.Config.State)
	_, err := p.Files.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return "", critical("sudo install -d -o csmail -g csmail -m 0750 "+folder, "there is no folder for the state: %s", folder)
	}
	if err != nil {
		return "", []Finding{ofError(err)}
	}
	var found []Finding
	if free, err := p.Files.Free(folder); err != nil {
		found = warning("df "+folder, "how full the disk is is not known: %v", err)
	} else if free < lowDisk {
		found = warning("df "+folder, "%d MiB are free for %s, and it needs %d", free>>20, p.Config.State, lowDisk>>20)
	}
	s, err := p.status(ctx)
	if err != nil {
		return p.Config.State, found
	}
	if s.State.Error != "" {
		found = append(found, Finding{Critical, s.State.Error, s.State.Hint})
	}
	return fmt.Sprintf("%s, %d KiB", s.State.Path, s.State.Bytes>>10), found
}

// scenarios looks whether the scenarios load and can fire.
func (p *prober) scenarios(context.Context) (string, []Finding) {
	if !p.Config.Detect {
		return "detect is false: none is used", nil
	}
	set, err := p.Scenarios()
	if err != nil {
		return "", []Finding{ofError(err)}
	}
	var found []Finding
	for _, s := range set.Scenarios() {
		for _, remark := range s.Notes {
			found = append(found, Finding{Warning, s.Name + ": " + remark, "csmail scenarios lint shows more"})
		}
		if s.Kinds == 0 {
			found = append(found, Finding{Warning, s.Name + ": no kind of event passes its filter", "docs/events.md lists the kinds"})
		}
	}
	return fmt.Sprintf("%d scenarios of %s", len(set.Scenarios()), strings.Join(p.Config.Scenarios, " ")), found
}

// clock compares this host's clock with the LAPI's, and looks whether something sets it.
func (p *prober) clock(ctx context.Context) (string, []Finding) {
	var found []Finding
	text := "the LAPI's clock is not known"
	if answer, err := p.greeting(ctx); err == nil {
		text = "the LAPI's clock agrees"
		if answer.ahead.Abs() > apart {
			found = warning("chronyc tracking, or timedatectl timesync-status, on both hosts", "the LAPI's clock and this host's are %s apart: a ban ends by the LAPI's", answer.ahead.Abs().Round(time.Second))
		}
	}
	if !p.Programs.Has("timedatectl") {
		return text, found
	}
	out, err := p.Programs.Run(ctx, "timedatectl", "show")
	if err != nil {
		return text, found // no systemd here, as in a container
	}
	values := properties(out)
	switch {
	case values["CanNTP"] != "yes" || values["NTPSynchronized"] == "yes":
	case values["NTP"] == "no":
		found = append(found, warning("sudo timedatectl set-ntp true", "nothing sets this host's clock")...)
	default:
		found = append(found, warning("timedatectl timesync-status, or chronyc tracking", "this host's clock is not set yet by a time server")...)
	}
	return text, found
}

// apart is how far two clocks may differ. The guard and CrowdSec count in minutes.
const apart = 10 * time.Second

// properties reads lines of NAME=value.
func properties(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	return values
}
