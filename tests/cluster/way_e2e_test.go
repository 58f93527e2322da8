//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// way is the way of a judge to the LAPI. It carries every request out, and loses answers.
type way struct {
	lost   atomic.Int64 // answers
	pushed atomic.Pointer[func()]
	slow   atomic.Int64 // nanoseconds that pass before the LAPI gets alerts, and again before its answer
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
		if r.Method == http.MethodPost && r.URL.Path == "/v1/alerts" {
			w.pushSlowly(proxy, out, r)
			return
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

// pushSlowly carries a request with alerts out to its end, also if the sender goes away
// meanwhile, as a LAPI with a slow database does.
func (w *way) pushSlowly(proxy http.Handler, out http.ResponseWriter, r *http.Request) {
	slow := time.Duration(w.slow.Load())
	if slow == 0 {
		proxy.ServeHTTP(out, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was not sent to its end
	}
	r = r.WithContext(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	time.Sleep(slow)
	answer := httptest.NewRecorder()
	proxy.ServeHTTP(answer, r)
	time.Sleep(slow)
	maps.Copy(out.Header(), answer.Header())
	out.WriteHeader(answer.Code)
	_, _ = out.Write(answer.Body.Bytes()) // an error means that the sender is gone
}

// onPush has a function called before each request with alerts is carried out.
func (w *way) onPush(f func()) { w.pushed.Store(&f) }
