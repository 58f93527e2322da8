package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// AddPlannedNodes makes three servers as csmail cluster init plans them, with keys and TLS,
// and starts none. Their files and those of the hosts lie in the folder "plan".
func (l *Lab) AddPlannedNodes(judges, edges []string) error {
	args := []string{
		"cluster", "init", "--folder", l.Plan(), "--server-folder", l.Plan() + "/servers/{name}", "--store-folder", l.Dir + "/store/{name}", "--host-folder", l.Plan() + "/hosts/{name}",
	}
	ports, err := freeTriples(3)
	if err != nil {
		return err
	}
	for _, port := range ports {
		args = append(args, "--server", fmt.Sprintf("127.0.0.1:%d", port))
	}
	for _, name := range judges {
		args = append(args, "--judge", name)
	}
	for _, name := range edges {
		args = append(args, "--edge", name)
	}
	if out, err := exec.Command(l.Csmail, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("csmail cluster init: %w: %s", err, out)
	}
	for i, port := range ports {
		name := fmt.Sprintf("n%d", i+1)
		conf := filepath.Join(l.Plan(), "servers", name, "nats-server.conf")
		l.Nodes = append(l.Nodes, &Process{Name: name, Log: filepath.Join(l.Dir, name+".log"), path: l.Nats, args: []string{"-c", conf}})
		l.Servers = append(l.Servers, fmt.Sprintf("tls://127.0.0.1:%d", port))
	}
	return nil
}

// Plan is the folder of the cluster's plan.
func (l *Lab) Plan() string { return filepath.Join(l.Dir, "plan") }

// PlannedSettings are the lines of a host's configuration that the plan has for it.
func (l *Lab) PlannedSettings(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(l.Plan(), "hosts", name, "cluster.yaml"))
	return string(text), err
}

// freeTriples returns ports that are free together with those for the routes and for the
// monitor of a server.
func freeTriples(n int) ([]int, error) {
	var ports []int
	for port := 20000; port < 30000 && len(ports) < n; port += 7 {
		if isFree(port) && isFree(port+2000) && isFree(port+4000) {
			ports = append(ports, port)
		}
	}
	if len(ports) < n {
		return nil, fmt.Errorf("only %d of %d ports are free", len(ports), n)
	}
	return ports, nil
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// Pid returns the number of the running process.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}
