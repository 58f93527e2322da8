//go:build e2e

package lapitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"csmail/pkg/delivery"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

func startWith(t *testing.T, r Release, change func(*Options)) *Server {
	t.Helper()
	o, err := Find(r)
	if err != nil {
		t.Fatal(err)
	}
	change(&o)
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// cscli runs cscli and fails the test if it does.
func cscli(t *testing.T, s *Server, args ...string) string {
	t.Helper()
	out, err := s.Cscli(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// within waits for something that another process does.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}

func TestRegisterWithToken(t *testing.T) {
	const token = "a token of at least thirty-two characters"
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			s := startWith(t, r, func(o *Options) {
				if r == Current {
					o.AutoRegistration = token
				}
			})
			path := filepath.Join(s.Dir, "new.yaml")
			registration := lapi.Registration{URL: s.URL, Token: token, Machine: "mx1"}
			if r == Current {
				wrong := registration
				wrong.Token += "x"
				_, err := lapi.LoadOrRegister(t.Context(), path, wrong, "1.0.0")
				if !errors.Is(err, lapi.ErrRefused) || !strings.Contains(hint.Of(err), "auto_registration") {
					t.Errorf("wrong token: %v (%s)", err, hint.Of(err))
				}
			}
			creds, err := lapi.LoadOrRegister(t.Context(), path, registration, "1.0.0")
			if err != nil {
				t.Fatalf("%v (%s)", err, hint.Of(err))
			}
			c, err := lapi.New(creds, "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if r == Legacy { // knows no tokens: a person has to say yes
				if err := c.Heartbeat(t.Context()); !errors.Is(err, lapi.ErrRefused) || hint.Of(err) != "sudo cscli machines validate mx1" {
					t.Errorf("%v (%s)", err, hint.Of(err))
				}
				cscli(t, s, "machines", "validate", "mx1")
			}
			if o := push(t, c, lapi.PushOptions{}, finding("192.0.2.1", event.ScopeIP, time.Minute))[0]; o.Status != lapi.Pushed {
				t.Errorf("%s %q", o.Status, o.Reason)
			}
		})
	}
}

func TestUnixSocket(t *testing.T) {
	s := startWith(t, Current, func(o *Options) { o.Socket = true })
	path := filepath.Join(s.Dir, "socket.yaml")
	cscli(t, s, "machines", "add", "csmail", "--auto", "--force", "--url", s.Socket(), "-f", path)
	c := client(t, path)
	o := push(t, c, lapi.PushOptions{}, finding("192.0.2.1", event.ScopeIP, time.Minute))[0]
	if o.Status != lapi.Pushed {
		t.Errorf("%s %q", o.Status, o.Reason)
	}
	if look, err := c.Bans(t.Context(), o.ID, o.Alert.ID()); len(look.Bans) != 1 || !look.Known || err != nil {
		t.Errorf("%+v, %v", look, err)
	}
}

func TestClientCertificate(t *testing.T) {
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			pki := newPKI(t)
			s := startWith(t, r, func(o *Options) {
				o.TLS = &TLS{Cert: pki.path("server.pem"), Key: pki.path("server.key"), CA: pki.path("ca.pem"), AgentOU: "agent-ou"}
			})
			creds := lapi.Credentials{
				URL:      strings.Replace(s.URL, "http://", "https://", 1),
				CertPath: pki.path("agent.pem"), KeyPath: pki.path("agent.key"), CACertPath: pki.path("ca.pem"),
			}
			c, err := lapi.New(creds, "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if o := push(t, c, lapi.PushOptions{}, finding("192.0.2.1", event.ScopeIP, time.Minute))[0]; o.Status != lapi.Pushed {
				t.Errorf("%s %q", o.Status, o.Reason)
			}
			if list := cscli(t, s, "machines", "list", "-o", "raw"); !strings.Contains(list, "mx1@127.0.0.1") {
				t.Errorf("machines: %s", list)
			}
			creds.CertPath, creds.KeyPath = pki.path("other.pem"), pki.path("other.key")
			stranger, err := lapi.New(creds, "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			defer stranger.Close()
			if err := stranger.Heartbeat(t.Context()); !errors.Is(err, lapi.ErrRefused) {
				t.Errorf("another OU: %v", err)
			}
		})
	}
}

func TestMachineIsSeen(t *testing.T) {
	onEachRelease(t, func(t *testing.T, r Release, s *Server, c *lapi.Client) {
		if err := c.Heartbeat(t.Context()); err != nil {
			t.Fatal(err)
		}
		usage := lapi.Usage{
			Version: "1.2.3", OSName: "debian", OSVersion: "12", Started: time.Now().Add(-time.Hour), Window: 30 * time.Minute,
			Sources: []lapi.SourceUsage{{Source: "/var/log/mail.log", Type: "file", Read: 1000, Parsed: 900, Unparsed: 100}},
		}
		for i := range 2 {
			usage.Now = time.Now().Add(time.Duration(i) * time.Second)
			if err := c.SendUsage(t.Context(), usage); err != nil {
				t.Fatalf("%v (%s)", err, hint.Of(err))
			}
		}
		list := cscli(t, s, "machines", "list", "-o", "raw")
		inspected, version := list, "v0.1.0" // of the user agent
		if r == Current {
			inspected, version = cscli(t, s, "machines", "inspect", "csmail"), "1.2.3"
			for _, want := range []string{"debian/12", "| file:/var/log/mail.log (mail) | 2000 |   1800 |      200 |"} {
				if !strings.Contains(inspected, want) {
					t.Errorf("no %q in %s", want, inspected)
				}
			}
		}
		if !strings.Contains(inspected, version) || !strings.Contains(list, "csmail,127.0.0.1,") {
			t.Errorf("machines: %s", inspected)
		}
	})
}

// losesAnswers is a proxy that carries every request out and cuts the connection
// instead of answering each second POST of alerts.
func losesAnswers(t *testing.T, target string) (base string, lost *atomic.Int64) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	posts, lost := &atomic.Int64{}, &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/v1/alerts" && posts.Add(1)%2 == 1 {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			lost.Add(1)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, lost
}

// daemon is the state file and the sender, as the daemon has them.
type daemon struct {
	store    *state.Store
	sender   *delivery.Sender
	unbanned chan string
	stop     func()
}

func startDaemon(t *testing.T, dir string, creds func() (lapi.Credentials, error)) *daemon {
	t.Helper()
	store, err := state.Open(filepath.Join(dir, "csmail.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{store: store, unbanned: make(chan string, 10)}
	d.sender = delivery.New(store, delivery.Options{
		Connect: func(context.Context) (delivery.LAPI, error) {
			c, err := creds()
			if err != nil {
				return nil, err
			}
			return lapi.New(c, "1.0.0")
		},
		Unbanned:   func(_ context.Context, u delivery.Unbanned) error { d.unbanned <- u.Alert.Value(); return nil },
		WatchEvery: 300 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.sender.Run(ctx); close(done) }()
	d.stop = func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	return d
}

func (d *daemon) queue(t *testing.T, alerts ...event.Alert) {
	t.Helper()
	var entries []state.Entry
	for _, a := range alerts {
		entries = append(entries, state.Entry{Alert: a, Queued: time.Now()})
	}
	if err := d.store.Commit(state.Batch{Alerts: entries}); err != nil {
		t.Fatal(err)
	}
	d.sender.Wake()
}

// alertValues counts the alerts on each value that the LAPI has.
func alertValues(t *testing.T, s *Server) map[string]int {
	t.Helper()
	var alerts []struct {
		Source struct {
			Value string `json:"value"`
		} `json:"source"`
	}
	if err := json.Unmarshal([]byte(cscli(t, s, "alerts", "list", "--limit", "0", "-o", "json")), &alerts); err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	for _, a := range alerts {
		values[a.Source.Value]++
	}
	return values
}

func TestEachAlertOnceThroughABadNetwork(t *testing.T) {
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			o, err := Find(r)
			if err != nil {
				t.Fatal(err)
			}
			o.Dir = t.TempDir()
			s := startWith(t, r, func(started *Options) { started.Dir = o.Dir })
			path, err := s.AddMachine(t.Context(), "csmail")
			if err != nil {
				t.Fatal(err)
			}
			base, lost := losesAnswers(t, s.URL)
			d := startDaemon(t, t.TempDir(), func() (lapi.Credentials, error) {
				c, err := lapi.LoadCredentials(path)
				c.URL = base
				return c, err
			})
			defer func() { d.stop() }()
			var alerts []event.Alert
			for i := range 120 {
				alerts = append(alerts, finding(fmt.Sprint("203.0.113.", i+1), event.ScopeIP, time.Minute))
			}
			d.queue(t, alerts[:70]...)
			within(t, time.Minute, "70 are delivered", func() bool { return d.sender.Stats().Delivered == 70 })

			// The LAPI is restarted, with a new secret, and alerts come meanwhile.
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			d.queue(t, alerts[70:]...)
			within(t, 10*time.Second, "the sender notices", func() bool { return d.sender.Stats().LastError != "" })
			again := startWith(t, r, func(started *Options) {
				started.Dir = o.Dir
				started.Listen = strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/")
			})
			within(t, time.Minute, "all are delivered", func() bool { return d.sender.Stats().Delivered == 120 })
			values := alertValues(t, again)
			for value, n := range values {
				if n != 1 {
					t.Errorf("%s is told %d times", value, n)
				}
			}
			if len(values) != 120 || lost.Load() < 2 {
				t.Errorf("%d alerts, %d answers lost", len(values), lost.Load())
			}
		})
	}
}

func TestAPersonsWordIsNoticed(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, _ *lapi.Client) {
		path := filepath.Join(s.Dir, "csmail_credentials.yaml")
		d := startDaemon(t, t.TempDir(), func() (lapi.Credentials, error) { return lapi.LoadCredentials(path) })
		defer d.stop()
		d.queue(t, finding("192.0.2.1", event.ScopeIP, time.Minute), finding("192.0.2.2", event.ScopeIP, time.Minute),
			finding("198.51.100.7", event.ScopeRange, time.Minute), finding("192.0.2.4", event.ScopeIP, time.Minute))
		looked := func() int {
			running, err := d.store.Running(nil, 10)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, r := range running {
				if r.Looked {
					n++
				}
			}
			return n
		}
		within(t, 30*time.Second, "all bans are known", func() bool { return looked() == 4 })
		// A deletion within ten seconds of a ban's end is not told from the end; these
		// bans have hours left.
		cscli(t, s, "decisions", "delete", "-i", "192.0.2.1")
		if got := <-d.unbanned; got != "192.0.2.1" {
			t.Errorf("unbanned %s", got)
		}
		cscli(t, s, "decisions", "delete", "-r", "198.51.100.0/24")
		if got := <-d.unbanned; got != "198.51.100.0/24" {
			t.Errorf("unbanned %s", got)
		}
		// That an alert is gone is no word of anybody's.
		cscli(t, s, "alerts", "delete", "-i", "192.0.2.2")
		within(t, 10*time.Second, "only one is left to watch", func() bool { return looked() == 1 })
		if len(d.unbanned) != 0 || d.sender.Stats().Vanished != 1 {
			t.Errorf("unbanned %s, %+v", <-d.unbanned, d.sender.Stats())
		}
	})
}
