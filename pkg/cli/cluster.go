package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/cluster"
	"csmail/pkg/cluster/plan"
	"csmail/pkg/config"
	"csmail/pkg/hint"
)

const clusterHelp = `Many mail hosts counted as one (docs/cluster.md). Edges read the logs, judges count what
all edges send, NATS servers bring it into one order.

  csmail cluster init           plan a cluster: write configuration and keys
  csmail cluster edge add mx5   a mail host more
  csmail cluster judge add j3   a judge more
  csmail cluster status         how the hosts and the servers are doing
  csmail cluster handover       have another judge deliver

The plan and all that is made of it lies in one folder of one host (--folder). Nothing is
copied to other hosts: each command says what is to be copied where.`

// newCluster returns csmail cluster.
func newCluster(std Streams, configPath *string) *cobra.Command {
	c := &cobra.Command{
		Use: "cluster", Short: "Many mail hosts counted as one", Long: clusterHelp, Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newClusterInit(std, configPath), newClusterHosts(std, configPath, plan.Edge), newClusterHosts(std, configPath, plan.Judge), newClusterStatus(std, configPath), newClusterHandover(std, configPath))
	return c
}

// defaultFolder is where the plan of a cluster lies.
const defaultFolder = "/etc/csmail/cluster"

func addFolder(c *cobra.Command, folder *string) {
	c.Flags().StringVar(folder, "folder", defaultFolder, "the folder of the plan")
}

const clusterInitHelp = `Plan a cluster, and write into one folder, for each server, a whole nats-server.conf with
a certificate, and for each edge and judge its key and the section for csmail.yaml.local. A key of
an edge may send what its host reads, and nothing else.

  csmail cluster init --judge judge1 --judge judge2 --edge mx1 --edge mx2 \
    --server hub1.example.org --server hub2.example.org \
    --server hub3.example.org

On a folder that has a plan, without flags, it writes the files again: keys and certificates
that are there stay.

With --create, on a judge, when the servers run: make the stream and the buckets now. The
first judge that runs does so, too.`

// clusterInitOptions are the flags of csmail cluster init.
type clusterInitOptions struct {
	folder                                string
	servers, judges, edges                []string
	stream                                string
	replicas                              int
	serverFolder, storeFolder, hostFolder string
	create                                bool
}

// newClusterInit returns csmail cluster init.
func newClusterInit(std Streams, configPath *string) *cobra.Command {
	var o clusterInitOptions
	c := &cobra.Command{
		Use: "init", Short: "Plan a cluster, and write what its hosts need", Long: clusterInitHelp, Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.create {
				return createStream(c.Context(), std, *configPath)
			}
			return runClusterInit(o, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	addFolder(c, &o.folder)
	f.StringArrayVar(&o.servers, "server", nil, "HOST or HOST:PORT of a NATS server; three of them, or one for a trial")
	f.StringArrayVar(&o.judges, "judge", nil, "the name of a judge; two of them")
	f.StringArrayVar(&o.edges, "edge", nil, "the name of a mail host")
	f.StringVar(&o.stream, "stream", "CSMAIL", "the name of the stream")
	f.IntVar(&o.replicas, "replicas", 0, "on how many servers the stream lies (default 3, or 1 with one server)")
	f.StringVar(&o.serverFolder, "server-folder", "/etc/nats", "where the files will lie on a server; {name} is its name")
	f.StringVar(&o.storeFolder, "store-folder", "/var/lib/nats", "where a server keeps the stream; {name} is its name")
	f.StringVar(&o.hostFolder, "host-folder", "/etc/csmail", "where the files will lie on an edge or a judge; {name} is its name")
	f.BoolVar(&o.create, "create", false, "only make the stream and the buckets, with the configuration of this judge")
	return c
}

func runClusterInit(o clusterInitOptions, std Streams) error {
	f := plan.Folder{Path: o.folder}
	p, err := planOf(o, f)
	if err != nil {
		return err
	}
	if err := f.Write(&p, time.Now()); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s\n\nCopy, as root:\n", counted(len(p.Servers), "server"), counted(len(p.Judges), "judge"), counted(len(p.Edges), "edge"))
	for _, s := range p.Servers {
		fmt.Fprintf(&b, "  %s/\n    to %s on %s\n", f.Server(s.Name), p.ServerFolderOf(s), s.Host)
	}
	for _, name := range p.Everybody() {
		fmt.Fprintf(&b, "  %s/\n    to %s on %s\n", f.Host(name), p.HostFolderOf(name), name)
	}
	b.WriteString("\nThen, in this order:\n  1. start nats-server -c .../nats-server.conf on all servers\n  2. append cluster.yaml of each judge to its csmail.yaml.local, and start csmail\n  3. the same on each edge\n")
	b.WriteString("The keys must be readable by the user csmail alone; ca.key stays here.\n")
	_, err = std.Out.Write([]byte(b.String()))
	return err
}

// planOf makes a plan of the flags, or takes the one of the folder.
func planOf(o clusterInitOptions, f plan.Folder) (plan.Plan, error) {
	asked := len(o.servers)+len(o.judges)+len(o.edges) > 0
	if f.Exists() {
		if asked {
			return plan.Plan{}, hint.Wrap(fmt.Errorf("there is a plan of a cluster in %s already", f.Path), "csmail cluster edge add and judge add change it; csmail cluster init without names writes its files again; --folder names another one")
		}
		return f.Load()
	}
	p := plan.Plan{Stream: o.stream, Replicas: o.replicas, ServerFolder: o.serverFolder, StoreFolder: o.storeFolder, HostFolder: o.hostFolder}
	for _, s := range o.servers {
		if err := p.AddServer(s); err != nil {
			return p, usageError{err}
		}
	}
	if p.Replicas == 0 {
		p.Replicas = min(3, len(p.Servers))
	}
	for _, list := range []struct {
		role  plan.Role
		names []string
	}{{plan.Judge, o.judges}, {plan.Edge, o.edges}} {
		for _, name := range list.names {
			if err := p.Add(list.role, name); err != nil {
				return p, usageError{err}
			}
		}
	}
	if err := p.Check(); err != nil {
		return p, usageError{err}
	}
	return p, nil
}

// clusterOptions are how this host reaches its cluster.
func clusterOptions(c config.Cluster) cluster.Options {
	return cluster.Options{Name: c.Name, Servers: c.Servers, Credentials: c.Credentials, CA: c.CA, Stream: c.Stream, Replicas: c.Replicas}
}

// createStream makes the stream and the buckets.
func createStream(ctx context.Context, std Streams, configPath string) error {
	c, err := config.Load(configPath)
	if err != nil {
		return configError{err}
	}
	if !c.Cluster.IsJudge() {
		return hint.Wrap(errors.New("this host is no judge"), "--create takes the key of a judge: run it there, or let the first judge do it when it starts")
	}
	o, err := quietOptions(c.Cluster)
	if err != nil {
		return err
	}
	if err := cluster.Create(ctx, o); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "the stream %s and the buckets CSMAIL and CSMAIL_AT are there\n", c.Cluster.Stream)
	return err
}
