//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Client is a host of the lab, in a network namespace of its own.
type Client struct {
	Name    string
	Addr    netip.Addr
	Hostile bool // a decision on its address is expected; else there must be none

	Patience time.Duration // with a server that says nothing; 0: sessionTimeout

	name  naming
	act   func(*Client) error
	ns    *netns
	smtps int // connections opened, for the lab to know when all is logged
	boxes int
}

// naming says what DNS knows about a client's address.
type naming int

const (
	verified naming = iota // a name that resolves back
	unnamed                // no PTR record
	dangling               // a name that does not exist
	borrowed               // a name that resolves to another address
	broken                 // SERVFAIL for the address
	stuck                  // a name, and SERVFAIL for that
	posing                 // a verified name that begins with the victim's address
	listed                 // verified, and on a DNS block list
	refused                // verified, and a DNS block list refuses to answer about it
)

// victim never connects. Hostile clients write its address wherever the
// protocols take text: no decision may ever name it.
const (
	victim   = "198.51.100.77"
	victimV6 = "2001:db8:77::77"
)

// scenario is one kind of behaviour, played by an IPv4 and an IPv6 client. Good
// and bad ones share the networks: a ban of the whole network would show.
type scenario struct {
	name    string
	v4, v6  string
	hostile bool
	naming  naming
	act     func(*Client) error
}

func clients() []*Client { return cast(scenarios()) }

// cast makes the clients of scenarios.
func cast(all []scenario) []*Client {
	var players []*Client
	for _, s := range all {
		for family, addr := range map[string]string{"v4": s.v4, "v6": s.v6} {
			players = append(players, &Client{
				Name: s.name + "-" + family, Addr: netip.MustParseAddr(addr),
				Hostile: s.hostile, name: s.naming, act: s.act,
			})
		}
	}
	return players
}

func (c *Client) isV4() bool { return c.Addr.Is4() }

// helo is what an honest client says.
func (c *Client) helo() string { return c.Name + ".example" }

// register writes what DNS shall know about the client.
func (c *Client) register(z *zone) {
	reverse, name := reverseName(c.Addr), c.helo()
	switch c.name {
	case unnamed:
		return
	case broken:
		z.Failing = append(z.Failing, reverse)
		return
	case posing:
		name = victim + "." + name
	}
	z.Names[reverse] = name
	switch c.name {
	case listed:
		z.list(c.Addr, "bl.example", "127.0.0.2", "Listed, see https://bl.example/query?ip="+c.Addr.String()+" [or "+victim+"]")
	case refused:
		z.list(c.Addr, "refusing.example", "127.255.255.254", "Error: open resolver; https://refusing.example/errors")
	}
	switch c.name {
	case stuck:
		z.Failing = append(z.Failing, name)
	case verified, posing, listed, refused:
		z.Addrs[name] = []netip.Addr{c.Addr}
	case borrowed:
		z.Addrs[name] = []netip.Addr{netip.MustParseAddr(victim), netip.MustParseAddr(victimV6)}
	}
}

// connect opens a connection to a port of the server.
func (c *Client) connect(port string) (net.Conn, error) {
	target := net.JoinHostPort(serverV4, port)
	if !c.isV4() {
		target = net.JoinHostPort(serverV6, port)
	}
	conn, err := c.ns.dial("tcp", target)
	if err != nil {
		return nil, err
	}
	if port == portIMAP || port == portPOP3 {
		c.boxes++
	} else {
		c.smtps++
	}
	return conn, conn.SetDeadline(time.Now().Add(cmp.Or(c.Patience, sessionTimeout)))
}

// join puts the client into its namespace and links it with the server.
func (c *Client) join(s *server, number int) error {
	ns, err := newNetns()
	if err != nil {
		return err
	}
	c.ns = ns
	port := fmt.Sprintf("port%d", number)
	gateway, size, flags := serverV4, "32", ""
	if !c.isV4() {
		gateway, size, flags = serverV6, "128", " nodad"
	}
	err = ns.ip(
		"link set lo up",
		"link add eth0 type veth peer name "+port+" netns "+s.netnsPath(),
		fmt.Sprintf("addr add %s/%s dev eth0%s", c.Addr, size, flags),
		"link set eth0 up",
		fmt.Sprintf("route add %s dev eth0 src %s", gateway, c.Addr),
	)
	if err != nil {
		return fmt.Errorf("client %s: %w", c.Name, err)
	}
	return s.ip("link set " + port + " master br0 up")
}
