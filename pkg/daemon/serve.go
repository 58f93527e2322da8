package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
)

// maxConnections is the number of connections of each server. Clients must not be able to
// use up the file descriptors that following the logs needs.
const maxConnections = 64

// askers are the connections of one server. At the limit the one that has been silent
// longest is closed, so that clients which connect and say nothing block nobody else.
type askers struct {
	net.Listener
	mu     sync.Mutex
	silent []net.Conn            // connections without a request in progress, longest silent first
	all    map[net.Conn]struct{} // all connections
	max    int
}

// Accept implements [net.Listener].
func (a *askers) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if a.admit(conn) {
			return conn, nil
		}
		conn.Close() // all the others are being answered
	}
}

// admit makes room for a connection. It reports false if all the others have requests in
// progress.
func (a *askers) admit(conn net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) >= a.max {
		if len(a.silent) == 0 {
			return false
		}
		oldest := a.silent[0]
		a.forget(oldest)
		oldest.Close()
	}
	a.all[conn] = struct{}{}
	a.silent = append(a.silent, conn)
	return true
}

// forget removes a connection.
func (a *askers) forget(conn net.Conn) {
	delete(a.all, conn)
	a.silent = slices.DeleteFunc(a.silent, func(c net.Conn) bool { return c == conn })
}

// connKey is the context key of a request's connection.
type connKey struct{}

// serveFrom makes the server report when a connection's request is in progress. A
// connection counts as silent until its request has come whole, however slowly it is
// sent.
func (a *askers) serveFrom(s *http.Server) {
	handler := s.Handler
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		a.setSilent(conn, false)
		defer a.setSilent(conn, true)
		handler.ServeHTTP(w, r)
	})
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.forget(conn)
		}
	}
}

// setSilent notes the begin or the end of a request.
func (a *askers) setSilent(conn net.Conn, silent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silent = slices.DeleteFunc(a.silent, func(c net.Conn) bool { return c == conn })
	if _, known := a.all[conn]; known && silent {
		a.silent = append(a.silent, conn)
	}
}

// listeners are the servers that stay open over reloads.
type listeners struct {
	servers []*http.Server
	group   sync.WaitGroup
}

// listen opens the control socket and, if the configuration asks for it, the metrics.
func (d *Daemon) listen() (*listeners, error) {
	l := &listeners{}
	socket, err := control.Listen(d.config.Socket)
	if err != nil {
		return nil, err
	}
	l.serve(control.NewServer(answers{d}), socket)
	if !d.config.Prometheus.Enabled {
		return l, nil
	}
	address := address(d.config.Prometheus)
	web, err := net.Listen("tcp", address)
	if err != nil {
		l.close()
		return nil, hint.Wrap(fmt.Errorf("prometheus: %w", err), "prometheus.listen_addr and listen_port name another place; enabled: false serves nothing")
	}
	l.serve(answers{d}.webServer(), web)
	return l, nil
}

func address(p config.Prometheus) string {
	return net.JoinHostPort(p.ListenAddr, strconv.Itoa(p.ListenPort))
}

func (l *listeners) serve(s *http.Server, socket net.Listener) {
	l.servers = append(l.servers, s)
	a := &askers{Listener: socket, all: map[net.Conn]struct{}{}, max: maxConnections}
	a.serveFrom(s)
	l.group.Go(func() { _ = s.Serve(a) }) // ends with close
}

func (l *listeners) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, s := range l.servers {
		if err := s.Shutdown(ctx); err != nil {
			s.Close()
		}
	}
	l.group.Wait()
}

// webServer serves /metrics, /healthz and, where it may, /report.
func (d answers) webServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", d.healthz)
	if d.mayShowReport() {
		mux.HandleFunc("GET /report", d.reportPage)
	}
	return &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// healthz answers 200 while the daemon works. It answers 503 with the reasons if the loop
// hangs, records cannot be stored, a log is not read, or the LAPI is away for longer than
// its restart takes.
func (d answers) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	status, err := d.Status(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if len(status.Troubles) > 0 {
		http.Error(w, strings.Join(status.Troubles, "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
