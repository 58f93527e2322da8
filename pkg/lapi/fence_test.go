package lapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"csmail/pkg/event"
)

const buffered = 64 << 10

// bufferedListener takes little of what a client sends before the server reads it.
type bufferedListener struct{ net.Listener }

func (l bufferedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(buffered)
	}
	return c, err
}

// dialBuffered has the system keep little of what the client sends.
func dialBuffered(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(buffered)
	}
	return c, err
}

// longAlerts make a request of more than a megabyte, which no buffer on the way holds.
func longAlerts() (alerts []event.Alert) {
	for _, a := range alertsOn(sendBatch) {
		one := a.Evidence[0]
		one.Message = strings.Repeat("x", 2000)
		a.Evidence = slices.Repeat([]event.Event{one}, 15)
		alerts = append(alerts, a)
	}
	return alerts
}

// A judge that is stopped in the middle of a request, and does not lead any more when it
// runs again, does not send the rest: another judge has sent the same alerts.
func TestPushStoppedInTheMiddle(t *testing.T) {
	f := &fakeLAPI{}
	leads := atomic.Bool{}
	leads.Store(true)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/v1/alerts" {
			leads.Store(false) // before the body is read
		}
		f.ServeHTTP(w, r)
	}))
	server.Listener = bufferedListener{server.Listener}
	server.Start()
	t.Cleanup(server.Close)
	c, err := New(Credentials{URL: server.URL, Login: "csmail", Password: "secret"}, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.transport.DialContext = dialBuffered
	c.SendOnlyWhile(leads.Load)
	alerts := longAlerts()
	outcomes, err := c.Push(t.Context(), alerts, PushOptions{})
	if !errors.Is(err, ErrFollows) || len(outcomes) != 0 || len(f.stored()) != 0 {
		t.Errorf("got %d outcomes, %v and %d stored, want none, %v and none", len(outcomes), err, len(f.stored()), ErrFollows)
	}
	c.SendOnlyWhile(nil)
	if outcomes, err := c.Push(t.Context(), alerts, PushOptions{}); err != nil || len(outcomes) != len(alerts) || len(f.stored()) != len(alerts) {
		t.Errorf("later: got %d outcomes, %v and %d stored, want all %d", len(outcomes), err, len(f.stored()), len(alerts))
	}
}

// Of a request it is known whether the LAPI may be working on it: until it has answered, and
// also later if the answer was lost or came from a proxy.
func TestUnderway(t *testing.T) {
	for name, tt := range map[string]struct {
		leads, none bool
	}{
		"answered":  {true, true},
		"lost":      {true, false},
		"proxy":     {true, false},
		"not begun": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, watched, under := &fakeLAPI{}, &Underway{}, atomic.Bool{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && r.URL.Path == "/v1/alerts" {
					under.Store(!watched.None(0))
					switch name {
					case "lost":
						panic(http.ErrAbortHandler)
					case "proxy":
						w.WriteHeader(http.StatusGatewayTimeout)
						return
					}
				}
				f.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			c, err := New(Credentials{URL: server.URL, Login: "csmail", Password: "secret"}, "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			c.Watch(watched)
			c.SendOnlyWhile(func() bool { return tt.leads })
			_, _ = c.Push(t.Context(), alertsOn(2), PushOptions{}) // what comes of it does not matter here
			if under.Load() != tt.leads {
				t.Errorf("while it was under way: got %v, want %v", under.Load(), tt.leads)
			}
			if got := watched.None(time.Hour); got != tt.none {
				t.Errorf("after it: got none %v, want %v", got, tt.none)
			}
			if !watched.None(0) {
				t.Error("after a while: got one, want none")
			}
		})
	}
}
