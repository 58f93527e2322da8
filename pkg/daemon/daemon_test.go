package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/dyndns"
	"csmail/pkg/hint"
)

// rig is a daemon with a log file and a LAPI.
type rig struct {
	t      *testing.T
	dir    string
	lapi   *fakeLAPI
	ask    *control.Client
	reload chan struct{}
	stdin  io.Reader
	told   chan string // what systemd is told
	cancel context.CancelFunc
	ended  chan error
	pid    int
	log    string       // the name of the log that is written
	port   int          // of the metrics, if twoLogs set it
	child  *os.Process  // of such a daemon
	said   said         // by a daemon
	ahead  atomic.Int64 // by how much its clock is, in nanoseconds

	lookup   dyndns.Lookup // of guard.allow_names
	journal  string        // the command
	patience time.Duration // of a reload
	grace    float64       // of trouble
	watchdog time.Duration // of systemd
}

func newRig(t *testing.T) *rig {
	t.Helper()
	fake, url := newFakeLAPI(t)
	r := &rig{t: t, dir: t.TempDir(), lapi: fake, reload: make(chan struct{}), told: make(chan string, 100), pid: 100, log: "mail.log"}
	r.ask = control.NewClient(r.path("sock"))
	r.write("creds.yaml", "url: "+url+"/\nlogin: csmail\npassword: x\n")
	r.configure("")
	r.write("mail.log", "")
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// configure writes the configuration with further keys.
func (r *rig) configure(more string) {
	r.t.Helper()
	if !strings.Contains(more, "sources:") {
		more += fmt.Sprintf("\nsources: [{source: file, filenames: [%s], timezone: UTC}]\n", r.path("mail.log"))
	}
	r.write("csmail.yaml", fmt.Sprintf("lapi: {credentials: %s}\nstate: %s\nsocket: %s\n%s", r.path("creds.yaml"), r.path("state.db"), r.path("sock"), more))
}

func (r *rig) options() Options {
	return Options{
		Load: func() (config.Config, error) { return config.Load(r.path("csmail.yaml")) },
		Path: r.path("csmail.yaml"), Version: "test", Log: slog.New(slog.NewTextHandler(io.MultiWriter(r.t.Output(), &r.said), nil)),
		Now: r.now, Lookup: r.lookup, Reload: r.reload, Stdin: r.stdin, Journal: r.journal, ReloadWithin: r.patience, Grace: r.grace, Watchdog: r.watchdog,
		Notify: func(m string) {
			select {
			case r.told <- m:
			default:
			}
		},
	}
}

// now is what the clock shows; it says nothing of how much has passed.
func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())).Round(0) }

// start runs the daemon until it is ready.
func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan error, 1)
	options := r.options()
	go func() { r.ended <- Run(ctx, options) }()
	r.t.Cleanup(r.stop)
	r.await("READY=1")
}

// await waits until systemd is told so.
func (r *rig) await(message string) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case told := <-r.told:
			if told == message {
				return
			}
		case err := <-r.ended:
			r.ended <- err
			r.t.Fatalf("the daemon ended: %v", err)
		case <-deadline:
			r.t.Fatalf("systemd is not told %q", message)
		}
	}
}

func (r *rig) stop() {
	r.cancel()
	err := <-r.ended
	r.ended <- nil
	if err != nil {
		r.t.Errorf("the daemon ended with %v", err)
	}
}

// guesses writes n failed logins of an address at a time, each on its own account
// unless one is given.
func (r *rig) guesses(n int, addr, user string, at time.Time) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(r.log), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for range n {
		r.pid++
		name := user
		if name == "" {
			name = fmt.Sprint("user", r.pid)
		}
		fmt.Fprintf(f, "%s mx1 postfix/smtpd[%d]: warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=%s\n", at.UTC().Format("2006-01-02T15:04:05.000000Z"), r.pid, addr, name)
	}
}

// delivered waits for n alerts more and returns all.
func (r *rig) delivered(n int) []string {
	r.t.Helper()
	for range n {
		select {
		case <-r.lapi.came:
		case <-time.After(20 * time.Second):
			r.t.Fatalf("only %q came", r.lapi.values())
		}
	}
	return r.lapi.values()
}

// eventually asks until it is so.
func (r *rig) eventually(what string, is func() bool) {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("never: %s", what)
		}
	}
}

func (r *rig) lines() int64 {
	status, err := r.ask.Status(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return status.Lines
}

const attacker = "203.0.113.7"

func TestFindingIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf " + attacker}) {
		t.Errorf("alerts %q, want %q", got, []string{"csmail/auth-bf " + attacker})
	}
	r.stop()
	r.start()
	r.eventually("why tells of the delivered alert and its lines", func() bool {
		why, err := r.ask.Why(t.Context(), netip.MustParseAddr(attacker))
		return err == nil && len(why.Alerts) == 1 && why.Alerts[0].State == "delivered" &&
			len(why.Evidence) > 0 && strings.Contains(why.Evidence[0].Line, attacker)
	})
	if got := r.lapi.values(); len(got) != 1 {
		t.Errorf("after a restart: %q, want one", got)
	}
}

// What was counted before a restart counts after it.
func TestRestartForgetsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.guesses(3, attacker, "bob", time.Now())
	r.eventually("three lines are read", func() bool { return r.lines() == 3 })
	r.stop()
	r.guesses(2, attacker, "bob", time.Now()) // while it is down
	r.start()
	r.guesses(1, attacker, "bob", time.Now())
	if got := r.delivered(1); got[0] != "csmail/auth-bf "+attacker {
		t.Errorf("alerts %q, want %v", got, "csmail/auth-bf "+attacker)
	}
}

func TestLAPIDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lapi.setDown(true)
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.eventually("the outbox holds the alert and says why", func() bool {
		s, err := r.ask.Status(t.Context())
		return err == nil && s.Outbox.Pending == 1 && strings.Contains(s.LAPI.Error, "database is locked")
	})
	r.lapi.setDown(false)
	r.delivered(1)
}

func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.configure("scenarios: [/nowhere]")
	r.reload <- struct{}{}
	r.await("READY=1")
	s, err := r.ask.Status(t.Context())
	if err != nil || !strings.Contains(s.Reload, "/nowhere") {
		t.Errorf("a bad configuration: %q, %v, want it to contain \"/nowhere\"", s.Reload, err)
	}
	r.guesses(5, attacker, "bob", time.Now())
	r.eventually("five lines are read by the old configuration", func() bool { return r.lines() == 5 })
	r.configure("guard: {bans_per_hour: 7}")
	r.reload <- struct{}{}
	r.await("READY=1")
	if s, err = r.ask.Status(t.Context()); err != nil || s.Reload != "" {
		t.Errorf("a good configuration: %q, %v, want Reload \"\"", s.Reload, err)
	}
	r.guesses(1, attacker, "bob", time.Now())
	r.delivered(1) // five before the reload and one after it
}

func TestHeldIsReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("guard: {allow: [203.0.113.0/24]}")
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	var held []control.Alert
	r.eventually("the alert is held", func() bool {
		list, err := r.ask.List(t.Context(), control.Held)
		held = list
		return err == nil && len(list) == 1
	})
	if !strings.Contains(held[0].Reason, "guard.allow") {
		t.Errorf("held because of %q, want it to contain \"guard.allow\"", held[0].Reason)
	}
	_, err := r.ask.Move(t.Context(), control.Held, "all", control.Release)
	if want := "0 released, 1 stay held: " + attacker + " is never banned: "; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(hint.Of(err), "guard.allow") {
		t.Errorf("released what is never banned: %v (%s), want an error that begins with %q, it to contain \"guard.allow\"", err, hint.Of(err), want)
	}
	r.configure("")
	r.reload <- struct{}{}
	r.await("READY=1")
	if n, err := r.ask.Move(t.Context(), control.Held, held[0].ID[:8], control.Release); n != 1 || err != nil {
		t.Fatalf("released %d, %v, want 1", n, err)
	}
	r.delivered(1)
	if _, err := r.ask.Move(t.Context(), control.Held, "nonsense", control.Drop); err == nil {
		t.Error("an unknown ID is no error")
	}
	if _, err := r.ask.Move(t.Context(), control.Outbox, "all", control.Drop); err != nil {
		t.Errorf("all of an empty list: %v", err)
	}
}

// What was held and then dropped was never a ban.
func TestDroppedHoldIsNoBan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("guard: {allow: [203.0.113.0/24]}")
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.eventually("the alert is held", func() bool {
		list, err := r.ask.List(t.Context(), control.Held)
		return err == nil && len(list) == 1
	})
	if n, err := r.ask.Move(t.Context(), control.Held, attacker, control.Drop); n != 1 || err != nil {
		t.Fatalf("dropped %d, %v, want 1", n, err)
	}
	why, err := r.ask.Why(t.Context(), netip.MustParseAddr(attacker))
	if err != nil || len(why.Alerts) != 1 || why.Alerts[0].State != "dropped" || why.Alerts[0].Verdict != "none" {
		t.Errorf("got %+v, %v, want one that is dropped, with the verdict none", why.Alerts, err)
	}
}

// A person's word holds after a restart too.
func TestUnban(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.guesses(5, attacker, "bob", time.Now())
	r.eventually("five lines are read", func() bool { return r.lines() == 5 })
	done, err := r.ask.Unban(t.Context(), netip.MustParsePrefix(attacker+"/32"))
	if err != nil || time.Until(done.Amnesty) < 23*time.Hour {
		t.Fatalf("%+v, %v", done, err)
	}
	r.stop()
	r.start()
	r.guesses(9, attacker, "bob", time.Now())
	r.guesses(6, "203.0.113.8", "bob", time.Now())
	if got := r.delivered(1); len(got) != 1 || got[0] != "csmail/auth-bf 203.0.113.8" {
		t.Errorf("alerts %q, want one of them, \"csmail/auth-bf 203.0.113.8\"", got)
	}
}

// A network is forgiven with all that is in it, held alerts among them; one that is too
// large is refused.
func TestUnbanNetwork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.guesses(5, "203.0.113.7", "bob", time.Now())
	r.eventually("five lines are read", func() bool { return r.lines() == 5 })
	for network, width := range map[string]int{"203.0.0.0/15": 16, "::/0": 32, "2001:da8::/31": 32} {
		_, err := r.ask.Unban(t.Context(), netip.MustParsePrefix(network))
		want := fmt.Sprintf("the network %s is too large to be forgiven at once: /%d is the widest", network, width)
		if err == nil || err.Error() != want || hint.Of(err) != "forgive its parts one by one; guard.allow in csmail.yaml names networks that are never banned" {
			t.Errorf("%s: got %v (%s), want the error %v, hint %q",
				network, err, hint.Of(err), want, "forgive its parts one by one; guard.allow in csmail.yaml names networks that are never banned")
		}
	}
	if _, err := r.ask.Unban(t.Context(), netip.MustParsePrefix("203.0.0.0/16")); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.start()
	r.guesses(9, "203.0.113.7", "bob", time.Now())
	r.guesses(9, "203.0.113.8", "bob", time.Now())
	r.guesses(6, "198.51.100.8", "bob", time.Now())
	if got := r.delivered(1); len(got) != 1 || got[0] != "csmail/auth-bf 198.51.100.8" {
		t.Errorf("alerts %q, want one of them, \"csmail/auth-bf 198.51.100.8\"", got)
	}
	held, err := r.ask.List(t.Context(), control.Held)
	if err != nil || len(held) != 2 {
		t.Fatalf("held %+v, %v, want 2 held", held, err)
	}
	done, err := r.ask.Unban(t.Context(), netip.MustParsePrefix("203.0.113.8/31"))
	if err != nil || done.Dropped != 1 {
		t.Errorf("got %+v, %v, want Dropped 1", done, err)
	}
}

// The first start reads back logins of two weeks and offences of a day.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	r.write("mail.log", now.Add(-10*24*time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z")+
		" mx1 dovecot: imap-login: Login: user=<carol>, method=PLAIN, rip=192.0.2.9, lip=198.51.100.4, mpid=1, TLS, session=<s>\n")
	r.guesses(9, "203.0.113.1", "", now.Add(-48*time.Hour)) // too long ago
	r.guesses(9, "192.0.2.9", "carol", now.Add(-time.Hour)) // an old password
	r.guesses(6, attacker, "bob", now.Add(-time.Minute))
	r.start()
	if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf " + attacker}) {
		t.Errorf("alerts %q, want %q", got, []string{"csmail/auth-bf " + attacker})
	}
	list, err := r.ask.List(t.Context(), control.Held)
	if err != nil || !slices.ContainsFunc(list, func(a control.Alert) bool { return a.Value == "192.0.2.9" }) {
		t.Errorf("held %+v, %v", list, err)
	}
	if got := r.lapi.values(); len(got) != 1 {
		t.Errorf("alerts %q, want one", got)
	}
}

// What only tells is no ban, also when why asks the daemon.
func TestWhyOfAnAlertWithoutABan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("tells.yaml", `{type: leaky, capacity: 5, leakspeed: 1h, name: me/tells, description: tells, filter: evt.Meta.kind == "auth-failed", groupby: evt.Meta.source_ip, labels: {remediation: false}}`)
	r.configure(fmt.Sprintf("scenarios: [%s]", r.path("tells.yaml")))
	r.start()
	r.guesses(6, attacker, "", time.Now())
	r.delivered(1)
	r.eventually("why tells of an alert that is no ban", func() bool {
		why, err := r.ask.Why(t.Context(), netip.MustParseAddr(attacker))
		return err == nil && len(why.Alerts) == 1 && why.Alerts[0].State == "delivered" && why.Alerts[0].Verdict == "alert"
	})
}

// While the guard waits for the right password, why says so rather than nothing.
func TestWhyOfAFindingThatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("scenarios: [strict]")
	r.start()
	r.guesses(1, attacker, "bob", time.Now())
	r.eventually("why tells that a verdict is yet to come", func() bool {
		why, err := r.ask.Why(t.Context(), netip.MustParseAddr(attacker))
		return err == nil && len(why.Alerts) == 0 && slices.ContainsFunc(why.History, func(text string) bool {
			return strings.HasPrefix(text, "csmail/strict-auth found it; the verdict waits for evidence and is looked at again by ")
		})
	})
}

func TestStdinEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("sources: [{source: stdin}]")
	r.guesses(6, attacker, "bob", time.Now())
	f, err := os.Open(r.path("mail.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r.stdin = f
	r.start()
	if err := <-r.ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	r.ended <- nil
	if got := r.lapi.values(); len(got) != 1 {
		t.Errorf("alerts %q, want one", got)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("prometheus: {enabled: true, listen_port: 26603}")
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.delivered(1)
	get := func(path string) string { return r.get(26603, path) }
	if got := get("/healthz"); got != "200 OK\nok\n" {
		t.Errorf("healthz: %q, want %q", got, "200 OK\nok\n")
	}
	r.eventually("the metrics tell of the alert", func() bool {
		text := get("/metrics")
		return strings.Contains(text, `csmail_events_total{class="hostile",kind="auth-failed"} 6`) &&
			strings.Contains(text, `csmail_verdicts_total{rule="none",verdict="ban"} 1`) && strings.Contains(text, `csmail_lapi{outcome="delivered"} 1`)
	})
}

// get asks the server of the metrics.
func (r *rig) get(port int, path string) string {
	r.t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.Status + "\n" + string(body)
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig){
		"sources that overlap": func(r *rig) {
			r.configure(fmt.Sprintf("sources: [{source: file, filenames: [%[1]s]}, {source: file, filenames: [%[1]s, /nonexistent]}]", r.path("mail.log")))
		},
		"bad scenarios":    func(r *rig) { r.configure("scenarios: [/nowhere]") },
		"a damaged state":  func(r *rig) { r.write("state.db", strings.Repeat("nonsense", 4096)) },
		"a socket in use":  func(r *rig) { r.write("sock", "a file") },
		"no configuration": func(r *rig) { r.write("csmail.yaml", "lapi: [") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			change(r)
			if err := Run(t.Context(), r.options()); err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// The sender and the heartbeat both want the credentials that are not there yet: the
// machine registers once, and the password that is kept is the one that counts.
func TestRegistersOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	credentials, err := config.Load(r.path("csmail.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(credentials.LAPI.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	r.lapi.setDown(true)
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.waiting(1) // so both begin at the same moment
	r.stop()
	r.lapi.setDown(false)
	url, _, _ := strings.Cut(strings.TrimPrefix(string(text), "url: "), "\n")
	r.write("csmail.yaml", fmt.Sprintf("lapi: {credentials: %s, url: %q, registration_token: %s}\nstate: %s\nsocket: %s\nsources: [{source: file, filenames: [%s]}]\n",
		r.path("own.yaml"), url, strings.Repeat("t", 32), r.path("state.db"), r.path("sock"), r.path("mail.log")))
	r.start()
	if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf " + attacker}) {
		t.Errorf("alerts %q, want %q", got, []string{"csmail/auth-bf " + attacker})
	}
}

func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	r := newRig(t)
	r.start()
	if err := Run(t.Context(), r.options()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two daemons on one state file: %v, want an error containing \"in use\"", err)
	}
}

// A break-in is told of once, as an alert that bans nobody, and stays on top of status.
func TestBreakInStaysInSight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.guesses(12, attacker, "bob", time.Now())
	r.login(attacker, "bob")
	r.eventually("status shows the break-in", func() bool {
		s, err := r.ask.Status(t.Context())
		return err == nil && len(s.BreakIns) == 1 && s.BreakIns[0].Value == attacker && s.BreakIns[0].Count == 13 && s.BreakIns[0].Status == "alert"
	})
}
