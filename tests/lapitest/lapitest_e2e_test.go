//go:build e2e

package lapitest

import (
	"errors"
	"net/http"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// releases are those that every test here runs against.
var releases = []Release{Current, Legacy}

func start(t *testing.T, r Release) *Server {
	t.Helper()
	o, err := Find(r)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.Log())
		}
	})
	return s
}

func TestServerLifeCycle(t *testing.T) {
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			s := start(t, r)
			if _, err := s.Cscli(t.Context(), "decisions", "add", "-i", "192.0.2.7", "-d", "1h"); err != nil {
				t.Fatal(err)
			}
			ds, err := s.Decisions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(ds) != 1 || ds[0].Value != "192.0.2.7" || ds[0].Type != "ban" || ds[0].Origin != "cscli" {
				t.Errorf("decisions: %+v", ds)
			}
			if key, err := s.AddBouncer(t.Context(), "b"); err != nil || len(key) < 16 {
				t.Errorf("bouncer key %q, %v", key, err)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("folder after Stop: %v", err)
			}
			if err := syscall.Kill(s.PID(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process after Stop: %v", err)
			}
			if resp, err := http.Get(s.URL); err == nil {
				resp.Body.Close()
				t.Errorf("still answers with %s", resp.Status)
			}
		})
	}
}
