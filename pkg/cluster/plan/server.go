package plan

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/cluster"
)

// The names of the files for a server.
const (
	serverConf = "nats-server.conf"
	serverCert = "server.pem"
	serverKey  = "server.key"
	serverCA   = "ca.pem"
)

// maxPayload is a little more than the largest batch with its header (wire.MaxBatch).
const maxPayload = 1<<20 + 8192

// ServerConf returns the whole nats-server.conf of a server.
//
// sync_interval: always has it write a message to the disk before it acknowledges it; its default of
// two minutes loses that with the power (nats-server issue 7564). csmail would send it
// again, and the judges would wait meanwhile.
func (p *Plan) ServerConf(s Server) string {
	var b strings.Builder
	folder := at(p.ServerFolder, s.Name)
	fmt.Fprintf(&b, `# Server %[1]s of a csmail cluster, for nats-server 2.12 or newer. csmail cluster writes this
# file anew when a host is added or removed: change the plan, not the file.

server_name: %[1]q
listen: %[2]q
http: "127.0.0.1:%[3]d" # for csmail check on this host
max_payload: %[4]d

jetstream {
  store_dir: %[5]q
  max_memory_store: 64MB
  max_file_store: 16GB
  sync_interval: always # what is acknowledged is on the disk
}

`, s.Name, listen(s.Host, s.Port), s.MonitorPort(), maxPayload, at(p.StoreFolder, s.Name))
	b.WriteString(tlsBlock("", folder, false))
	if len(p.Servers) > 1 {
		p.writeRoutes(&b, s, folder)
	}
	p.writeUsers(&b)
	return b.String()
}

// listen is all addresses if a server is known by a name, else its own.
func listen(host string, port int) string {
	if _, err := netip.ParseAddr(host); err != nil {
		host = "0.0.0.0" // Go listens on those of IPv6 too
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func tlsBlock(indent, folder string, verify bool) string {
	lines := []string{
		"tls {",
		fmt.Sprintf("  cert_file: %q", path.Join(folder, serverCert)),
		fmt.Sprintf("  key_file: %q", path.Join(folder, serverKey)),
		fmt.Sprintf("  ca_file: %q", path.Join(folder, serverCA)),
		"  min_version: \"1.3\"",
		"  timeout: 5",
	}
	if verify {
		lines = append(lines, "  verify: true # only servers have a certificate of this authority")
	}
	return indent + strings.Join(append(lines, "}"), "\n"+indent) + "\n"
}

func (p *Plan) writeRoutes(b *strings.Builder, s Server, folder string) {
	fmt.Fprintf(b, "\ncluster {\n  name: %q\n  listen: %q\n", p.Stream, listen(s.Host, s.RoutesPort()))
	b.WriteString(tlsBlock("  ", folder, true))
	b.WriteString("  routes: [\n")
	for _, o := range p.Servers {
		fmt.Fprintf(b, "    %q\n", "tls://"+net.JoinHostPort(o.Host, strconv.Itoa(o.RoutesPort())))
	}
	b.WriteString("  ]\n}\n")
}

// writeUsers writes the keys and their permissions. A key outside this list is refused.
//
// Each edge has an account of its own, and reaches its three subjects in the account of the
// stream by imports. Permissions alone are not enough: nats-server does not check the reply
// subject of a request (2.15.2, server/client.go), so an edge that asks for its own newest
// message, with the subject of another edge, the judges' orders or the lease as the reply,
// has the server write there. Answers to an import stay in the account of the asker.
func (p *Plan) writeUsers(b *strings.Builder) {
	fmt.Fprintf(b, "\naccounts {\n  %q {\n    jetstream: enabled\n", p.account())
	b.WriteString("    users: [\n")
	for _, name := range p.Names(Judge) {
		p.writeUser(b, "      ", name)
	}
	b.WriteString("    ]\n    exports: [\n")
	for _, name := range p.edgesOnly() {
		for _, subject := range cluster.PermissionsOf(name, p.Stream, true, false).Publish {
			fmt.Fprintf(b, "      { service: %q, accounts: [%q] }\n", subject, edgeAccount(name))
		}
	}
	b.WriteString("    ]\n  }\n")
	for _, name := range p.edgesOnly() {
		fmt.Fprintf(b, "  %q {\n    users: [\n", edgeAccount(name))
		p.writeUser(b, "      ", name)
		b.WriteString("    ]\n    imports: [\n")
		for _, subject := range cluster.PermissionsOf(name, p.Stream, true, false).Publish {
			fmt.Fprintf(b, "      { service: { account: %q, subject: %q } }\n", p.account(), subject)
		}
		b.WriteString("    ]\n  }\n")
	}
	b.WriteString("}\n")
	for _, h := range p.Edges {
		if !h.Distrusted.IsZero() {
			fmt.Fprintf(b, "# %s is distrusted since %s.\n", h.Name, h.Distrusted.Format(time.RFC3339))
		}
	}
}

// account is the one that the stream belongs to.
func (p *Plan) account() string { return "csmail-" + p.Stream }

// edgeAccount is without spaces: the servers write it into lines to each other as it is.
func edgeAccount(name string) string { return "edge-" + name }

// edgesOnly returns the trusted edges that are no judges: a judge is trusted with the whole
// stream anyway.
func (p *Plan) edgesOnly() (names []string) {
	for _, name := range p.Names(Edge) {
		if p.trusted(Judge, name) == nil {
			names = append(names, name)
		}
	}
	return names
}

func (p *Plan) writeUser(b *strings.Builder, indent, name string) {
	edge, judge := p.trusted(Edge, name), p.trusted(Judge, name)
	key := ""
	for _, h := range []*Host{edge, judge} {
		if h != nil {
			key = h.Key
		}
	}
	may := cluster.PermissionsOf(name, p.Stream, edge != nil, judge != nil)
	lines := []string{
		fmt.Sprintf("{ # %s", name),
		fmt.Sprintf("  nkey: %q", key),
		"  permissions {",
		fmt.Sprintf("    publish { allow: %s }", listText(may.Publish, indent+"      ")),
		fmt.Sprintf("    subscribe { allow: %s }", listText(may.Subscribe, indent+"      ")),
		"  }",
		"}",
	}
	b.WriteString(indent + strings.Join(lines, "\n"+indent) + "\n")
}

func listText(all []string, indent string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = strconv.Quote(s)
	}
	if len(quoted) == 1 {
		return "[" + quoted[0] + "]"
	}
	return "[\n" + indent + strings.Join(quoted, "\n"+indent) + "\n" + strings.TrimPrefix(indent, "  ") + "]"
}

// Everybody returns the names of all hosts, sorted. A host may be both edge and judge.
func (p *Plan) Everybody() []string {
	names := []string{}
	for _, h := range slices.Concat(p.Judges, p.Edges) {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *Plan) trusted(role Role, name string) *Host {
	if h := p.Find(role, name); h != nil && h.Distrusted.IsZero() {
		return h
	}
	return nil
}

// HostConf returns the section cluster of a host's csmail.yaml.
func (p *Plan) HostConf(name string) string {
	var roles []string
	if p.trusted(Edge, name) != nil {
		roles = append(roles, string(Edge))
	}
	isJudge := p.trusted(Judge, name) != nil
	if isJudge {
		roles = append(roles, string(Judge))
	}
	var servers []string
	for _, s := range p.Servers {
		servers = append(servers, strconv.Quote(s.Address()))
	}
	folder := at(p.HostFolder, name)
	text := fmt.Sprintf("cluster:\n  role: %s\n  name: %s\n  servers: [%s]\n  credentials: %q\n  ca_cert_path: %q\n", strings.Join(roles, ", "), name, strings.Join(servers, ", "),
		path.Join(folder, hostKey), path.Join(folder, hostCA))
	if p.Stream != "CSMAIL" {
		text += fmt.Sprintf("  stream: %s\n", p.Stream)
	}
	if p.Replicas != 3 {
		text += fmt.Sprintf("  replicas: %d\n", p.Replicas)
	}
	text += fmt.Sprintf("  judges: [%s]\n", strings.Join(p.Names(Judge), ", "))
	if isJudge {
		text += fmt.Sprintf("  edges: [%s]\n", strings.Join(p.Names(Edge), ", "))
	}
	return text
}
