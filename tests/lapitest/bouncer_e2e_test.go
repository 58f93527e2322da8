//go:build e2e

package lapitest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
	"github.com/go-openapi/strfmt"

	"csmail/pkg/bouncer"
	"csmail/pkg/decision"
	"csmail/pkg/lapi"
)

// followed is a bouncer that runs against a real LAPI.
type followed struct {
	*bouncer.Bouncer
	t    *testing.T
	key  string
	kept []byte
	stop func()
}

func follow(t *testing.T, s *Server, key string, change func(*bouncer.Options)) *followed {
	t.Helper()
	f := &followed{t: t, key: key}
	o := bouncer.Options{
		Config:       bouncer.Config{APIURL: s.URL, APIKey: key, UpdateFrequency: time.Second},
		Version:      "0.1.0",
		Keep:         func(b []byte) error { f.kept = b; return nil },
		CompareLocal: time.Hour, CompareAll: time.Hour, SecondLook: 100 * time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if f.Bouncer, err = bouncer.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	f.stop = func() { cancel(); <-done }
	t.Cleanup(f.stop)
	return f
}

// awaitCompare waits until everything was compared after now.
func (f *followed) awaitCompare() {
	f.t.Helper()
	began := time.Now()
	within(f.t, 90*time.Second, "a comparison of everything", func() bool { return f.Stats().ComparedAll.After(began.Add(3 * time.Second)) })
}

// checkEqual compares the table with what cscli lists: values of both sides.
func (f *followed) checkEqual(s *Server, what string) {
	f.t.Helper()
	missing := map[string]bool{}
	for _, d := range decisions(f.t, s) {
		if d.Duration > 0 { // it lists those of an alert together, the deleted ones as well
			missing[d.Value] = true
		}
	}
	listed, wrong := len(missing), 0
	for value := range missing {
		addr, err := netip.ParseAddr(value)
		if err != nil {
			f.t.Fatal(err)
		}
		if _, found := f.Table().Lookup(addr, time.Now()); !found {
			wrong++
		}
	}
	f.t.Logf("%s: cscli lists %d, the table has %d; %d missing; %+v", what, listed, f.Table().Len(), wrong, f.Stats())
	if wrong > 0 || f.Table().Len() != listed {
		f.t.Errorf("%s: %d missing, %d decisions for %d that cscli lists", what, wrong, f.Table().Len(), listed)
	}
}

// importMany has cscli import so many addresses below a prefix.
func importMany(t *testing.T, s *Server, prefix string, n int) {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s.%d.%d\n", prefix, i>>8, i&255)
	}
	path := filepath.Join(t.TempDir(), "import")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cscli(t, s, "decisions", "import", "-i", path, "--format", "values", "-d", "4h")
	t.Logf("%d imported in %s", n, time.Since(began).Round(time.Millisecond))
}

// pushMany pushes alerts that the profiles answer with bans, in batches of 50.
func pushMany(t *testing.T, s *Server, n int) {
	t.Helper()
	path, err := s.AddMachine(t.Context(), "pusher")
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := lapi.LoadCredentials(path)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	api := apiclient.NewClient(&apiclient.Config{
		MachineID: credentials.Login, Password: strfmt.Password(credentials.Password), URL: base, VersionPrefix: "v1", UserAgent: "crowdsec-test/v1",
	})
	began := time.Now()
	for i := 0; i < n; i += 50 {
		var batch models.AddAlertsRequest
		for k := i; k < i+50; k++ {
			batch = append(batch, alertOn(fmt.Sprintf("203.%d.%d.%d", k>>16, k>>8&255, k&255)))
		}
		if _, _, err := api.Alerts.Add(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d alerts in %s", n, time.Since(began).Round(time.Millisecond))
}

func alertOn(addr string) *models.Alert {
	text := func(s string) *string { return &s }
	number, truth, now := int32(1), false, time.Now().UTC().Format(time.RFC3339)
	return &models.Alert{
		Scenario: text("csmail/test"), ScenarioHash: text(""), ScenarioVersion: text(""), Message: text("test"), Capacity: &number, EventsCount: &number,
		Leakspeed: text("1s"), Simulated: &truth, StartAt: &now, StopAt: &now, Events: []*models.Event{}, Remediation: true,
		Source: &models.Source{Scope: text("Ip"), Value: &addr, IP: addr},
	}
}

func restart(t *testing.T, s *Server) *Server {
	t.Helper()
	o, err := Find(Current)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Listen = s.Dir, strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Stop() })
	return again
}

// A LAPI whose stream loses decisions, which restarts, whose database fails, and whose
// key somebody else reads with: after a comparison nothing is missing and nothing left.
func TestBouncerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := startWith(t, Current, func(o *Options) { o.Dir = dir })
	key, err := s.AddBouncer(t.Context(), "csmail@test")
	if err != nil {
		t.Fatal(err)
	}
	f := follow(t, s, key, func(o *bouncer.Options) { o.CompareAll = 12 * time.Second })
	within(t, 20*time.Second, "the first poll", func() bool { return !f.Stats().LastPull.IsZero() })

	many := 50_000
	if testing.Short() {
		many = 5_000
	}
	done := make(chan struct{})
	go func() { pushMany(t, s, many/5); close(done) }()
	importMany(t, s, "198.51", many)
	<-done
	f.awaitCompare()
	f.checkEqual(s, "after the import")

	cscli(t, s, "decisions", "delete", "-i", "198.51.0.7")
	within(t, 5*time.Second, "a deletion", func() bool { return f.Table().Len() == many+many/5-1 })

	s = restart(t, s)
	importMany(t, s, "192.0", 2000)
	f.awaitCompare()
	f.checkEqual(s, "after a restart")

	second, stop := context.WithCancel(t.Context())
	reader := make(chan struct{})
	go func() { readAlong(second, s, key); close(reader) }()
	importMany(t, s, "192.1", 2000)
	stop()
	<-reader
	f.awaitCompare()
	f.checkEqual(s, "with a second reader of the key")

	s = failDatabase(t, s, func() {
		before := f.Table().Len()
		answer := f.Stats().LastPull
		within(t, 30*time.Second, "polls while the database fails", func() bool {
			return f.Stats().FailingSince.After(answer) || f.Stats().LastPull.After(answer.Add(13*time.Second))
		})
		if n := f.Table().Len(); n != before {
			t.Errorf("%d decisions while the database fails, %d before", n, before)
		}
	})
	f.awaitCompare()
	f.checkEqual(s, "after the database failed")

	f.stop()
	next, err := bouncer.New(bouncer.Options{Config: bouncer.Config{APIURL: "http://127.0.0.1:1/", APIKey: key}})
	if err != nil {
		t.Fatal(err)
	}
	next.Restore(f.kept)
	if next.Table().Len() != f.Table().Len() {
		t.Errorf("%d decisions of %d without a LAPI", next.Table().Len(), f.Table().Len())
	}
	out := cscli(t, s, "bouncers", "inspect", "csmail@test")
	t.Log(out)
	for _, want := range []string{"crowdsec-csmail-bouncer", "v0.1.0"} {
		if !strings.Contains(out, want) {
			t.Errorf("cscli bouncers inspect does not show %s", want)
		}
	}
}

// readAlong polls the stream as a second reader of the key would.
func readAlong(ctx context.Context, s *Server, key string) {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"v1/decisions/stream", nil)
		if err != nil {
			return
		}
		req.Header.Set("X-Api-Key", key)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// failDatabase cuts the database of a LAPI off under it, and brings the LAPI back
// with the database of before.
func failDatabase(t *testing.T, s *Server, meanwhile func()) *Server {
	t.Helper()
	s = restart(t, s) // a database without a log of changes beside it
	path := filepath.Join(s.Dir, "data", "crowdsec.db")
	saved := map[string][]byte{}
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		saved[name] = data
		if err := os.WriteFile(name, make([]byte, len(data)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	meanwhile()
	s.process.end()
	for name, data := range saved {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Remove(path + "-shm")
	return restart(t, s)
}

// What the official bouncers miss: a local ban on an address that the community holds
// longer, a ban on an account, and one in the form that somebody typed.
func TestBouncerScopesAndForms(t *testing.T) {
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			s := start(t, r)
			key, err := s.AddBouncer(t.Context(), "csmail")
			if err != nil {
				t.Fatal(err)
			}
			f := follow(t, s, key, nil)
			cscli(t, s, "decisions", "add", "-i", "192.0.2.7", "-d", "9h")
			cscli(t, s, "decisions", "add", "-i", "192.0.2.7", "-d", "1h", "-t", "captcha")
			cscli(t, s, "decisions", "add", "-r", "2001:DB8:1::/48", "-d", "1h")
			cscli(t, s, "decisions", "add", "--scope", "username", "--value", "Bob@example.org", "-d", "1h")
			within(t, 10*time.Second, "four decisions", func() bool { return f.Table().Len() == 4 })
			now := time.Now()
			if d, _ := f.Table().Lookup(netip.MustParseAddr("2001:db8:1:2::3"), now); d.Type != decision.Ban {
				t.Errorf("a network: %+v", d)
			}
			if d, _ := f.Table().LookupAccount("bob@example.org", now); d.Type != decision.Ban || d.Origin != "cscli" {
				t.Errorf("an account: %+v", d)
			}
			d, _ := f.Table().Lookup(netip.MustParseAddr("192.0.2.7"), now)
			if d.Type != decision.Ban {
				t.Errorf("the ban: %+v", d)
			}
			cscli(t, s, "decisions", "delete", "--id", fmt.Sprint(d.ID))
			within(t, 5*time.Second, "the captcha that is left", func() bool {
				d, _ := f.Table().Lookup(netip.MustParseAddr("192.0.2.7"), time.Now())
				return d.Type == decision.Captcha
			})
			if out := cscli(t, s, "bouncers", "list"); !strings.Contains(out, "crowdsec-csmail-bouncer") {
				t.Errorf("cscli bouncers list: %s", out)
			}
		})
	}
}

// What an administrator sees of csmail with cscli: that it is a bouncer, its version and
// its last pull, and how much it was asked, refused, and holds.
func TestBouncerIsShown(t *testing.T) {
	s := start(t, Current)
	key, err := s.AddBouncer(t.Context(), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	cscli(t, s, "decisions", "add", "-i", "192.0.2.7", "-d", "1h")
	cscli(t, s, "decisions", "add", "-i", "2001:db8::7", "-d", "1h")
	f := follow(t, s, key, func(o *bouncer.Options) {
		o.Version = "1.2.3"
		o.Usage = func() bouncer.Usage {
			return bouncer.Usage{
				Processed: map[string]uint64{"ipv4": 4321, "ipv6": 7},
				Dropped:   map[bouncer.Dropped]uint64{{Origin: "cscli", Remediation: "ban", IPType: "ipv4"}: 123},
			}
		}
	})
	within(t, 10*time.Second, "two decisions", func() bool { return f.Table().Len() == 2 })
	f.stop() // it reports once more at the end

	var listed []struct {
		Name, Type, Version string
		LastPull            string `json:"last_pull"`
		Revoked             bool
	}
	if err := json.Unmarshal([]byte(cscli(t, s, "bouncers", "list", "-o", "json")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 1 || listed[0].Type != "crowdsec-csmail-bouncer" || listed[0].Version != "v1.2.3" || listed[0].LastPull == "" || listed[0].Revoked {
		t.Errorf("cscli bouncers list: got %+v", listed)
	}
	inspected := cscli(t, s, "bouncers", "inspect", "csmail")
	for _, want := range []string{"crowdsec-csmail-bouncer", "v1.2.3", "Last Pull"} {
		if !strings.Contains(inspected, want) {
			t.Errorf("cscli bouncers inspect does not say %q:\n%s", want, inspected)
		}
	}
	var shown string
	within(t, 20*time.Second, "the metrics are shown", func() bool {
		shown = s.metrics(t, "bouncers")
		return strings.Contains(shown, "csmail")
	})
	t.Logf("cscli metrics show bouncers:\n%s", shown)
	for _, want := range []string{"cscli", "123", "4.33k", "Total"} {
		if !strings.Contains(shown, want) {
			t.Errorf("cscli metrics show bouncers does not say %q:\n%s", want, shown)
		}
	}
}

// metrics runs cscli metrics show, which insists on a Prometheus listener: a copy of the
// configuration names one.
func (s *Server) metrics(t *testing.T, section string) string {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(s.Dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(http.NotFoundHandler())
	defer listener.Close()
	host, port, _ := net.SplitHostPort(listener.Listener.Addr().String())
	text := strings.Replace(string(config), "prometheus: {enabled: false}", "prometheus: {enabled: true, level: full, listen_addr: "+host+", listen_port: "+port+"}", 1)
	path := filepath.Join(s.Dir, "metrics.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), s.cscli, "-c", path, "metrics", "show", section).CombinedOutput()
	if err != nil {
		t.Fatalf("cscli metrics show %s: %v\n%s", section, err, out)
	}
	return string(out)
}
