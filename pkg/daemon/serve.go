package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
)

// maxConnections bounds those of each server: more askers wait. Whoever may connect
// must not be able to take the files that following the logs needs.
const maxConnections = 64

// listeners are the servers that stay open over reloads.
type listeners struct {
	servers []*http.Server
	group   sync.WaitGroup
}

// listen opens the control socket and, if it is asked for, the metrics.
func (d *Daemon) listen() (*listeners, error) {
	l := &listeners{}
	socket, err := control.Listen(d.config.Socket)
	if err != nil {
		return nil, err
	}
	l.serve(control.NewServer(d), socket)
	if !d.config.Prometheus.Enabled {
		return l, nil
	}
	address := address(d.config.Prometheus)
	web, err := net.Listen("tcp", address)
	if err != nil {
		l.close()
		return nil, hint.Wrap(fmt.Errorf("prometheus: %w", err), "prometheus.listen_addr and listen_port name another place; enabled: false serves nothing")
	}
	l.serve(d.webServer(), web)
	return l, nil
}

func address(p config.Prometheus) string {
	return net.JoinHostPort(p.ListenAddr, strconv.Itoa(p.ListenPort))
}

func (l *listeners) serve(s *http.Server, socket net.Listener) {
	l.servers = append(l.servers, s)
	l.group.Go(func() { _ = s.Serve(netutil.LimitListener(socket, maxConnections)) }) // ends with close
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

// webServer serves /metrics and /healthz.
func (d *Daemon) webServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", d.healthz)
	return &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// healthz answers 200 while the daemon does its work, else 503 and what is wrong: the
// loop hangs, what is read cannot be stored, a log is not read, or the LAPI is away for
// longer than its restart takes.
func (d *Daemon) healthz(w http.ResponseWriter, r *http.Request) {
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
