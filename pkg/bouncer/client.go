package bouncer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	csbouncer "github.com/crowdsecurity/go-cs-bouncer"
	"github.com/sirupsen/logrus"

	"csmail/pkg/decision"
	"csmail/pkg/hint"
)

var (
	// ErrUnreachable means that no working LAPI answered.
	ErrUnreachable = errors.New("lapi unreachable")

	// ErrRefused means that the LAPI does not accept csmail's key. The reason may be a
	// busy database, so requests are repeated, and the known decisions stay in force.
	ErrRefused = errors.New("lapi refused our bouncer key")
)

// componentType is the type in cscli bouncers list. The LAPI reads it from the user
// agent, which must hold exactly one slash.
const componentType = "crowdsec-csmail-bouncer"

// DefaultURL is the default address of CrowdSec's LAPI.
const DefaultURL = "http://127.0.0.1:8080/"

// client asks the LAPI, as a bouncer.
type client struct {
	api       *apiclient.ApiClient
	transport *http.Transport
	config    Config
	shownURL  string
}

// newClient lets go-cs-bouncer read the configuration and make the client, and replaces
// its transport: the library's waits for ever, knows no unix socket, and logs each
// failure through a logger of the whole process.
func newClient(c Config, version string, timeout time.Duration) (*client, error) {
	silenceLibrary()
	if c.APIURL == "" {
		c.APIURL = DefaultURL
	}
	shown, socket := c.APIURL, ""
	if strings.HasPrefix(c.APIURL, "/") {
		c.APIURL, socket = "http://unix/", strings.TrimSuffix(c.APIURL, "/")
	} else if u, err := url.Parse(c.APIURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, hint.Wrap(fmt.Errorf("bouncer.api_url %q: neither http(s)://HOST:PORT/ nor the path of a socket", c.APIURL), "CrowdSec's own is "+DefaultURL)
	}
	sb := csbouncer.StreamBouncer{
		APIKey: c.APIKey, APIUrl: c.APIURL, CertPath: c.CertPath, KeyPath: c.KeyPath, CAPath: c.CACertPath,
		InsecureSkipVerify: &c.InsecureSkipVerify, TickerInterval: c.UpdateFrequency.String(),
		Scopes: c.Scopes, Origins: c.Origins, ScenariosContaining: c.ScenariosContaining, ScenariosNotContaining: c.ScenariosNotContaining,
		UserAgent: userAgent(version), RetryInitialConnect: true,
	}
	if err := sb.Init(); err != nil {
		return nil, hint.Wrap(fmt.Errorf("bouncer: %w", err), "bouncer.api_key is what sudo cscli bouncers add csmail prints")
	}
	transport := ownTransport(sb.APIClient.GetClient().Transport, socket)
	h := sb.APIClient.GetClient()
	h.Timeout = timeout
	h.Transport = keyed{c.APIKey, transport}
	h.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		if to.URL.Host != via[0].URL.Host || len(via) > 3 {
			return fmt.Errorf("it leads to another host, %.80q", to.URL.Host)
		}
		return nil
	}
	return &client{api: sb.APIClient, transport: transport, config: c, shownURL: shown}, nil
}

// silenceLibrary keeps go-cs-bouncer and apiclient from writing to stderr in a form of
// their own. The errors that they return say the same.
func silenceLibrary() { logrus.SetOutput(io.Discard) }

func userAgent(version string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r > '~' {
			return '-'
		}
		return r
	}, strings.TrimPrefix(version, "v"))
	return componentType + "/v" + clean
}

// ownTransport takes the TLS configuration of the library's transport.
func ownTransport(library http.RoundTripper, socket string) *http.Transport {
	if k, ok := library.(*apiclient.APIKeyTransport); ok {
		library = k.Transport
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second,
		IdleConnTimeout: time.Minute, MaxIdleConns: 4,
	}
	if l, ok := library.(*http.Transport); ok && l != nil {
		t.TLSClientConfig = l.TLSClientConfig
	}
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

// keyed signs requests with the bouncer's key, "" : the certificate does.
type keyed struct {
	key  string
	next http.RoundTripper
}

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.key != "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Api-Key", k.key)
	}
	return k.next.RoundTrip(r)
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// stream requests the changes since the last poll; with startup all decisions.
// De-duplication is switched off: with it a local ban is invisible while the community's
// ban on the same address lasts longer, and the deletion of one of the two is not sent.
func (c *client) stream(ctx context.Context, startup bool) (changes, error) {
	q := c.filters(c.config.Origins)
	q.Set("dedup", "false")
	if startup {
		q.Set("startup", "true")
	}
	return c.get(ctx, "v1/decisions/stream?"+q.Encode(), readStream)
}

// list asks for all decisions that run, of some origins or of those that the
// configuration names. Other than the stream it answers 500 if the database fails. A
// parameter that the LAPI does not know makes its answer empty (v1.7.8).
func (c *client) list(ctx context.Context, origins []string) ([]decision.Raw, error) {
	if origins == nil {
		origins = c.config.Origins
	}
	answer, err := c.get(ctx, "v1/decisions?"+c.filters(origins).Encode(), readList)
	return answer.added, err
}

func (c *client) filters(origins []string) url.Values {
	q := url.Values{}
	for key, values := range map[string][]string{
		"scopes": c.config.Scopes, "origins": origins,
		"scenarios_containing": c.config.ScenariosContaining, "scenarios_not_containing": c.config.ScenariosNotContaining,
	} {
		if len(values) > 0 {
			q.Set(key, strings.Join(values, ","))
		}
	}
	return q
}

// get reads an answer while it arrives, so that a long one is never in memory whole.
func (c *client) get(ctx context.Context, path string, read func(io.Reader) (changes, error)) (changes, error) {
	req, err := c.api.PrepareRequest(ctx, http.MethodGet, path, nil)
	if err != nil {
		return changes{}, err
	}
	r, w := io.Pipe()
	type result struct {
		changes changes
		err     error
	}
	done := make(chan result, 1)
	go func() {
		got, err := read(io.LimitReader(r, maxAnswer))
		// The rest after the end is read, because otherwise the connection would be
		// closed.
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
		r.CloseWithError(err)
		done <- result{got, err}
	}()
	resp, err := c.api.Do(ctx, req, w)
	w.CloseWithError(err)
	got := <-done
	if err != nil {
		return changes{}, c.explain(ctx, resp, err)
	}
	if got.err != nil {
		return changes{}, c.nonsense(got.err)
	}
	return got.changes, nil
}

const downHint = "is CrowdSec running? systemctl status crowdsec; its address: sudo cscli config show --key Config.API.Server.ListenURI"

func (c *client) nonsense(err error) error {
	return hint.Wrap(fmt.Errorf("%w at %s: the answer is not a LAPI's: %.200w", ErrUnreachable, c.shownURL, err), "does bouncer.api_url lead to a LAPI?")
}

func (c *client) explain(ctx context.Context, resp *apiclient.Response, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	status := 0
	if resp != nil && resp.Response != nil {
		status = resp.Response.StatusCode
	}
	switch {
	case errors.Is(err, errAnswer):
		return c.nonsense(err)
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return hint.Wrap(fmt.Errorf("%w at %s: http status %d", ErrRefused, c.shownURL, status),
			"sudo cscli bouncers list shows who is known; a new key: sudo cscli bouncers add csmail, then bouncer.api_key")
	case status != 0 && status != http.StatusOK:
		return hint.Wrap(fmt.Errorf("%w at %s: http status %d", ErrUnreachable, c.shownURL, status), "CrowdSec's own log says more: journalctl -u crowdsec")
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return hint.Wrap(fmt.Errorf("%w at %s: %w", ErrUnreachable, c.shownURL, err), downHint)
}
