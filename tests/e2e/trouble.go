//go:build e2e

package e2e

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// trouble answers a request that adds alerts in place of the LAPI, to which it may
// pass it on.
type trouble func(w http.ResponseWriter, r *http.Request, lapi http.Handler)

// lapiProxy stands before a LAPI, and makes trouble.
type lapiProxy struct {
	address string
	to      *httputil.ReverseProxy
	away    *http.Transport
	server  *http.Server
	done    chan struct{}

	mu      sync.Mutex
	trouble trouble // nil: none
	posts   int     // requests that add alerts, since the trouble began
}

// newLAPIProxy reserves an address. Until open nobody listens there.
func newLAPIProxy(lapi string) (*lapiProxy, error) {
	target, err := url.Parse(lapi)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &lapiProxy{address: listener.Addr().String(), to: httputil.NewSingleHostReverseProxy(target), away: &http.Transport{}}
	p.to.Transport, p.to.ErrorLog = p.away, log.New(io.Discard, "", 0)
	return p, listener.Close()
}

func (p *lapiProxy) open() error {
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	p.server, p.done = &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}, make(chan struct{})
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener) // until it is closed
	}()
	return nil
}

func (p *lapiProxy) close() {
	if p.server == nil {
		return
	}
	_ = p.server.Close()
	<-p.done
	p.away.CloseIdleConnections()
	p.server = nil
}

// make begins trouble; nil ends it.
func (p *lapiProxy) make(t trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble, p.posts = t, 0
}

// met is how often somebody met the trouble.
func (p *lapiProxy) met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

func (p *lapiProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	t := p.trouble
	if r.Method != http.MethodPost || r.URL.Path != "/v1/alerts" {
		t = nil
	}
	if t != nil {
		p.posts++
	}
	p.mu.Unlock()
	if t == nil {
		p.to.ServeHTTP(w, r)
		return
	}
	t(w, r, p.to)
}

// The kinds of trouble.

func failing(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	http.Error(w, `{"message":"database is locked"}`, http.StatusInternalServerError)
}

// failingAfterwards stores the alerts and says that it did not.
func failingAfterwards(w http.ResponseWriter, r *http.Request, lapi http.Handler) {
	lapi.ServeHTTP(httptest.NewRecorder(), r)
	failing(w, r, lapi)
}

// losingAnswers stores the alerts and hangs up.
func losingAnswers(_ http.ResponseWriter, r *http.Request, lapi http.Handler) {
	lapi.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// hanging stores the alerts and says nothing until the caller has had enough.
func hanging(_ http.ResponseWriter, r *http.Request, lapi http.Handler) {
	lapi.ServeHTTP(httptest.NewRecorder(), r)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func slow(w http.ResponseWriter, r *http.Request, lapi http.Handler) {
	late := time.NewTimer(3 * time.Second)
	defer late.Stop()
	<-late.C
	lapi.ServeHTTP(w, r)
}
