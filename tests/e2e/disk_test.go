//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// smallDisk is a file system of a few megabytes.
type smallDisk struct{ dir string }

func mountSmallDisk(t *testing.T, dir string) smallDisk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return smallDisk{dir}
}

func (d smallDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves no byte.
func (d smallDisk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 1 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func (d smallDisk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		t.Fatal(err)
	}
}

// web is where a csmail run serves its metrics.
type web struct{ address string }

func (r *troubled) withWeb() web {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	r.configure("prometheus: {enabled: true, listen_port: " + port + "}\n")
	return web{listener.Addr().String()}
}

// configure adds keys to the configuration.
func (r *troubled) configure(more string) {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	write(r.t, r.dir, "csmail.yaml", append(text, more...))
}

// get returns status and body.
func (w web) get(t *testing.T, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status + "\n" + string(body)
}

// TestFullDisk: while the disk of the state file is full, csmail says so and waits;
// then it goes on, and all alerts arrive, each once.
func TestFullDisk(t *testing.T) {
	r := newTroubled(t, startLAPI(t, lapitest.Current))
	disk := mountSmallDisk(t, filepath.Join(r.dir, "state"))
	text := readFile(r.config)
	write(t, r.dir, "csmail.yaml", []byte(strings.Replace(text, "/csmail.db", "/state/csmail.db", 1)))
	metrics := r.withWeb()
	if err := r.proxy.open(); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.attack(2)
	r.mustArrive("before")

	disk.fill(t)
	r.attack(5)
	r.mustBeFull(metrics)
	r.kill()
	r.start() // on a full disk
	r.mustBeFull(metrics)
	r.idleTraffic(20 << 20)
	r.attack(5)
	r.mustBeFull(metrics)
	if peak := peakMemory(t, r.process.cmd.Process.Pid); peak > 100<<10 {
		t.Errorf("csmail took %d KiB of memory at its peak", peak)
	}
	disk.free(t)
	r.mustArrive("the disk was full")
	r.await("csmail is well", func() bool { return strings.HasPrefix(metrics.get(t, "/healthz"), "200") })
	r.await("csmail_state_writable 1 is in the metrics, which are renewed each second", func() bool {
		return strings.Contains(metrics.get(t, "/metrics"), "\ncsmail_state_writable 1\n")
	})
	if said := r.said(); !strings.Contains(said, "the state file can be written again") {
		t.Errorf("csmail does not say that it goes on:\n%s", said)
	}

	r.stop()
}

// mustBeFull waits until status, healthz, the metrics and the log tell of a full
// disk.
func (r *troubled) mustBeFull(metrics web) {
	r.t.Helper()
	r.await("csmail status says that the disk is full", func() bool {
		s, ok := r.status()
		return ok && strings.Contains(s.State.Error, "no space left on device") && strings.Contains(s.State.Hint, "free space: df ")
	})
	if got := metrics.get(r.t, "/healthz"); !strings.HasPrefix(got, "503") || !strings.Contains(got, "no space left on device") {
		r.t.Errorf("healthz: %s", got)
	}
	r.await("the metrics say so", func() bool {
		return strings.Contains(metrics.get(r.t, "/metrics"), "\ncsmail_state_writable 0\n")
	})
	if said := r.process.out.String(); !strings.Contains(said, "cannot be stored, so reading waits") || !strings.Contains(said, "hint=\"free space: df ") {
		r.t.Errorf("csmail's log does not tell:\n%s", said)
	}
}

// idleTraffic adds about so many bytes of lines that say nothing against anybody.
func (r *troubled) idleTraffic(size int) {
	r.t.Helper()
	var lines strings.Builder
	for at := time.Now(); lines.Len() < size; {
		fmt.Fprintf(&lines, "%s mx1 postfix/smtpd[%d]: connect from mail.example.net[198.51.100.%d]\n", at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), lines.Len()%30000, lines.Len()%250)
	}
	f, err := os.OpenFile(r.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := f.WriteString(lines.String()); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
}
