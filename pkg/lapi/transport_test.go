package lapi

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPushOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lapi.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&fakeLAPI{})
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	c, err := New(Credentials{URL: path, Login: "csmail", Password: "secret"}, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	wantText(t, "outcomes", mustPush(t, c, PushOptions{}, alertOn("192.0.2.1")), "192.0.2.1 pushed 1")
}

func TestPushOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(&fakeLAPI{})
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client that does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ca   string
		want error
	}{"trusted": {ca, nil}, "not trusted": {"", ErrUnreachable}} {
		t.Run(name, func(t *testing.T) {
			c, err := New(Credentials{URL: server.URL, Login: "csmail", Password: "secret", CACertPath: tt.ca}, "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			_, err = c.Push(t.Context(), alertsOn(1), PushOptions{Now: now})
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if tt.want != nil && !strings.Contains(err.Error(), "x509: certificate signed by unknown authority") {
				t.Errorf("error %v", err)
			}
		})
	}
}
