package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// Cluster makes this host one of several that are counted as one (docs/cluster.md).
type Cluster struct {
	Role        string              `yaml:"role" doc:"edge: read the logs, join their lines, send them. judge: judge what the edges send, and deliver. Both words: both. Empty: alone. A change in this section takes a restart, except of edges and sites, which judges take over at a reload."`
	Name        string              `yaml:"name" doc:"The name under which the others know this host. It is part of the order in which lines are judged, so keep it. Default the host's name, with - for dots."`
	Servers     []string            `yaml:"servers" doc:"The NATS servers: tls://hub1.example.org:4222. Without TLS: nats://, for a network of your own only."`
	Credentials string              `yaml:"credentials" doc:"The file with this host's key, which csmail cluster init, edge add and judge add make. Empty: the servers ask for none."`
	CA          string              `yaml:"ca_cert_path" doc:"The certificates of who signs those of the servers. Default the system's."`
	Stream      string              `yaml:"stream" doc:"The name of the stream."`
	Replicas    int                 `yaml:"replicas" doc:"On how many servers the stream lies: 3, or 1 with a single server."`
	Every       Duration            `yaml:"every" doc:"How often an edge sends."`
	Late        Duration            `yaml:"late" doc:"How long the lines of the others wait for an edge that is silent. The same on all judges."`
	Buffer      string              `yaml:"buffer" doc:"How much an edge keeps for the judges, like 512MiB. Then it stops reading its logs, until they have it."`
	Judges      []string            `yaml:"judges" doc:"The names of all judges. An edge keeps what it sent until all of them have stored it."`
	Sites       map[string][]string `yaml:"sites" doc:"On judges: groups of edges that share their resolver, login service and tables, like {paris: [mx1, mx2]}: what is known of these on one of them holds for all. An edge that is in none is a site of its own."`
	Edges       []string            `yaml:"edges" doc:"On judges: the names of the edges that count. What others send is refused."`
}

// SendsAlerts reports whether csmail sends alerts to the LAPI, and so needs to be a machine
// there. An edge leaves that to the judges.
func (c Config) SendsAlerts() bool {
	return c.Detect && (!c.Cluster.IsEdge() || c.Cluster.IsJudge())
}

// IsEdge reports whether this host sends its facts to judges.
func (c Cluster) IsEdge() bool { return slices.Contains(c.roles(), "edge") }

// IsJudge reports whether this host judges the facts of edges.
func (c Cluster) IsJudge() bool { return slices.Contains(c.roles(), "judge") }

func (c Cluster) roles() []string {
	return strings.FieldsFunc(c.Role, func(r rune) bool { return r == ',' || r == ' ' })
}

// BufferBytes returns how many bytes an edge keeps at most.
func (c Cluster) BufferBytes() int64 {
	n, _ := parseSize(c.Buffer) // it was checked
	return n
}

// parseSize reads a number of bytes, like 512MiB.
func parseSize(text string) (int64, bool) {
	units := []struct {
		name  string
		bytes int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		var n int64
		if _, err := fmt.Sscanf(strings.TrimSpace(number)+"!", "%d!", &n); err != nil || n < 1 || n > 1<<20 {
			return 0, false
		}
		return n * u.bytes, true
	}
	return 0, false
}

// siteError returns why the sites cannot be used.
func (c Cluster) siteError() error {
	site := map[string]string{} // by edge
	for _, name := range slices.Sorted(maps.Keys(c.Sites)) {
		for _, edge := range c.Sites[name] {
			if other, known := site[edge]; known {
				return hint.Wrap(fmt.Errorf("cluster.sites: %s is in %s and in %s", edge, other, name), "an edge is in one site at most")
			}
			if !slices.Contains(c.Edges, edge) {
				return hint.Wrap(fmt.Errorf("cluster.sites: %s in %s is none of cluster.edges", edge, name), "name the edges as cluster.edges does")
			}
			site[edge] = name
		}
	}
	return nil
}

func defaultCluster() Cluster {
	return Cluster{Stream: "CSMAIL", Replicas: 3, Every: Duration(time.Second), Late: Duration(10 * time.Second), Buffer: "1GiB"}
}

func (c Config) checkCluster() error {
	k := c.Cluster
	for _, role := range k.roles() {
		if role != "edge" && role != "judge" {
			return hint.Wrap(fmt.Errorf("cluster.role %q: must be edge, judge, or both words", k.Role), "leave the key out for a host that counts alone")
		}
	}
	if k.Role == "" {
		return nil
	}
	switch {
	case len(k.Servers) == 0:
		return hint.Wrap(fmt.Errorf("cluster.servers: the list is empty"), "name the NATS servers, like tls://hub1.example.org:4222")
	case len(k.Judges) == 0:
		return hint.Wrap(fmt.Errorf("cluster.judges: the list is empty"), "an edge keeps what it sent until all judges have it, so it must know them")
	case k.IsJudge() && len(k.Edges) == 0:
		return hint.Wrap(fmt.Errorf("cluster.edges: the list is empty, so nothing would count"), "name the hosts that send")
	case k.Replicas < 1 || k.Replicas > 5:
		return hint.Wrap(fmt.Errorf("cluster.replicas %d: must be 1 to 5", k.Replicas), "3 with three servers, 1 with one")
	case time.Duration(k.Every) < 100*time.Millisecond || time.Duration(k.Every) > time.Minute:
		return hint.Wrap(fmt.Errorf("cluster.every %s: must be between 100ms and 1m", k.Every), "1s is the default")
	case k.Late < 3*k.Every:
		return hint.Wrap(fmt.Errorf("cluster.late %s: must be three times cluster.every at least", k.Late), "10s is the default")
	case k.IsJudge() && len(c.Guard.AllowNames) > 0:
		return hint.Wrap(fmt.Errorf("guard.allow_names: a judge of a cluster cannot go by names"), "their addresses change, and both judges must come to the same; guard.allow names networks")
	case k.siteError() != nil:
		return k.siteError()
	case !c.Detect:
		return hint.Wrap(fmt.Errorf("cluster.role is %s and detect is false", k.Role), "a host that only enforces decisions needs no cluster: its bouncer gets them from the LAPI")
	}
	if _, ok := parseSize(k.Buffer); !ok {
		return hint.Wrap(fmt.Errorf("cluster.buffer %q: is no size", k.Buffer), "write it like 512MiB or 2GiB")
	}
	return nil
}
