// Package cluster runs a whole csmail cluster on loopback, for the end-to-end tests and
// the demo: real nats-servers, edges, judges and a real Local API, each a process of its
// own that can be killed and started again. All of them end with the process that started
// them.
package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Process is a program that is started again after it was killed.
type Process struct {
	Name string
	Log  string // its standard error, of all its lives

	path string
	args []string
	env  []string // besides this process's

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts it, or starts it again.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = endsWithParent()
	if len(p.env) > 0 {
		p.cmd.Env = append(os.Environ(), p.env...)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return nil
}

// Signal sends it a signal.
func (p *Process) Signal(signal os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errors.New(p.Name + " was never started")
	}
	return p.cmd.Process.Signal(signal)
}

// Stop ends it by a signal and waits for its end.
func (p *Process) Stop(signal os.Signal) {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(signal)
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		_ = cmd.Process.Kill()
		<-done
	}
}

// HasEnded reports whether it runs no more.
func (p *Process) HasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Lab is the folder and the ports of one cluster.
type Lab struct {
	Dir    string
	Csmail string // path of the binary
	Nats   string

	Nodes   []*Process
	Servers []string // for cluster.servers
}

// FreePorts returns ports of loopback that nobody uses, and that no outgoing connection
// gets (ip_local_port_range begins at 32768), since a server that was killed wants its own
// again.
func FreePorts(n int) ([]int, error) {
	const first, end, tries = 12000, 32000, 1000
	var ports []int
	for range tries {
		port := first + rand.IntN(end-first)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no port of loopback is free")
}

// AddNodes makes three servers, and starts none.
func (l *Lab) AddNodes() error {
	ports, err := FreePorts(6)
	if err != nil {
		return err
	}
	var routes []string
	for _, port := range ports[3:] {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	for i := range 3 {
		name := fmt.Sprintf("n%d", i)
		// no_advertise: clients know the servers of their configuration alone, so that a
		// Gate can cut them off.
		conf := filepath.Join(l.Dir, name+".conf")
		text := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%d\njetstream { store_dir: %q, sync_interval: always, max_memory_store: 64MB, max_file_store: 1GB }\n"+
			"cluster { name: lab, no_advertise: true, listen: 127.0.0.1:%d, routes: [%s] }\n", name, ports[i], l.StoreOf(i), ports[3+i], strings.Join(routes, ", "))
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			return err
		}
		l.Nodes = append(l.Nodes, &Process{Name: name, Log: filepath.Join(l.Dir, name+".log"), path: l.Nats, args: []string{"-c", conf}})
		l.Servers = append(l.Servers, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	return nil
}

// StoreOf is the folder of a server's streams.
func (l *Lab) StoreOf(node int) string { return filepath.Join(l.Dir, fmt.Sprintf("store%d", node)) }

// Daemon makes a csmail run of a configuration.
func (l *Lab) Daemon(name, config string) (*Process, error) {
	path := filepath.Join(l.Dir, name+".yaml")
	if err := l.Configure(name, config); err != nil {
		return nil, err
	}
	return &Process{Name: name, Log: filepath.Join(l.Dir, name+".err"), path: l.Csmail, args: []string{"-c", path, "run"}}, nil
}

// Configure writes the configuration of a daemon, for its next start or reload.
func (l *Lab) Configure(name, config string) error {
	config += fmt.Sprintf("state: %[1]s/%[2]s.db\nsocket: %[1]s/%[2]s.sock\nreport: {enabled: false}\n", l.Dir, name)
	return os.WriteFile(filepath.Join(l.Dir, name+".yaml"), []byte(config), 0o600)
}

// Settings are the lines of a configuration that all hosts of the cluster share.
func (l *Lab) Settings(role, name string, judges, edges []string, late string) string {
	return fmt.Sprintf("cluster: {role: %s, name: %s, servers: [%s], judges: [%s], edges: [%s], every: 300ms, late: %s, replicas: 3}\n",
		role, name, strings.Join(l.Servers, ", "), strings.Join(judges, ", "), strings.Join(edges, ", "), late)
}
