package daemon

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// Whoever holds all connections keeps others waiting, but takes no more files; one
// that goes lets the next in.
func TestConnectionsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := &listeners{}
	l.serve(&http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}, socket)
	defer l.close()
	var idle []net.Conn
	for range maxConnections {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		idle = append(idle, conn)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	defer transport.CloseIdleConnections()
	ask := func(patience time.Duration) error {
		resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://csmail/")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := ask(200 * time.Millisecond); err == nil {
		t.Error("one more was served")
	}
	idle[0].Close()
	if err := ask(10 * time.Second); err != nil {
		t.Errorf("after one went: %v", err)
	}
}
