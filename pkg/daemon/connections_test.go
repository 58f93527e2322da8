package daemon

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// Connections that say nothing, or speak a byte at a time, hold nobody up, and take no
// more files than are theirs.
func TestSilentConnectionsHoldNobodyUp(t *testing.T) {
	for name, say := range map[string]string{"silent": "", "half a request": "GET / HTTP/1.1\r\nHost: cs"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			dial := serveAt(t, path, func(http.ResponseWriter, *http.Request) {})
			for range 3 * maxConnections {
				conn := dial()
				defer conn.Close()
				if _, err := conn.Write([]byte(say)); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := get(path, time.Minute); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("one more waited for %s, want at most 5s", took)
			}
		})
	}
}

// Requests that are being answered are not cut off for newcomers, and are bounded.
func TestAnsweredRequestsAreNotCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	begun, finish := make(chan struct{}, maxConnections), make(chan struct{})
	serveAt(t, path, func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-finish })
	results := make(chan error, maxConnections)
	for range maxConnections {
		go func() { results <- get(path, 20*time.Second) }()
	}
	for range maxConnections {
		<-begun
	}
	if err := get(path, 200*time.Millisecond); err == nil {
		t.Error("one more was served")
	}
	close(finish)
	for range maxConnections {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := get(path, 10*time.Second); err != nil {
		t.Errorf("after they went: %v", err)
	}
}

// serveAt serves at a socket, and returns what connects to it.
func serveAt(t *testing.T, path string, handler http.HandlerFunc) (dial func() net.Conn) {
	t.Helper()
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := &listeners{}
	l.serve(&http.Server{Handler: handler}, socket)
	t.Cleanup(l.close)
	return func() net.Conn {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
}

func get(path string, patience time.Duration) error {
	transport := &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
		DisableKeepAlives: true,
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://csmail/")
	if err == nil {
		resp.Body.Close()
	}
	return err
}
