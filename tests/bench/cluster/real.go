package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	pkgcluster "csmail/pkg/cluster"
	"csmail/pkg/control"
	"csmail/pkg/wire"
	"csmail/tests/cluster"
)

// rig is a cluster of real processes.
type rig struct {
	*cluster.Lab
	running []*cluster.Process
}

func newRig(o options, judges, edges []string) (*rig, error) {
	dir, err := os.MkdirTemp("", "csmail-bench")
	if err != nil {
		return nil, err
	}
	r := &rig{Lab: &cluster.Lab{Dir: dir, Csmail: o.csmail, Nats: o.nats}}
	if err := r.AddPlannedNodes(judges, edges); err != nil {
		return r, err
	}
	if err := r.letJudgesSend(); err != nil {
		return r, err
	}
	for _, n := range r.Nodes {
		if err := r.begin(n); err != nil {
			return r, err
		}
	}
	return r, nil
}

// letJudgesSend has the key of a judge send for all edges: one client that does is faster
// than a thousand, and they are not what is measured.
func (r *rig) letJudgesSend() error {
	confs, err := filepath.Glob(filepath.Join(r.Plan(), "servers", "*", "nats-server.conf"))
	if err != nil {
		return err
	}
	for _, path := range confs {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(`"csmail.in._judges"`), []byte(`"csmail.in.>"`)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) begin(p *cluster.Process) error {
	if err := p.Start(); err != nil {
		return err
	}
	r.running = append(r.running, p)
	return nil
}

func (r *rig) close() {
	for _, p := range slices.Backward(r.running) {
		p.Stop(syscall.SIGKILL)
	}
	_ = os.RemoveAll(r.Dir) // what is left lies in the folder of temporary files
}

// daemon starts a csmail run with the section that the plan has for it.
func (r *rig) daemon(name, settings string) (*cluster.Process, error) {
	section, err := r.PlannedSettings(name)
	if err != nil {
		return nil, err
	}
	p, err := r.Daemon(name, section+settings)
	if err != nil {
		return nil, err
	}
	return p, r.begin(p)
}

// catchUp has a judge of one core read what the hosts sent while it was away.
func catchUp(o options) error {
	h := newHosts(o)
	h.now = h.now.Add(-time.Duration(o.seconds) * time.Second)
	r, err := newRig(o, []string{"judge"}, h.names)
	if r != nil {
		defer r.close()
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	facts, last, err := r.fill(ctx, h, o.seconds)
	if err != nil {
		return err
	}
	fmt.Printf("%d facts in %d messages wait in the stream\n", facts, last)
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil {
		return err
	}
	began := time.Now()
	judge, err := r.daemon("judge", "lapi: {credentials: "+filepath.Join(r.Dir, "none.yaml")+"}\n")
	if err != nil {
		return err
	}
	if err := os.Unsetenv("GOMAXPROCS"); err != nil {
		return err
	}
	client := control.NewClient(filepath.Join(r.Dir, "judge.sock"))
	for {
		status, err := client.Status(ctx)
		if err == nil && status.Cluster != nil && status.Cluster.Judge.Sequence >= last {
			break
		}
		if judge.HasEnded() || ctx.Err() != nil {
			return fmt.Errorf("the judge: %w: %v", errEnded, tail(judge.Log))
		}
		time.Sleep(200 * time.Millisecond)
	}
	took, spent := time.Since(began), cpuOf(judge.Pid())
	fmt.Printf("csmail run as a judge on one core takes them in %.1f s (%.1f s of processor time), %.2f us a fact, %.1f times the pace; resident %d MiB\n",
		took.Seconds(), spent.Seconds(), micros(spent, facts), float64(o.seconds)/took.Seconds(), residentOf(judge.Pid())>>20)
	return nil
}

func tail(path string) string {
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// fill sends what the hosts have to say.
func (r *rig) fill(ctx context.Context, h *hosts, seconds int) (facts int, last uint64, err error) {
	folder := filepath.Join(r.Plan(), "hosts", "judge")
	o := pkgcluster.Options{Name: "judge", Servers: r.Servers, Credentials: filepath.Join(folder, "cluster.nkey"), CA: filepath.Join(folder, "cluster-ca.pem"), Stream: "CSMAIL", Replicas: 3}
	if err := pkgcluster.Create(ctx, o); err != nil {
		return 0, 0, err
	}
	publisher, err := r.publisher()
	if err != nil {
		return 0, 0, err
	}
	for range seconds {
		var answers []jetstream.PubAckFuture
		for _, b := range h.second() {
			facts += b.facts
			wire.SetSent(b.data, time.Now(), 0)
			a, err := publisher.PublishAsync("csmail.in."+b.host, b.data)
			if err != nil {
				return 0, 0, err
			}
			answers = append(answers, a)
		}
		for _, a := range answers {
			select {
			case ack := <-a.Ok():
				last = max(last, ack.Sequence)
			case err := <-a.Err():
				return 0, 0, err
			case <-ctx.Done():
				return 0, 0, context.Cause(ctx)
			}
		}
	}
	return facts, last, nil
}

// publisher connects with the judge's key.
func (r *rig) publisher() (jetstream.JetStream, error) {
	pem, err := os.ReadFile(filepath.Join(r.Plan(), "ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	key, err := nats.NkeyOptionFromSeed(filepath.Join(r.Plan(), "hosts", "judge", "cluster.nkey"))
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(strings.Join(r.Servers, ","), key, nats.CustomInboxPrefix("_INBOX_judge"), nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}))
	if err != nil {
		return nil, err
	}
	return jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2000))
}

// idle measures ten hosts that have nothing to say, two of which are judges.
func idle(o options) error {
	judges, edges := []string{"judge1", "judge2"}, []string{"mx1", "mx2", "mx3", "mx4", "mx5", "mx6", "mx7", "mx8"}
	r, err := newRig(o, judges, edges)
	if r != nil {
		defer r.close()
	}
	if err != nil {
		return err
	}
	var all []*cluster.Process
	for _, name := range slices.Concat(judges, edges) {
		settings := "lapi: {credentials: " + filepath.Join(r.Dir, "none.yaml") + "}\n"
		if slices.Contains(edges, name) {
			log := filepath.Join(r.Dir, name+".log")
			if err := os.WriteFile(log, nil, 0o600); err != nil {
				return err
			}
			settings = fmt.Sprintf("sources: [{source: file, filenames: [%s]}]\n", log)
		}
		p, err := r.daemon(name, settings)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	time.Sleep(20 * time.Second) // until all of them have found each other
	before := map[string]time.Duration{}
	for _, p := range r.running {
		before[p.Name] = cpuOf(p.Pid())
	}
	time.Sleep(o.idle)
	var csmails, servers time.Duration
	for _, p := range r.running {
		spent := cpuOf(p.Pid()) - before[p.Name]
		if slices.Contains(all, p) {
			csmails += spent
		} else {
			servers += spent
		}
		fmt.Printf("idle %-7s %.2f %% of a core, %d MiB\n", p.Name, 100*spent.Seconds()/o.idle.Seconds(), residentOf(p.Pid())>>20)
	}
	fmt.Printf("an idle cluster of ten: csmail %.2f %% of a core altogether, the three servers %.2f %%\n", 100*csmails.Seconds()/o.idle.Seconds(), 100*servers.Seconds()/o.idle.Seconds())
	return nil
}

// cpuOf returns the processor time of a process (proc(5), /proc/pid/stat, fields 14, 15).
func cpuOf(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var ticks int
	for _, f := range fields[11:13] {
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// residentOf returns the resident memory of a process in bytes.
func residentOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n * os.Getpagesize()
}
