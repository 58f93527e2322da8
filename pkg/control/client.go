package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/report"
)

// ErrNotRunning says that no daemon listens on the socket.
var ErrNotRunning = errors.New("csmail run is not running")

// Client asks the daemon.
type Client struct {
	path string
	http http.Client
}

var _ Daemon = (*Client)(nil)

// NewClient returns a client of the daemon that listens on path. It connects
// when it is asked something.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http.Timeout = answerTimeout + answerTimeout/2
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}
	return c
}

// Status implements [Daemon].
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/status")
}

// Why implements [Daemon].
func (c *Client) Why(ctx context.Context, addr netip.Addr) (report.Why, error) {
	return ask[report.Why](ctx, c, http.MethodGet, "/why?ip="+url.QueryEscape(addr.String()))
}

// Report implements [Daemon].
func (c *Client) Report(ctx context.Context, since, until time.Time, zone string) (Report, error) {
	query := url.Values{"since": {since.UTC().Format(time.RFC3339)}, "zone": {zone}}
	if !until.IsZero() {
		query.Set("until", until.UTC().Format(time.RFC3339))
	}
	return ask[Report](ctx, c, http.MethodGet, "/report?"+query.Encode())
}

// Unban implements [Daemon].
func (c *Client) Unban(ctx context.Context, network netip.Prefix) (Unbanned, error) {
	text := network.String()
	if network.IsSingleIP() {
		text = network.Addr().String()
	}
	return ask[Unbanned](ctx, c, http.MethodPost, "/unban?ip="+url.QueryEscape(text))
}

// Probe implements [Daemon].
func (c *Client) Probe(ctx context.Context, client netip.AddrPort) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/probe?client="+url.QueryEscape(client.String()))
	return err
}

// HandOver implements [Daemon].
func (c *Client) HandOver(ctx context.Context) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/handover")
	return err
}

// List implements [Daemon].
func (c *Client) List(ctx context.Context, list List) ([]Alert, error) {
	return ask[[]Alert](ctx, c, http.MethodGet, "/list/"+string(list))
}

// Move implements [Daemon].
func (c *Client) Move(ctx context.Context, list List, id string, move Move) (int, error) {
	done, err := ask[moved](ctx, c, http.MethodPost, "/list/"+string(list)+"/"+string(move)+"?id="+url.QueryEscape(id))
	return done.Moved, err
}

func ask[T any](ctx context.Context, c *Client, method, path string) (T, error) {
	var body T
	request, err := http.NewRequestWithContext(ctx, method, "http://csmail"+path, nil)
	if err != nil {
		return body, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return body, c.explain(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return body, refusal(response)
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return body, fmt.Errorf("the answer of csmail run: %w", err)
	}
	return body, nil
}

func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return hint.Wrap(fmt.Errorf("%w (nobody listens on %s)", ErrNotRunning, c.path), "systemctl start csmail; or name the configuration of the daemon with -c")
	case errors.Is(err, fs.ErrPermission):
		return hint.Wrap(fmt.Errorf("the control socket %q: permission denied", c.path), "run it with sudo, or join the group csmail")
	}
	return fmt.Errorf("asking csmail run: %w", err)
}

func refusal(response *http.Response) error {
	var p problem
	data, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil || json.Unmarshal(data, &p) != nil || p.Error == "" {
		return fmt.Errorf("csmail run answers %s", response.Status)
	}
	if p.Hint == "" {
		return errors.New(p.Error)
	}
	return hint.Wrap(errors.New(p.Error), "%s", p.Hint)
}
