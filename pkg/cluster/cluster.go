// Package cluster lets many mail hosts be counted as one, over NATS JetStream. Edges
// publish the batches of facts that they have stored, each under a subject of its own, and
// keep them until every judge has a checkpoint beyond them. Judges read one stream in its
// order, hold a lease that lets one of them deliver, and say how far they are.
//
// The server orders and distributes; it is trusted to keep nothing. Whatever it loses, also
// all of it, edges send again. The package decides nothing about a client, reads no log and
// writes no file. Its messages are pkg/wire's, and pkg/merge puts them in order.
//
//	csmail.in.<edge>           batches of an edge, in the stream CSMAIL
//	csmail.in._judges          orders of people, for all judges
//	KV CSMAIL: leader          the judge that delivers
//	KV CSMAIL_AT: <judge>.<edge>  up to where a judge has stored the facts of an edge
package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"csmail/pkg/hint"
)

// Options are the cluster's servers and this host's name and key there.
type Options struct {
	Name        string // of this host, as the others know it
	Servers     []string
	Credentials string // the file with the seed of an nkey; "": none
	CA          string // the file with the certificates that sign the servers'; "": the system's
	Stream      string
	Replicas    int
	Log         *slog.Logger
}

// nameForm is the form of a name, a token of a subject.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// NameOf makes the name of a host out of its host name: mx1.example.org is mx1-example-org,
// since a dot divides subjects.
func NameOf(hostname string) string {
	name := []byte(hostname)
	for i, c := range name {
		if c == '.' || c == '_' {
			name[i] = '-'
		}
	}
	return string(name)
}

// CheckName returns an error for a name that no subject can hold.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%q is no name of a host in a cluster", name), "letters, digits and - only, 63 at most, like mx1-example-org")
}

const (
	subjects      = "csmail.in."
	orders        = subjects + "_judges"
	leaseBucket   = "CSMAIL"
	atBucket      = "CSMAIL_AT"
	leaderKey     = "leader"
	requestWithin = 5 * time.Second
)

// Conn is a connection that comes back by itself.
type Conn struct {
	nc      *nats.Conn
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	refused error // the last refusal of the server, since the caller only sees a timeout
}

// Connect connects to the first server that answers. While none does, it goes on trying
// in the background, and calls fail meanwhile.
func Connect(o Options) (*Conn, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &Conn{options: o, log: o.Log}
	settings := []nats.Option{
		nats.Name("csmail " + o.Name), nats.CustomInboxPrefix("_INBOX_" + o.Name),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1), nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(3 * time.Second),
		nats.ErrorHandler(c.noteError), nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("the cluster's server is gone; another is tried", "error", err)
			}
		}),
		nats.ConnectHandler(func(nc *nats.Conn) { o.Log.Info("connected to the cluster", "server", nc.ConnectedUrlRedacted()) }),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			o.Log.Info("connected to the cluster again", "server", nc.ConnectedUrlRedacted())
		}),
	}
	if o.Credentials != "" {
		key, err := nats.NkeyOptionFromSeed(o.Credentials)
		if err != nil {
			return nil, hint.Wrap(fmt.Errorf("cluster.credentials %s: %w", o.Credentials, err), "csmail cluster init, edge add and judge add make one for each host: cluster.nkey")
		}
		settings = append(settings, key)
	}
	if o.CA != "" {
		pool, err := authorities(o.CA)
		if err != nil {
			return nil, err
		}
		settings = append(settings, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	}
	var err error
	if c.nc, err = nats.Connect(joined(o.Servers), settings...); err != nil {
		return nil, hint.Wrap(fmt.Errorf("cluster.servers: %w", err), "name them like tls://hub1.example.org:4222")
	}
	return c, nil
}

func joined(servers []string) string {
	all := ""
	for i, s := range servers {
		if i > 0 {
			all += ","
		}
		all += s
	}
	return all
}

func authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cluster.ca_cert_path: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, hint.Wrap(fmt.Errorf("cluster.ca_cert_path: %s holds no certificate", path), "it is a PEM file with the certificate of who signed the servers' certificates")
	}
	return pool, nil
}

// noteError takes an error that the server reports apart from any call: a call that it does
// not permit gets no answer.
func (c *Conn) noteError(_ *nats.Conn, _ *nats.Subscription, err error) {
	c.mu.Lock()
	isNew := c.refused == nil || c.refused.Error() != err.Error()
	c.refused = err
	c.mu.Unlock()
	if isNew {
		c.log.Warn("the cluster's server complains", "error", err)
	}
}

// Close ends the connection.
func (c *Conn) Close() { c.nc.Close() }

// IsConnected reports whether a server answers just now.
func (c *Conn) IsConnected() bool { return c.nc.IsConnected() }

// request asks a server and waits for its answer.
func (c *Conn) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	if !c.nc.IsConnected() {
		return nil, errors.New("no server of the cluster answers")
	}
	c.mu.Lock()
	c.refused = nil
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	answer, err := c.nc.RequestMsgWithContext(ctx, m)
	if err == nil {
		return answer, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil {
		return nil, hint.Wrap(fmt.Errorf("%w: %w", err, c.refused), "the server does not permit it: is cluster.name the name that the key was made for?")
	}
	return nil, err
}

// Log is where the connection tells of itself.
func (c *Conn) Log() *slog.Logger { return c.log }
