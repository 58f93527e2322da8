// Command cluster shows many mail hosts counted as one: three NATS servers, two judges, four
// edges and a real CrowdSec Local API on one machine, all on loopback, with the keys and the
// TLS that csmail cluster init makes. An attacker guesses a little on each host, which no host
// sees alone; then the judge that leads is killed, and another attacker comes. It leaves
// nothing running and nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"csmail/pkg/hint"
	"csmail/tests/cluster"
	"csmail/tests/lapitest"
)

func main() {
	csmail := flag.String("csmail", "bin/csmail", "the csmail binary")
	server := flag.String("nats", "tests/nats/bin/nats-server", "the nats-server binary")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *csmail, *server)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "demo: error: %v\n", err)
	if advice := hint.Of(err); advice != "" {
		fmt.Fprintf(os.Stderr, "demo: hint: %s\n", advice)
	}
	os.Exit(1)
}

// The attackers, whose addresses are nobody's.
const (
	first  = "203.0.113.7"
	second = "203.0.113.99"
)

var (
	edges  = []string{"mx1", "mx2", "mx3", "mx4"}
	judges = []string{"judge1", "judge2"}
)

// demo is the cluster while it runs.
type demo struct {
	*cluster.Lab
	lapi    *lapitest.Server
	running []*cluster.Process
	judges  map[string]*cluster.Process
}

func run(ctx context.Context, csmail, server string) (err error) {
	dir, err := os.MkdirTemp("", "csmail-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{Lab: &cluster.Lab{Dir: dir, Csmail: csmail, Nats: server}, judges: map[string]*cluster.Process{}}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	return d.play(ctx)
}

// start starts the LAPI, the servers, the judges and the edges.
func (d *demo) start(ctx context.Context) error {
	options, err := lapitest.Find(lapitest.Current)
	if err != nil {
		return err
	}
	say("a CrowdSec Local API on loopback")
	if d.lapi, err = lapitest.Start(ctx, options); err != nil {
		return err
	}
	say("csmail cluster init: 3 servers, judges %s, edges %s", strings.Join(judges, " "), strings.Join(edges, " "))
	if err := d.AddPlannedNodes(judges, edges); err != nil {
		return err
	}
	for _, n := range d.Nodes {
		if err := d.begin(n); err != nil {
			return err
		}
	}
	for _, name := range judges {
		credentials, err := d.lapi.AddMachine(ctx, name)
		if err != nil {
			return err
		}
		if d.judges[name], err = d.daemon(name, fmt.Sprintf("lapi: {credentials: %s}\n", credentials)); err != nil {
			return err
		}
	}
	for _, name := range edges {
		if err := os.WriteFile(d.log(name), nil, 0o600); err != nil {
			return err
		}
		if _, err := d.daemon(name, fmt.Sprintf("sources: [{source: file, filenames: [%s], timezone: UTC}]\n", d.log(name))); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) log(edge string) string { return filepath.Join(d.Dir, edge+".log") }

// daemon starts a csmail run with the section that the plan has for it.
func (d *demo) daemon(name, settings string) (*cluster.Process, error) {
	section, err := d.PlannedSettings(name)
	if err != nil {
		return nil, err
	}
	p, err := d.Daemon(name, section+settings)
	if err != nil {
		return nil, err
	}
	return p, d.begin(p)
}

func (d *demo) begin(p *cluster.Process) error {
	d.running = append(d.running, p)
	return p.Start()
}

// stop ends everything, and reports what does not end.
func (d *demo) stop() error {
	var all []error
	for i := len(d.running) - 1; i >= 0; i-- {
		d.running[i].Stop(syscall.SIGKILL)
		if !d.running[i].HasEnded() {
			all = append(all, fmt.Errorf("%s runs on", d.running[i].Name))
		}
	}
	if d.lapi != nil {
		all = append(all, d.lapi.Stop())
	}
	return errors.Join(all...)
}

func (d *demo) play(ctx context.Context) error {
	if err := d.await(ctx, "the edges are heard of", func() bool { return d.hearsAll(ctx, judges[0]) }); err != nil {
		return err
	}
	// The guesses have stamps of the seconds before; what is older than the hosts' first
	// words is not what this is about.
	time.Sleep(settled)
	say("%s guesses two passwords on each of four hosts", first)
	if err := d.attack(first); err != nil {
		return err
	}
	say("csmail scan --banned, of the log of each host alone")
	for _, name := range edges {
		out, err := d.output(ctx, "scan", "-q", "--banned", "--timezone", "UTC", "-o", "raw", d.log(name))
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d bans\n", name, strings.Count(out, "\n"))
	}
	say("no host sees it alone; the cluster does: cscli decisions list")
	if err := d.awaitBans(ctx, 1); err != nil {
		return err
	}
	leader, err := d.leader(ctx)
	if err != nil {
		return err
	}
	say("csmail cluster status, on %s", leader)
	if err := d.status(ctx, leader, os.Stdout); err != nil {
		fmt.Println("a server that is busy lags now and then: the demo goes on")
	}
	say("kill -9 %s, which leads; then %s guesses", leader, second)
	d.judges[leader].Stop(syscall.SIGKILL)
	if err := d.attack(second); err != nil {
		return err
	}
	if err := d.awaitBans(ctx, 2); err != nil {
		return err
	}
	say("nothing changed: the first ban stands, once, and the second attacker is banned by the other judge")
	return nil
}

// attack writes the guesses into the logs of the hosts.
func (d *demo) attack(addr string) error {
	for i, name := range edges {
		text := ""
		for k := range 2 {
			at := time.Now().UTC().Add(time.Duration(k-3) * time.Second)
			text += fmt.Sprintf("%s %s dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<user%d@example.org>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%x>\n",
				at.Format("2006-01-02T15:04:05.000000+00:00"), name, k, addr, at.UnixNano()+int64(i))
		}
		f, err := os.OpenFile(d.log(name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// awaitBans waits until so many addresses are banned, and shows them. One that stands
// twice is an error.
func (d *demo) awaitBans(ctx context.Context, n int) error {
	var last []lapitest.Decision
	err := d.await(ctx, fmt.Sprintf("%d bans", n), func() bool {
		decisions, err := d.lapi.Decisions(ctx)
		last = decisions
		return err == nil && len(decisions) >= n
	})
	if err != nil {
		return err
	}
	table, err := d.lapi.Cscli(ctx, "decisions", "list")
	fmt.Print(table)
	if err == nil && len(last) != n {
		err = fmt.Errorf("%d bans, want %d", len(last), n)
	}
	return err
}

// leader asks the judges which of them leads.
func (d *demo) leader(ctx context.Context) (string, error) {
	for _, name := range judges {
		out, err := exec.CommandContext(ctx, d.Csmail, "-c", d.config(name), "cluster", "status").Output()
		if _, ended := errors.AsType[*exec.ExitError](err); (err == nil || ended) && strings.Contains(string(out), "this judge leads") {
			return name, nil
		}
	}
	return "", errors.New("no judge leads")
}

func (d *demo) config(name string) string { return filepath.Join(d.Dir, name+".yaml") }

// hearsAll reports whether a judge runs and has heard of all edges.
func (d *demo) hearsAll(ctx context.Context, judge string) bool {
	out, _ := exec.CommandContext(ctx, d.Csmail, "-c", d.config(judge), "cluster", "status").Output() // its exit status is of the whole cluster
	return strings.Contains(string(out), "The cluster is ") && !strings.Contains(string(out), "never")
}

// status runs csmail cluster status on a judge.
func (d *demo) status(ctx context.Context, judge string, out ...*os.File) error {
	c := exec.CommandContext(ctx, d.Csmail, "-c", d.config(judge), "cluster", "status")
	if len(out) > 0 {
		c.Stdout, c.Stderr = out[0], os.Stderr
	}
	return c.Run()
}

// output runs csmail without a configuration, and returns what it prints.
func (d *demo) output(ctx context.Context, args ...string) (string, error) {
	if err := os.WriteFile(d.config("plain"), []byte("{}\n"), 0o600); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, d.Csmail, append([]string{"-c", d.config("plain")}, args...)...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	return string(out), err
}

// settled is how long all hosts run before somebody attacks.
const settled = 10 * time.Second

// patience is what a busy machine may need.
const patience = 2 * time.Minute

func (d *demo) await(ctx context.Context, what string, done func() bool) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(300 * time.Millisecond) {
		if done() {
			return nil
		}
	}
	for _, p := range d.running {
		text, _ := os.ReadFile(p.Log)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(os.Stderr, "%s:\n%s\n", p.Name, strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
	return errors.Join(fmt.Errorf("waited %s in vain: %s", patience, what), context.Cause(ctx))
}

func say(format string, args ...any) { fmt.Printf("\n\033[1m$ "+format+"\033[0m\n", args...) }
