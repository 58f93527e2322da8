package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/enforce/probe"
	"csmail/pkg/enforce/wiring"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/host"
)

// doorTest goes through the doors with a test client, and writes the answers.
type doorTest struct {
	w      io.Writer
	client *control.Client
	config config.Config
	state  *control.Enforcement
	addr   netip.Addr // of the client that the doors are asked about
	banned bool       // it is banned for the test
	failed error      // the first door or service that does not do its work
}

// fail keeps the first failure.
func (t *doorTest) fail(err error) {
	if t.failed == nil {
		t.failed = err
	}
}

func (t *doorTest) line(format string, args ...any) {
	fmt.Fprintf(t.w, format+"\n", args...) // to a terminal or a buffer
}

// doors asks every place of every door, as a mail server does.
func (t *doorTest) doors(ctx context.Context) {
	for _, d := range t.state.Doors {
		for _, place := range d.Places {
			began := time.Now()
			answer, err := t.ask(ctx, d.Name, place)
			took := time.Since(began).Round(10 * time.Microsecond)
			switch {
			case err != nil:
				t.line("! %s at %s: no answer: %v", d.Name, place, err)
				t.fail(hint.Wrap(fmt.Errorf("the door %s at %s does not answer", d.Name, place), "journalctl -u csmail tells more; the mail server lets everybody in meanwhile"))
			case t.banned && !isRefusal(d.Name, answer):
				t.line("! %s at %s lets %s in, after %s: %s", d.Name, place, t.addr, took, answer)
				t.fail(fmt.Errorf("the door %s at %s does not refuse a banned client", d.Name, place))
			default:
				t.line("%s at %s on %s, after %s: %s", d.Name, place, t.addr, took, answer)
			}
		}
	}
}

func (t *doorTest) ask(ctx context.Context, door, place string) (string, error) {
	switch door {
	case "policy":
		return probe.Policy(ctx, place, t.addr)
	case "auth-policy":
		return probe.AuthPolicy(ctx, place, t.config.Enforce.AuthPolicy.Key, t.addr)
	case "socketmap":
		return probe.Socketmap(ctx, place, t.addr)
	}
	answer, err := probe.BlockList(ctx, place, t.config.Enforce.DNSBL.Zone, t.addr)
	if answer == "" && err == nil {
		answer = "not listed"
	}
	return answer, err
}

// isRefusal reports whether a door's answer keeps a client out.
func isRefusal(door, answer string) bool {
	switch door {
	case "socketmap":
		return answer == "OK reject"
	case "dnsbl":
		return answer == "127.0.0.2"
	}
	return strings.Contains(answer, event.OwnMarker)
}

// services comes to each service that is wired, as a client would.
func (t *doorTest) services(ctx context.Context, wired wiring.Report) {
	for _, s := range wired.Services {
		switch {
		case !s.Asks:
			t.line("%s does not ask csmail: nobody is refused there", s.Name)
		case s.Name == "dovecot":
			t.dovecot(ctx)
		case s.Table != "":
			t.postscreen(ctx, s)
		default:
			t.smtpd(ctx, s)
		}
	}
}

// dovecot has Dovecot's auth process judge a login from the test client.
func (t *doorTest) dovecot(ctx context.Context) {
	out, err := host.TestLogin(ctx, probe.TestAccount, "csmail-test", t.addr)
	switch {
	case err != nil:
		t.line("? dovecot was not tried: %v (it takes root: sudo csmail enforce test)", err)
	case strings.Contains(out, event.OwnMarker):
		t.line("dovecot refuses a login from %s: %s", t.addr, reasonOf(out))
	default:
		t.line("! dovecot does not refuse a login from %s: %s", t.addr, strings.Join(strings.Fields(out), " "))
		t.fail(hint.Wrap(fmt.Errorf("dovecot does not refuse a banned client"), "sudo doveadm reload. Dovecot may not have read its settings, or it found csmail dead and does not ask it again yet: docs/enforcement.md, \"What happens when\""))
	}
}

// reasonOf finds the text for the client in the output of doveadm auth test.
func reasonOf(out string) string {
	for line := range strings.Lines(out) {
		if _, reason, ok := strings.Cut(line, "reason="); ok {
			return strings.TrimSpace(reason)
		}
	}
	return strings.TrimSpace(out)
}

// postscreen has Postfix look the test client up in the table that postscreen asks.
func (t *doorTest) postscreen(ctx context.Context, s wiring.Service) {
	out, err := host.LookUp(ctx, s.Table, t.addr.String())
	out = strings.TrimSpace(out)
	switch {
	case err != nil:
		t.line("! %s: Postfix cannot look %s up in %s: %v", s.Name, t.addr, s.Table, err)
		t.fail(fmt.Errorf("%s cannot ask csmail", s.Name))
	case out != "reject":
		t.line("! %s: Postfix finds %q for %s in %s", s.Name, out, t.addr, s.Table)
		t.fail(fmt.Errorf("%s does not refuse a banned client", s.Name))
	default:
		t.line("%s refuses %s before the greeting (postmap -q %s %s)", s.Name, t.addr, t.addr, s.Table)
	}
}

// smtpd connects to a service of Postfix from an address of this host. That one
// connection is banned, by its port.
func (t *doorTest) smtpd(ctx context.Context, s wiring.Service) {
	port, wrapped, ok := portOf(s.Name)
	if !ok {
		t.line("? %s was not tried: csmail does not know its port", s.Name)
		return
	}
	own, trusted := t.comesFrom(ctx)
	if !own.IsValid() {
		t.line("? %s was not tried: this host has no address but loopback", s.Name)
		return
	}
	got, err := probe.SMTP(ctx, own, netip.AddrPortFrom(own, port), wrapped, func(from netip.AddrPort) error { return t.client.Probe(ctx, from) })
	switch {
	case err != nil:
		t.line("? %s was not tried: a session from %s to port %d: %v", s.Name, own, port, err)
	case got.Ended && strings.Contains(got.Reply, event.OwnMarker):
		t.line("%s refuses a client from %s at %s: %s", s.Name, own, got.Stage, got.Reply)
	case trusted:
		t.line("? %s lets a client from %s in, which is in mynetworks; others are asked about: %s", s.Name, own, got.Reply)
	default:
		t.line("! %s does not refuse a client from %s: at %s it says %s", s.Name, own, got.Stage, got.Reply)
		t.fail(hint.Wrap(fmt.Errorf("%s does not refuse a banned client", s.Name), "has it read its settings? postfix reload; does something permit the client before csmail is asked? docs/enforcement.md has the lines"))
	}
}

// portOf returns the port of a service of master.cf, like submission/inet, and whether
// TLS comes first there. Behind postscreen it is port 25.
func portOf(service string) (port uint16, wrapped, ok bool) {
	name, kind, _ := strings.Cut(service, "/")
	if kind == "pass" {
		return 25, false, true
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	wellKnown := map[string]int{"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465, "urd": 465}
	n, known := wellKnown[name]
	if !known {
		var err error
		if n, err = net.LookupPort("tcp", name); err != nil {
			return 0, false, false
		}
	}
	return uint16(n), n == 465, true
}

// comesFrom chooses an address of this host, one outside of mynetworks if there is one.
func (t *doorTest) comesFrom(ctx context.Context) (own netip.Addr, trusted bool) {
	all, err := host.Addresses()
	if err != nil {
		return own, false
	}
	networks, _, _ := host.MyNetworks(ctx) // without them the result says why
	in := func(a netip.Addr) bool {
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
	}
	for _, a := range all {
		if !a.IsGlobalUnicast() || own.IsValid() && (!trusted || in(a)) {
			continue
		}
		own, trusted = a, in(a)
	}
	return own, trusted
}

// blockList asks this host's resolver about the test client.
func (t *doorTest) blockList(ctx context.Context) {
	if !slices.ContainsFunc(t.state.Doors, func(d control.Door) bool { return d.Name == "dnsbl" && len(d.Places) > 0 }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name := probe.ListName(t.config.Enforce.DNSBL.Zone, t.addr)
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil || !slices.Contains(found, "127.0.0.2") {
		t.line("? this host's resolver does not find %s: %v %v (docs/enforcement.md says how it finds the zone)", name, found, err)
		return
	}
	t.line("this host's resolver lists %s: %s", t.addr, strings.Join(found, " "))
}
