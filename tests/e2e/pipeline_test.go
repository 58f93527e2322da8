//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// pipeline is a mail host with all that stands between an attack and its end:
// Postfix and Dovecot, csmail, CrowdSec and its bouncer of the firewall.
type pipeline struct {
	*lab
	t       *testing.T
	program string // csmail
	ns      *netns // the server's network
	lapi    *lapitest.Server
	bouncer *bouncer
	creds   string
	config  string // of csmail
	logFile string
	csmail  *child
}

// TestPipeline: who guesses at the real Postfix and Dovecot is shut out by the
// firewall, and nobody else is.
func TestPipeline(t *testing.T) {
	for name, kind := range map[string]struct {
		firewall
		v6 bool
	}{"an address in a set of nftables": {nftables(), false}, "an IPv6 network in a set of ipset": {ipset(), true}} {
		t.Run(name, func(t *testing.T) { testPipeline(t, kind.firewall, kind.v6) })
	}
}

func testPipeline(t *testing.T, kind firewall, v6 bool) {
	players := cast([]scenario{
		{"guess-imap", "203.0.113.13", "2001:db8:13::13", true, verified, guessIMAP},
		{"guess-smtp", "203.0.113.11", "2001:db8:11::11", true, unnamed, guessSMTP},
		{"good-mx", "198.51.100.56", "2001:db8:56::56", false, verified, deliver},
		{"reader", "203.0.113.51", "2001:db8:51::51", false, unnamed, readMail},
	})
	players = slices.DeleteFunc(players, func(c *Client) bool { return c.Hostile && c.isV4() == v6 })
	p := newPipeline(t, kind, players)
	if err := p.play(); err != nil {
		t.Fatalf("%v\nlog:\n%s", err, p.text())
	}
	p.judge()
	for _, c := range players {
		if c.Hostile {
			p.awaitBlocked(c)
			p.mustBeShutOut(c)
			p.mustBeExplained(c)
		}
	}
	for _, c := range players {
		if c.Hostile {
			continue
		}
		if err := c.act(c); err != nil {
			t.Errorf("%s after the bans: %v", c.Name, err)
		}
	}
	p.forgive(players[slices.IndexFunc(players, func(c *Client) bool { return c.Hostile })])
}

func newPipeline(t *testing.T, kind firewall, players []*Client) *pipeline {
	t.Helper()
	dir, err := os.MkdirTemp("", "csmail-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline{lab: &lab{dir: dir, clients: players}, t: t, program: buildProgram(t)}
	t.Cleanup(func() {
		if err := p.lab.close(nil); err != nil {
			t.Error(err)
		}
	})
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if p.ns, err = openNetns(p.server.netnsPath()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.ns.close)
	p.startCrowdSec(kind)
	p.startCsmail()
	return p
}

// startCrowdSec starts the LAPI, and the bouncer in the server's network.
func (p *pipeline) startCrowdSec(kind firewall) {
	p.lapi = startLAPI(p.t, lapitest.Current)
	way, err := forward(p.ns, strings.TrimSuffix(strings.TrimPrefix(p.lapi.URL, "http://"), "/"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := way.close(); err != nil {
			p.t.Error(err)
		}
	})
	key, err := p.lapi.AddBouncer(p.t.Context(), "firewall")
	if err != nil {
		p.t.Fatal(err)
	}
	if p.bouncer, err = startBouncer(p.ns, kind, p.t.TempDir(), way.address(), key); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.bouncer.stop)
	p.creds = p.machineAt(way.address())
}

// machineAt adds csmail to the LAPI's machines, with credentials for that address.
func (p *pipeline) machineAt(address string) string {
	path, err := p.lapi.AddMachine(p.t.Context(), "csmail")
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	write(p.t, p.lapi.Dir, "csmail.yaml", []byte(strings.Replace(string(text), p.lapi.URL, "http://"+address+"/", 1)))
	return filepath.Join(p.lapi.Dir, "csmail.yaml")
}

const pipelineWait = 30 * time.Second

// awaitBlocked waits until the firewall's set holds the client.
func (p *pipeline) awaitBlocked(c *Client) {
	p.t.Helper()
	p.await(c.Name+" is in the firewall's set", func() bool {
		blocked, err := p.bouncer.blocks(banned(c))
		if err != nil {
			p.t.Fatal(err)
		}
		return blocked
	})
}

func (p *pipeline) await(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), pipelineWait)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			p.t.Fatalf("not within %v: %s\ncsmail:\n%s\nbouncer:\n%s\nlog:\n%s", pipelineWait, what, p.complaints(), p.bouncer.out.String(), p.text())
		case <-tick.C:
		}
	}
}

// banned is what the ban of a client names: an IPv6 client stands for its /64.
func banned(c *Client) string {
	if c.isV4() {
		return c.Addr.String()
	}
	prefix, _ := c.Addr.Prefix(64) // of an IPv6 address there is one
	return prefix.String()
}

// mustBeShutOut: a connection gets no answer, on whichever port.
func (p *pipeline) mustBeShutOut(c *Client) {
	p.t.Helper()
	host := serverV4
	if !c.isV4() {
		host = serverV6
	}
	for _, port := range []string{"25", "587", portIMAP} {
		var err error
		c.ns.do(func() {
			var conn net.Conn
			if conn, err = net.DialTimeout("tcp", net.JoinHostPort(host, port), 1500*time.Millisecond); err == nil {
				_ = conn.Close()
			}
		})
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			p.t.Errorf("%s connects to port %s: %v, expected no answer", c.Name, port, err)
		}
	}
}

// mustBeExplained: an administrator finds out with cscli what happened.
func (p *pipeline) mustBeExplained(c *Client) {
	p.t.Helper()
	list := p.cscli("decisions", "list", "-o", "json", "--limit", "0")
	alert := ""
	for _, d := range decisions(p.t, p.lapi) {
		if d.Value == banned(c) {
			alert = fmt.Sprint(d.AlertID)
			if d.Type != "ban" || d.Origin != "crowdsec" || !strings.HasPrefix(d.Scenario, "csmail/") || d.Duration < 3*time.Hour {
				p.t.Errorf("decision on %s: %+v", c.Name, d)
			}
		}
	}
	if alert == "" {
		p.t.Errorf("no decision on %s: %s", c.Name, list)
		return
	}
	told := p.cscli("alerts", "inspect", alert, "-d")
	for _, want := range []string{c.Addr.String(), "csmail/auth-", "auth-failed", "log_line", "username", "guard", "csmail_id"} {
		if !strings.Contains(told, want) {
			p.t.Errorf("cscli alerts inspect does not show %q of %s:\n%s", want, c.Name, told)
		}
	}
}

// forgive: a person takes the ban back, and the client may come again.
func (p *pipeline) forgive(c *Client) {
	p.t.Helper()
	flag := "-i"
	if !c.isV4() {
		flag = "-r"
	}
	p.cscli("decisions", "delete", flag, banned(c))
	p.await(c.Name+" is out of the firewall's set", func() bool {
		blocked, err := p.bouncer.blocks(banned(c))
		return err == nil && !blocked
	})
	if err := readMail(c); err != nil {
		p.t.Errorf("%s after the ban was deleted: %v", c.Name, err)
	}
}

func (p *pipeline) cscli(args ...string) string {
	p.t.Helper()
	out, err := p.lapi.Cscli(p.t.Context(), args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

var givenProgram = flag.String("program", "", "the csmail to test; default: one that is built for it")

func buildProgram(t *testing.T) string {
	t.Helper()
	if *givenProgram != "" {
		return *givenProgram
	}
	program := filepath.Join(t.TempDir(), "csmail")
	if out, err := exec.Command("go", "build", "-o", program, "csmail/cmd/csmail").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// startCsmail has csmail see the log.
func (p *pipeline) startCsmail() {
	dir := p.t.TempDir()
	log := filepath.Join(dir, "mail.log")
	if err := p.log.writeTo(log); err != nil {
		p.t.Fatal(err)
	}
	p.config, p.logFile = writeHost(p.t, dir, p.creds, log), log
}

func (p *pipeline) judge() {
	if err := p.settle(); err != nil {
		p.t.Fatal(err)
	}
	c, err := startChild(p.ns, csmailCommand(p.program, p.config, "scan", "--push", p.logFile))
	if err != nil {
		p.t.Fatal(err)
	}
	<-c.done
	p.csmail = c
}

func (p *pipeline) complaints() string {
	if p.csmail == nil {
		return ""
	}
	return p.csmail.out.String()
}
