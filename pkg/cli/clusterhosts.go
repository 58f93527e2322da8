package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/cluster/plan"
	"csmail/pkg/config"
	"csmail/pkg/daemon"
	"csmail/pkg/hint"
)

// newClusterHosts returns csmail cluster edge, or csmail cluster judge.
func newClusterHosts(std Streams, configPath *string, role plan.Role) *cobra.Command {
	c := &cobra.Command{
		Use: string(role), Short: "Add or remove " + article(role), Args: noCommand,
		Long: "Change who belongs to the cluster, in the folder of its plan, and say what is to be copied\nwhere, in which order.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		changePlan(std, role, "add", "Make a key for "+article(role)+" more", func(p *plan.Plan, name string) error { return p.Add(role, name) }, added),
		changePlan(std, role, "remove", "Take "+article(role)+" out of the cluster", func(p *plan.Plan, name string) error { return p.Remove(role, name) }, removed),
	)
	if role == plan.Edge {
		distrust := changePlan(std, role, "distrust", "Take away the key of an edge that was broken into", func(p *plan.Plan, name string) error { return p.Distrust(name, time.Now()) }, distrusted)
		distrust.Long = distrustHelp
		distrust.RunE = thenOrderJudges(distrust.RunE)
		c.AddCommand(distrust)
	} else {
		c.AddCommand(newAdopt(std, configPath))
	}
	return c
}

const adoptHelp = `Give this judge the memory of another one, out of a copy of that one's state file: for a judge
that has lost its disk, or is new. Without it a judge delivers nothing, since it does not know
which clients had logged in before. A host that is an edge, too, keeps what it has to send.

  1. systemctl stop csmail   on both judges
  2. copy the state file of the other judge (/var/lib/csmail/csmail.db) to this
     host, beside its own, readable for the user csmail
  3. sudo -u csmail csmail cluster judge adopt /var/lib/csmail/copy.db
  4. systemctl start csmail  on both judges`

// newAdopt returns csmail cluster judge adopt.
func newAdopt(std Streams, configPath *string) *cobra.Command {
	return &cobra.Command{
		Use: "adopt FILE", Short: "Give this judge the memory of another one", Long: adoptHelp,
		Args: oneArg("copy of a judge's state file", "csmail cluster judge adopt /var/lib/csmail/copy.db"),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := config.Load(*configPath)
			if err != nil {
				return configError{err}
			}
			if err := daemon.AdoptJudge(c, args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(std.Out, "%s has what the other judge knew; start csmail on both\n", c.State)
			return err
		},
	}
}

const distrustHelp = `Take away the key of an edge that was broken into. Its name stays in the plan, so that
nobody adds it again by mistake.

The judges get the order at once, with the key of one of them: from there on the edge counts for
nothing, and whatever it reported excuses nobody any more, also after a restart: logins, mail
that was taken, names of providers, trouble of its services and those of its site, and
addresses of its own. A proof that another edge reported, too, is that one's alone. If the
servers do not answer, run the same command again.

What the host reported against clients was counted. It can have accused anybody, as with the LAPI
credentials of any host: csmail puts the hosts into each alert ("hosts" in cscli alerts
inspect), so look through those that name it.`

// orderWithin bounds the time in which the servers must take an order.
const orderWithin = 5 * time.Second

// thenOrderJudges returns a command that orders the judges to distrust an edge, after it has
// changed the plan.
func thenOrderJudges(change func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := change(c, args); err != nil {
			return err
		}
		f := plan.Folder{Path: c.Flag("folder").Value.String()}
		p, err := f.Load()
		if err != nil {
			return err
		}
		o := f.Judge(&p)
		o.Log = slog.New(slog.DiscardHandler)
		ctx, cancel := context.WithTimeout(c.Context(), orderWithin)
		defer cancel()
		if err := daemon.DistrustEdge(ctx, o, args[0]); err != nil {
			return hint.Wrap(fmt.Errorf("the plan is changed, but the judges did not get the order: %w", err), "run the same command again when the servers answer: until then what %s reported still excuses its clients", args[0])
		}
		return nil
	}
}

func article(role plan.Role) string {
	if role == plan.Edge {
		return "an edge"
	}
	return "a judge"
}

// changePlan returns a command that changes one host of the plan and writes the files anew.
func changePlan(std Streams, role plan.Role, verb, short string, change func(*plan.Plan, string) error, next func(*strings.Builder, plan.Folder, *plan.Plan, plan.Role, string)) *cobra.Command {
	var folder string
	c := &cobra.Command{
		Use: verb + " NAME", Short: short, Long: short + ", write the files of all servers and hosts anew, and say what is to be copied where.",
		Args: oneArg("name of "+article(role), "csmail cluster "+string(role)+" "+verb+" mx5"),
		RunE: func(_ *cobra.Command, args []string) error {
			f := plan.Folder{Path: folder}
			p, err := f.Load()
			if err != nil {
				return err
			}
			if err := change(&p, args[0]); err != nil {
				return err
			}
			if err := f.Write(&p, time.Now()); err != nil {
				return err
			}
			if err := f.Forget(&p, args[0]); err != nil {
				return err
			}
			var b strings.Builder
			next(&b, f, &p, role, args[0])
			_, err = std.Out.Write([]byte(b.String()))
			return err
		},
	}
	addFolder(c, &folder)
	return c
}

// serversFirst says how the servers get to know the permissions.
func serversFirst(b *strings.Builder, f plan.Folder) {
	fmt.Fprintf(b, "  1. copy %s/nats-server.conf to each server, and restart\n     nats-server there, one after the other (a reload does not do)\n", f.Server("NAME"))
}

func added(b *strings.Builder, f plan.Folder, p *plan.Plan, role plan.Role, name string) {
	fmt.Fprintf(b, "%s is %s of the cluster now. What is left, in this order:\n", name, article(role))
	serversFirst(b, f)
	copied := fmt.Sprintf("copy %s/ to %s on %s,\n     append its cluster.yaml to csmail.yaml.local", f.Host(name), p.HostFolderOf(name), name)
	if role == plan.Edge {
		fmt.Fprintf(b, "  2. on each judge, one after the other: cluster.edges: [%s],\n     and reload csmail\n  3. %s, and restart csmail there\n", strings.Join(p.Names(plan.Edge), ", "), copied)
		return
	}
	fmt.Fprintf(b, "  2. %[2]s; csmail does not run there yet\n  3. stop csmail on an older judge, copy its state file to %[1]s, run\n     csmail cluster judge adopt there with the copy, and start csmail on both\n", name, copied)
	fmt.Fprintf(b, "  4. on all others: cluster.judges: [%s], and restart csmail.\n     From then on edges keep what %s has not stored\n", strings.Join(p.Names(plan.Judge), ", "), name)
}

func removed(b *strings.Builder, f plan.Folder, p *plan.Plan, role plan.Role, name string) {
	fmt.Fprintf(b, "%s is not %s of the cluster any more. What is left, in this order:\n", name, article(role))
	fmt.Fprintf(b, "  1. stop csmail on %s, or take the section cluster out of its csmail.yaml.local\n", name)
	where, key, apply := "each judge", "edges", "reload"
	if role == plan.Judge {
		where, key, apply = "all others", "judges", "restart"
	}
	fmt.Fprintf(b, "  2. on %s: cluster.%s: [%s], and %s csmail\n", where, key, strings.Join(p.Names(role), ", "), apply)
	fmt.Fprintf(b, "  3. copy %s/nats-server.conf to each server, and restart\n     nats-server there, one after the other (a reload does not do)\n", f.Server("NAME"))
}

func distrusted(b *strings.Builder, f plan.Folder, p *plan.Plan, _ plan.Role, name string) {
	fmt.Fprintf(b, "%s is distrusted. Its key is worth nothing once this is done:\n", name)
	serversFirst(b, f)
	fmt.Fprintf(b, "  2. on each judge: cluster.edges: [%s],\n     and reload csmail: then %s can be added again later\n", strings.Join(p.Names(plan.Edge), ", "), name)
	fmt.Fprintf(b, "  3. look through the alerts that name %s: cscli alerts list,\n     cscli alerts inspect ID; csmail unban for whom it accused wrongly\n", name)
	fmt.Fprintf(b, "After a clean installation: csmail cluster edge remove %[1]s, then edge add %[1]s.\n", name)
}
