// Package plan is the plan of a cluster: its NATS servers, judges and edges, and the files
// that each of them needs: nats-server.conf with the permissions of every key, certificates
// of an authority of the cluster's own, keys, and a section for csmail.yaml.
//
// All of it lies in one folder on the administrator's host. The plan itself is its file
// plan.yaml; the rest is made of that, and made again when a host is added or removed. Secret
// keys are made once and never changed. For example, the folder of a cluster of two hosts:
//
//	plan.yaml                   the hosts of the cluster
//	ca.pem, ca.key              the authority that signs the servers' certificates
//	servers/hub1/...            to be copied to /etc/nats of that server
//	hosts/mx1/...               to be copied to /etc/csmail of that host
//
// The package connects to nothing and copies nothing to another host. The configuration is
// that of nats-server 2.12 (server/opts.go).
package plan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/hint"
)

// Plan is the hosts of a cluster, and where their files will lie.
type Plan struct {
	Stream   string   `yaml:"stream"`
	Replicas int      `yaml:"replicas"` // on so many servers the stream lies
	Servers  []Server `yaml:"servers"`
	Judges   []Host   `yaml:"judges"`
	Edges    []Host   `yaml:"edges"`

	// The folders on the servers and on the hosts. {name} stands for the name of each.
	ServerFolder string `yaml:"server_folder"`
	StoreFolder  string `yaml:"store_folder"`
	HostFolder   string `yaml:"host_folder"`
}

// Server is one NATS server.
type Server struct {
	Name string `yaml:"name"`
	Host string `yaml:"host"` // a DNS name or an address, as the others reach it
	Port int    `yaml:"port"` // for csmail
}

// Ports of a server beside the one for csmail: nats-server's own numbers if that is 4222.
const (
	DefaultPort  = 4222
	routesAfter  = 2000 // 6222: between the servers
	monitorAfter = 4000 // 8222: on loopback, for csmail check
)

// RoutesPort is where the other servers come to.
func (s Server) RoutesPort() int { return s.Port + routesAfter }

// MonitorPort is where the server shows its state on loopback.
func (s Server) MonitorPort() int { return s.Port + monitorAfter }

// Address is where csmail connects to.
func (s Server) Address() string {
	return "tls://" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}

// Host is an edge or a judge.
type Host struct {
	Name string `yaml:"name"`
	Key  string `yaml:"key"` // its public nkey

	// Distrusted is when its key was taken away, the zero time if it was not.
	Distrusted time.Time `yaml:"distrusted,omitempty"`
}

// Role is a host's part in a cluster.
type Role string

// The roles.
const (
	Edge  Role = "edge"
	Judge Role = "judge"
)

// AddServer adds a server, written as HOST or HOST:PORT. Its name is the first label of
// its host name.
func (p *Plan) AddServer(text string) error {
	s := Server{Host: strings.Trim(text, "[]"), Port: DefaultPort}
	if host, port, err := net.SplitHostPort(text); err == nil {
		number, err := strconv.Atoi(port)
		if err != nil || number < 1 || number+monitorAfter > 65535 {
			return badServer(text)
		}
		s.Host, s.Port = host, number
	}
	_, err := netip.ParseAddr(s.Host)
	s.Name, _, _ = strings.Cut(s.Host, ".")
	if isAddr := err == nil; isAddr || slices.ContainsFunc(p.Servers, func(o Server) bool { return o.Name == s.Name }) {
		s.Name = fmt.Sprintf("n%d", len(p.Servers)+1)
	}
	if cluster.CheckName(s.Name) != nil || strings.ContainsAny(s.Host, " \"{}/\\") {
		return badServer(text)
	}
	for _, o := range p.Servers {
		if o.Host == s.Host && o.Port == s.Port {
			return hint.Wrap(fmt.Errorf("server %q: it is named twice", text), "three servers are three hosts, or three ports of one host for a trial")
		}
	}
	p.Servers = append(p.Servers, s)
	return nil
}

func badServer(text string) error {
	return hint.Wrap(fmt.Errorf("server %q: must be HOST or HOST:PORT", text), "name it as the mail hosts reach it, like hub1.example.org or hub1.example.org:4222")
}

// hosts returns the list of a role.
func (p *Plan) hosts(role Role) *[]Host {
	if role == Judge {
		return &p.Judges
	}
	return &p.Edges
}

// Find returns the host of a role, nil if there is none of that name.
func (p *Plan) Find(role Role, name string) *Host {
	list := *p.hosts(role)
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// Add adds a host without a key; [Folder.Write] makes one. A host that was distrusted gets a
// new key by being removed and added again.
func (p *Plan) Add(role Role, name string) error {
	if err := cluster.CheckName(name); err != nil {
		return err
	}
	if have := p.Find(role, name); have != nil {
		if !have.Distrusted.IsZero() {
			return hint.Wrap(fmt.Errorf("%s is distrusted since %s", name, have.Distrusted.Format(time.RFC3339)), "csmail cluster %s remove %s first: then it gets a new key", role, name)
		}
		return hint.Wrap(fmt.Errorf("%s is in the cluster already, as %s", name, role), "csmail cluster init writes its files again")
	}
	list := p.hosts(role)
	*list = append(*list, Host{Name: name})
	slices.SortFunc(*list, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// Remove takes a host out of a role.
func (p *Plan) Remove(role Role, name string) error {
	if p.Find(role, name) == nil {
		return p.unknown(role, name)
	}
	list := p.hosts(role)
	*list = slices.DeleteFunc(*list, func(h Host) bool { return h.Name == name })
	return nil
}

// Distrust takes the key of an edge away.
func (p *Plan) Distrust(name string, now time.Time) error {
	h := p.Find(Edge, name)
	if h == nil {
		return p.unknown(Edge, name)
	}
	if p.Find(Judge, name) != nil {
		return hint.Wrap(fmt.Errorf("%s is a judge too, and its key may do what a judge does", name), "csmail cluster judge remove %s first", name)
	}
	if h.Distrusted.IsZero() {
		h.Distrusted = now.UTC().Truncate(time.Second)
	}
	return nil
}

func (p *Plan) unknown(role Role, name string) error {
	known := p.Names(role)
	return hint.Wrap(fmt.Errorf("no %s is called %q", role, name), "the plan knows: %s", strings.Join(known, ", "))
}

// Names returns the names of the hosts of a role that are trusted, sorted.
func (p *Plan) Names(role Role) []string {
	names := []string{}
	for _, h := range *p.hosts(role) {
		if h.Distrusted.IsZero() {
			names = append(names, h.Name)
		}
	}
	return names
}

// Check returns an error if no cluster can be made of the plan.
func (p *Plan) Check() error {
	switch n := len(p.Servers); {
	case n == 0:
		return hint.Wrap(fmt.Errorf("the cluster has no server"), "csmail cluster init --server hub1.example.org --server hub2.example.org --server hub3.example.org")
	case n == 2 || n > 5:
		return hint.Wrap(fmt.Errorf("%d servers", n), "three, so that one may fail; one for a trial. With two nothing works as soon as one is away")
	case p.Replicas < 1 || p.Replicas > n:
		return hint.Wrap(fmt.Errorf("%d replicas on %d servers", p.Replicas, n), "leave --replicas out: it is 3, or 1 with a single server")
	case len(p.Judges) == 0:
		return hint.Wrap(fmt.Errorf("the cluster has no judge"), "csmail cluster init --judge NAME, twice: the second one takes over when the first fails")
	}
	for _, name := range p.Everybody() {
		if err := cluster.CheckName(name); err != nil {
			return err
		}
	}
	if strings.ContainsAny(p.Stream, " .*>\"\\/") || p.Stream == "" {
		return hint.Wrap(fmt.Errorf("%q is no name of a stream", p.Stream), "letters, digits, - and _, like CSMAIL")
	}
	for _, folder := range []string{p.ServerFolder, p.StoreFolder, p.HostFolder} {
		if !strings.HasPrefix(folder, "/") || strings.ContainsAny(folder, "\"\n\\") {
			return hint.Wrap(fmt.Errorf("the folder %q: must be a whole path", folder), "like /etc/nats; {name} stands for the name of each server or host")
		}
	}
	return nil
}

// at puts the name of a server or host into the path of a folder.
func at(folder, name string) string { return strings.ReplaceAll(folder, "{name}", name) }

// ServerFolderOf is where the files of a server will lie.
func (p *Plan) ServerFolderOf(s Server) string { return at(p.ServerFolder, s.Name) }

// HostFolderOf is where the files of an edge or a judge will lie.
func (p *Plan) HostFolderOf(name string) string { return at(p.HostFolder, name) }
