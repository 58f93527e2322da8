package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
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

// errUnhealthy is what healthz says while what is read cannot be stored.
var errUnhealthy = errors.New("what is read cannot be stored")

// healthz answers 200 while the loop turns and can store what it reads, else 503.
// A LAPI that is down is no illness of ours: the outbox waits.
func (d *Daemon) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	var failure error
	err := d.ask(ctx, func() { failure = d.storeErr() })
	if err == nil && failure != nil {
		err = fmt.Errorf("%w: %w", errUnhealthy, failure)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
