// Command daemon measures csmail run against a real CrowdSec Local API: how long
// after its last log line a decision is stored in the LAPI while a hundred lines a
// second come in, how fast a written log is followed, and what the daemon uses of
// memory, and of the processor while nothing happens.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"csmail/pkg/control"
	"csmail/tests/lapitest"
)

func main() {
	csmail := flag.String("csmail", "bin/csmail", "the csmail binary")
	attacks := flag.Int("attacks", 60, "attacks whose latency is taken, one a second")
	burst := flag.Int("burst", 500_000, "lines that are written at once")
	sources := flag.Int("sources", 10_000, "sources with an offence each")
	flag.Parse()
	if err := run(*csmail, *attacks, *burst, *sources); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

// rig is a daemon, its log, and a proxy that notes when the LAPI has an alert.
type rig struct {
	dir    string
	log    *os.File
	pid    int
	ask    *control.Client
	mu     sync.Mutex
	stored map[string]time.Time // by the alert's value
	next   int                  // process ID of the next line
}

func run(csmail string, attacks, burst, sources int) error {
	ctx := context.Background()
	options, err := lapitest.Find(lapitest.Current)
	if err != nil {
		return err
	}
	server, err := lapitest.Start(ctx, options)
	if err != nil {
		return err
	}
	defer server.Stop()
	dir, err := os.MkdirTemp("", "csmail-daemon")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &rig{dir: dir, stored: map[string]time.Time{}, next: 1000}
	proxy, err := r.proxy(server.URL)
	if err != nil {
		return err
	}
	defer proxy.Close()
	if err := r.configure(ctx, server, proxy.URL); err != nil {
		return err
	}
	process := exec.Command(csmail, "run", "-c", filepath.Join(dir, "csmail.yaml"))
	if err := process.Start(); err != nil {
		return err
	}
	defer process.Wait()
	defer process.Process.Signal(syscall.SIGTERM)
	r.pid = process.Process.Pid
	if err := r.measure(ctx, attacks, burst, sources); err != nil {
		return err
	}
	return nil
}

func (r *rig) measure(ctx context.Context, attacks, burst, sources int) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	idle, err := r.idle(10 * time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("idle: %.2f %% of a processor\n", idle)
	if err := r.latency(attacks); err != nil {
		return err
	}
	if err := r.follow(ctx, burst); err != nil {
		return err
	}
	for i := range sources {
		r.line(fmt.Sprintf("2001:db8:%x::%x", i>>8, i), "bob")
	}
	if err := r.caughtUp(ctx); err != nil {
		return err
	}
	memory, err := r.memory()
	if err != nil {
		return err
	}
	fmt.Printf("memory: %d MB resident with %d sources tracked\n", memory>>10, sources)
	return nil
}

// proxy passes everything on and notes when a POST of alerts was answered.
func (r *rig) proxy(target string) (*httptest.Server, error) {
	base, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	forward := httputil.NewSingleHostReverseProxy(base)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var body []byte
		if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/alerts") {
			body, _ = io.ReadAll(q.Body)
			q.Body = io.NopCloser(bytes.NewReader(body))
		}
		forward.ServeHTTP(w, q)
		if body != nil {
			r.note(body, time.Now())
		}
	})), nil
}

func (r *rig) note(body []byte, at time.Time) {
	var alerts []struct{ Source struct{ Value string } }
	if json.Unmarshal(body, &alerts) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range alerts {
		if _, known := r.stored[a.Source.Value]; !known {
			r.stored[a.Source.Value] = at
		}
	}
}

func (r *rig) configure(ctx context.Context, server *lapitest.Server, proxy string) error {
	credentials, err := server.AddMachine(ctx, "csmail")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(credentials)
	if err != nil {
		return err
	}
	own := filepath.Join(r.dir, "credentials.yaml")
	if err := os.WriteFile(own, bytes.ReplaceAll(text, []byte(server.URL), []byte(proxy+"/")), 0o600); err != nil {
		return err
	}
	if r.log, err = os.Create(filepath.Join(r.dir, "mail.log")); err != nil {
		return err
	}
	socket := filepath.Join(r.dir, "sock")
	r.ask = control.NewClient(socket)
	return os.WriteFile(filepath.Join(r.dir, "csmail.yaml"), fmt.Appendf(nil,
		"lapi: {credentials: %s}\nsources: [{source: file, filenames: [%s]}]\nstate: %s\nsocket: %s\nguard: {bans_per_hour: 1000000}\n",
		own, r.log.Name(), filepath.Join(r.dir, "state.db"), socket), 0o600)
}

// ready waits until the daemon answers.
func (r *rig) ready(ctx context.Context) error {
	var err error
	for range 200 {
		if _, err = r.ask.Status(ctx); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

func (r *rig) write(format string, args ...any) {
	r.next++
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	if _, err := fmt.Fprintf(r.log, "%s mx1 postfix/smtpd[%d]: %s\n", at, r.next, fmt.Sprintf(format, args...)); err != nil {
		panic(err) // a bench that cannot write its log has nothing to say
	}
}

func (r *rig) line(addr, user string) {
	r.write("warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=%s", addr, user)
}

// latency writes a hundred lines a second, six of which are an attack, and takes
// the time from the sixth to the LAPI's answer.
func (r *rig) latency(attacks int) error {
	written := map[string]time.Time{}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range attacks {
		addr := fmt.Sprintf("2001:db8:f%02x::1", i)
		for n := range 100 {
			<-tick.C
			if n%16 == 0 && n < 96 {
				r.line(addr, "bob")
				written[addr] = time.Now()
				continue
			}
			r.write("connect from mail%d.example.net[198.51.100.%d]", n, n)
		}
	}
	time.Sleep(2 * time.Second)
	var took []time.Duration
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr, at := range written {
		if stored, ok := r.stored[strings.TrimSuffix(addr, "1")+"/64"]; ok {
			took = append(took, stored.Sub(at))
		}
	}
	if len(took) == 0 {
		return fmt.Errorf("none of %d attacks became a decision", attacks)
	}
	slices.Sort(took)
	fmt.Printf("latency: %d of %d attacks; median %s, 95 %% within %s, longest %s\n", len(took), attacks,
		took[len(took)/2].Round(time.Millisecond), took[len(took)*95/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	return nil
}

// follow writes a burst and waits until all of it is read.
func (r *rig) follow(ctx context.Context, lines int) error {
	text := new(bytes.Buffer)
	stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	for i := range lines {
		fmt.Fprintf(text, "%s mx1 postfix/smtpd[%d]: connect from mail%d.example.net[198.51.100.%d]\n", stamp, 1000+i%300, i%200, i%200)
	}
	start := time.Now()
	if _, err := r.log.Write(text.Bytes()); err != nil {
		return err
	}
	if err := r.caughtUp(ctx); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("following: %d lines in %.2f s, %.0f lines/s\n", lines, took.Seconds(), float64(lines)/took.Seconds())
	return nil
}

func (r *rig) caughtUp(ctx context.Context) error {
	info, err := r.log.Stat()
	if err != nil {
		return err
	}
	var last int64 = -1
	for {
		status, err := r.ask.Status(ctx)
		if err != nil {
			return err
		}
		if len(status.Sources) > 0 && status.Sources[0].Lag == 0 && status.Lines == last && info.Size() > 0 {
			return nil
		}
		last = status.Lines
		time.Sleep(20 * time.Millisecond)
	}
}

// idle is the share of a processor that the daemon uses in silence, in percent.
func (r *rig) idle(span time.Duration) (float64, error) {
	before, err := r.ticks()
	if err != nil {
		return 0, err
	}
	time.Sleep(span)
	after, err := r.ticks()
	return float64(after-before) / 100 / span.Seconds() * 100, err // a tick is 10 ms
}

func (r *rig) ticks() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return user + system, err
}

// memory is what is resident, in KB.
func (r *rig) memory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return 0, fmt.Errorf("no VmRSS")
}
