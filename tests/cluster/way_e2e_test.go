//go:build e2e

package cluster

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"csmail/tests/lapitest"
)

// way is the way of a judge to the LAPI. It carries every request out, and loses answers.
type way struct {
	lost   atomic.Int64 // answers
	pushed atomic.Pointer[func()]
}

// newWay registers a judge at the LAPI, with credentials that lead through a way on which
// each so many answers are lost; 0: none.
func newWay(t *testing.T, to *lapitest.Server, judge string, loses int) *way {
	t.Helper()
	target, err := url.Parse(to.URL)
	must(t, err)
	w, proxy, answers := &way{}, httputil.NewSingleHostReverseProxy(target), atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if pushed := w.pushed.Load(); pushed != nil && r.Method == http.MethodPost && r.URL.Path == "/v1/alerts" {
			(*pushed)()
		}
		if loses > 0 && answers.Add(1)%int64(loses) == 0 {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			w.lost.Add(1)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	credentials, err := to.AddMachine(t.Context(), judge)
	must(t, err)
	text, err := os.ReadFile(credentials)
	must(t, err)
	if !strings.Contains(string(text), to.URL) {
		t.Fatalf("the credentials do not name %s:\n%s", to.URL, text)
	}
	must(t, os.WriteFile(credentials, []byte(strings.ReplaceAll(string(text), to.URL, server.URL+"/")), 0o600))
	return w
}

// onPush has a function called before each request with alerts is carried out.
func (w *way) onPush(f func()) { w.pushed.Store(&f) }
