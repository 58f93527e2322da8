// Package lapi reports hostile sources to CrowdSec's Local API (LAPI). It is the machine
// side of that API, on CrowdSec's own client and models. It turns an event.Alert into
// CrowdSec's alert (convert.go, pure), and pushes alerts so that each is stored once
// (push.go, send.go): it asks for allowlists and for csmail's earlier alerts, sends
// small batches, finds the one alert that makes a batch fail, and reads back after a
// lost answer.
//
// It never reads a log, never decides that a source is hostile, never deletes a
// decision, and never puts a user name or a mail address where CrowdSec's central API
// can see it.
package lapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"csmail/pkg/hint"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
	"github.com/go-openapi/strfmt"
)

const (
	callTimeout = 30 * time.Second // LAPI runs its notifications before it answers
	dialTimeout = 5 * time.Second

	// tokenLife is how long a token is used. LAPI's last an hour. Its own word on
	// it is not used, because the clocks of the two hosts may differ.
	tokenLife = 45 * time.Minute
)

// Client talks to one LAPI as one machine. It logs in when it has to. It is safe
// for concurrent use; pushes run one after the other.
type Client struct {
	mu          sync.Mutex
	credentials Credentials
	api         *apiclient.ApiClient
	jwt         *apiclient.JWTTransport
	transport   *http.Transport
	timeout     time.Duration // of one call
	may         func() bool   // send; nil: always
	underway    *Underway

	clock        *serverClock // the LAPI's
	loginUntil   time.Time    // zero: not logged in
	noUsage      bool         // the LAPI takes no usage metrics
	noAllowlists bool         // the LAPI had none when it was last asked: it is an old one
}

// New returns a client. It does no I/O except reading the certificates that the
// credentials name. The version is csmail's own, as cscli machines list shows it. The
// caller calls Close at the end.
func New(c Credentials, version string) (*Client, error) {
	base, socket, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	api := apiclient.NewClient(&apiclient.Config{
		MachineID:     c.Login,
		Password:      strfmt.Password(c.Password),
		URL:           base,
		VersionPrefix: "v1",
		UserAgent:     userAgent(version),
	})
	jwt, ok := api.GetClient().Transport.(*apiclient.JWTTransport)
	if !ok {
		return nil, fmt.Errorf("crowdsec's client has changed: transport %T", api.GetClient().Transport)
	}
	// CrowdSec's client takes its certificates from variables of its package, waits for
	// minutes on a LAPI that is down, and sleeps uninterruptibly on a 503. So it gets
	// csmail's transport and no retries, and this package does the login.
	transport := newTransport(tlsConfig, socket)
	clock := &serverClock{}
	client := &Client{credentials: c, api: api, jwt: jwt, transport: transport, clock: clock, timeout: callTimeout, underway: &Underway{}}
	jwt.Transport = datedAnswers{boundedAnswers{uncompressedBodies{fencedBodies{transport, client.maySend, client.watched}}}, clock}
	api.GetClient().CheckRedirect = func(to *http.Request, via []*http.Request) error { return sameHost(to.URL, via) }
	jwt.RetryConfig = apiclient.NewRetryConfig()
	return client, nil
}

// SendOnlyWhile has Push send nothing unless may reports that this csmail delivers: it is
// asked right before each request, and before each part of a long one. Of what is to be
// pushed the LAPI is asked in any case, and what it has already is settled.
func (c *Client) SendOnlyWhile(may func() bool) { c.may = may }

func (c *Client) maySend() bool { return c.may == nil || c.may() }

// Watch has u know of the requests with alerts that this client sends.
func (c *Client) Watch(u *Underway) { c.underway = u }

func (c *Client) watched() *Underway { return c.underway }

// Close closes the idle connections. The client can be used again after it.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// userAgent names csmail to the LAPI. The LAPI refuses a login if the user agent does
// not hold exactly one slash.
func userAgent(version string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r > '~' {
			return '-'
		}
		return r
	}, strings.TrimPrefix(version, "v"))
	return "crowdsec-csmail/v" + clean
}

// parseURL returns the base URL of the LAPI and, for a path, its unix socket.
func parseURL(text string) (base *url.URL, socket string, err error) {
	if strings.HasPrefix(text, "/") {
		return &url.URL{Scheme: "http", Host: "unix", Path: "/"}, strings.TrimSuffix(text, "/"), nil
	}
	base, err = url.Parse(text)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, "", hint.Wrap(fmt.Errorf("lapi url %q: neither http(s)://HOST:PORT/ nor the path of a socket", shownURL(text)),
			"CrowdSec's own is http://127.0.0.1:8080/")
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	return base, "", nil
}

// shownURL leaves user and password out of a URL, for logs and errors. Of a text that is
// no URL it leaves out all before the last @.
func shownURL(text string) string {
	if u, err := url.Parse(text); err == nil && u.User != nil {
		u.User = nil
		return u.String()
	}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// newTransport returns a transport for HTTP or for the LAPI's unix socket.
func newTransport(config *tls.Config, socket string) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     callTimeout,
	}
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

// tlsConfig reads the certificates.
func (c Credentials) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CACertPath != "" {
		pem, err := os.ReadFile(c.CACertPath)
		if err != nil {
			return nil, fmt.Errorf("ca_cert_path: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_cert_path: no certificate in %q", c.CACertPath)
		}
		config.RootCAs = pool
	}
	if c.CertPath != "" {
		pair, err := tls.LoadX509KeyPair(c.CertPath, c.KeyPath)
		if err != nil {
			return nil, fmt.Errorf("cert_path and key_path: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// request is one call of CrowdSec's client.
type request func(ctx context.Context) (*apiclient.Response, error)

// call runs one request as a machine that is logged in. A token that the LAPI no
// longer takes (it was restarted, or its database was busy) is renewed once.
func (c *Client) call(ctx context.Context, what string, do request) error {
	fresh := false
	if time.Now().After(c.loginUntil) {
		if err := c.login(ctx); err != nil {
			return err
		}
		fresh = true
	}
	err := c.once(ctx, what, do)
	if !isRefused(err) || fresh {
		return err
	}
	if err := c.login(ctx); err != nil {
		return err
	}
	return c.once(ctx, what, do)
}

// ask is call for a question, which may be asked again: a connection that is cut in
// between is no reason to begin a whole round of questions anew.
func (c *Client) ask(ctx context.Context, what string, do request) error {
	err := c.call(ctx, what, do)
	if errors.Is(err, io.EOF) {
		return c.call(ctx, what, do)
	}
	return err
}

// once runs one request with a deadline of its own.
func (c *Client) once(ctx context.Context, what string, do request) error {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := do(timed)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		c.loginUntil = time.Time{} // CrowdSec's client has dropped the token
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	status := 0
	if resp != nil && resp.Response != nil { // v1.7.8 gives a Response without one on a network error
		status = resp.Response.StatusCode
	}
	if status == 0 || status == http.StatusUnauthorized || status == http.StatusForbidden {
		c.loginUntil = time.Time{}
	}
	return c.explain(what, status, err)
}

// login gets a token. It does not use the login of CrowdSec's client, because that one
// waits 20 seconds and more between its tries.
func (c *Client) login(ctx context.Context) error {
	// With any unexpired token it sends the request as it is.
	c.setToken("none")
	password := strfmt.Password(c.credentials.Password)
	auth := models.WatcherAuthRequest{MachineID: &c.credentials.Login, Password: &password}
	return settle(c.once(ctx, "log in", func(ctx context.Context) (*apiclient.Response, error) {
		answer, resp, err := c.api.Auth.AuthenticateWatcher(ctx, auth)
		if err != nil {
			return resp, err
		}
		if answer.Token == "" {
			return resp, errNotLAPI
		}
		c.setToken(answer.Token)
		c.loginUntil = time.Now().Add(tokenLife)
		return resp, nil
	}))
}

func (c *Client) setToken(token string) {
	c.jwt.Token, c.jwt.Expiration = token, time.Now().Add(2*tokenLife)
}
