//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// doorman is a mail host whose doors csmail keeps.
type doorman struct {
	*lab
	t       *testing.T
	program string
	ns      *netns
	home    *netns // csmail's
	lapi    *lapitest.Server
	way     *switched
	config  string
	csmail  *child
	asked   time.Time // when Dovecot last asked csmail
	more    surroundings
}

// surroundings are what a test adds to a doorman.
type surroundings struct {
	log    string // lines of the days before
	config string // the end of csmail.yaml, first the rest of enforce
	files  map[string][]byte

	apart *Client // the host that csmail runs on; nil: the mail host
}

// switched leads to the LAPI, to nobody, or to somebody who talks nonsense.
type switched struct {
	mu      sync.Mutex
	target  string // "" : nobody
	garbage bool
	server  *http.Server
	address string
}

func newSwitch(t *testing.T, ns *netns, target string) *switched {
	t.Helper()
	l, err := ns.listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &switched{target: target, address: l.Addr().String()}
	w.server = &http.Server{Handler: w}
	go func() { _ = w.server.Serve(l) }()
	t.Cleanup(func() { w.server.Close() })
	return w
}

func (s *switched) set(target string, garbage bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target, s.garbage = target, garbage
}

func (s *switched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	target, garbage := s.target, s.garbage
	s.mu.Unlock()
	if garbage {
		fmt.Fprint(w, `{"new": 7, "deleted": "nonsense"}`)
		return
	}
	if target == "" {
		panic(http.ErrAbortHandler)
	}
	to := *r
	to.RequestURI = ""
	to.URL.Scheme, to.URL.Host = "http", target
	resp, err := http.DefaultTransport.RoundTrip(&to)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = bufio.NewReader(resp.Body).WriteTo(w)
}

func newDoorman(t *testing.T, r release, players []*Client) *doorman {
	t.Helper()
	return newDoormanIn(t, r, players, surroundings{})
}

func newDoormanIn(t *testing.T, r release, players []*Client, more surroundings) *doorman {
	t.Helper()
	dir, err := os.MkdirTemp("", "csmail-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	what := r.setup
	what.Enforce = true
	if more.apart != nil {
		what.Apart = more.apart.Addr.String()
		players = append(players, more.apart)
	}
	d := &doorman{lab: &lab{dir: dir, setup: what, clients: players}, t: t, program: buildProgram(t), more: more}
	t.Cleanup(func() {
		if err := d.lab.close(nil); err != nil {
			t.Error(err)
		}
	})
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	if d.ns, err = openNetns(d.server.netnsPath()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.ns.close)
	d.home = d.ns
	if more.apart != nil {
		d.home = more.apart.ns
	}
	d.lapi = startLAPI(t, lapitest.Current)
	d.way = newSwitch(t, d.home, d.host())
	key, err := d.lapi.AddBouncer(t.Context(), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	d.configure(key)
	d.startCsmail()
	return d
}

func (d *doorman) host() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.lapi.URL, "http://"), "/")
}

func (d *doorman) configure(key string) {
	d.t.Helper()
	dir := filepath.Join(d.dir, "csmail") // the server sees it, too
	if err := os.Mkdir(dir, 0o755); err != nil {
		d.t.Fatal(err)
	}
	for name, text := range d.more.files {
		write(d.t, dir, name, text)
	}
	write(d.t, dir, "mail.log", []byte(d.more.log))
	log := filepath.Join(dir, "mail.log")
	if err := d.log.writeTo(log); err != nil {
		d.t.Fatal(err)
	}
	path, err := d.lapi.AddMachine(d.t.Context(), "csmail")
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	write(d.t, dir, "credentials.yaml", []byte(strings.Replace(string(text), d.lapi.URL, "http://"+d.way.address+"/", 1)))
	program, err := os.ReadFile(d.program)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "program"), program, 0o755); err != nil {
		d.t.Fatal(err)
	}
	d.config = writeHost(d.t, dir, filepath.Join(dir, "credentials.yaml"), log)
	socket := filepath.Join(d.dir, "spool", "csmail")
	if err := os.Mkdir(socket, 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := chownTo(serverConfig{setup: d.setup}, socket, "postfix"); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(d.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if d.more.apart != nil {
		fmt.Fprintf(f, apartConfig, key, domain)
		return
	}
	fmt.Fprintf(f, "bouncer: {api_key: %s, update_frequency: 1s}\nenforce:\n  accounts: true\n  contact: postmaster@%s\n  policy: {listen: [127.0.0.1:10040, %s]}\n  socketmap: {listen: [127.0.0.1:10041]}\n  dnsbl: {listen: [127.0.0.1:10053]}\n%s",
		key, domain, "/var/spool/postfix/csmail/policy.sock", strings.ReplaceAll(d.more.config, "DIR", dir))
}

func (d *doorman) startCsmail() {
	d.t.Helper()
	var err error
	cmd := d.inside("run", "-c", d.config)
	if d.more.apart != nil {
		cmd = csmailCommand(d.program, d.config, "run")
	}
	if d.csmail, err = startChild(d.home, cmd); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if d.csmail != nil {
			_ = d.csmail.cmd.Process.Signal(syscall.SIGCONT)
			d.csmail.stop()
		}
	})
	d.await("csmail's doors are open", func() bool {
		return strings.Contains(d.csmail.out.String(), "msg=started") || strings.Contains(d.csmail.out.String(), "started")
	})
}

func (d *doorman) await(what string, done func() bool) {
	d.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			out, _ := d.lapi.Cscli(d.t.Context(), "decisions", "list", "-a")
			log := d.text()
			d.t.Fatalf("not within 30s: %s\ncsmail:\n%s\n%s\nlog:\n%s", what, d.csmail.out.String(), out, log[max(0, len(log)-3000):])
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (d *doorman) cscli(args ...string) {
	d.t.Helper()
	if _, err := d.lapi.Cscli(d.t.Context(), args...); err != nil {
		d.t.Fatal(err)
	}
}

// guest is a client of the matrix.
type guest struct {
	*Client
	user    string
	refused func(door string) bool // while csmail is up
}

func guests() []guest {
	everywhere := func(string) bool { return true }
	nowhere := func(string) bool { return false }
	logins := func(door string) bool {
		return slices.Contains([]string{"login on 25", "submission", "imap", "pop3"}, door)
	}
	later := func(door string) bool { return door != "postscreen" && door != "block list" } // which know no "later"
	client := func(name, addr string) *Client {
		c := cast([]scenario{{name, addr, addr, false, verified, nil}})[0]
		return c
	}
	return []guest{
		{client("clean", "203.0.113.71"), "alice", nowhere},
		{client("clean6", "2001:db8:71::71"), "alice", nowhere},
		{client("banned", "203.0.113.72"), "alice", everywhere},
		{client("network", "198.51.100.200"), "alice", everywhere},
		{client("banned6", "2001:db8:72::72"), "alice", everywhere},
		{client("captcha", "203.0.113.73"), "alice", later},
		{client("account", "203.0.113.74"), "bob", logins},
	}
}

// enforcing are Debian 12 with Postfix 3.7 and Dovecot 2.3, which is this machine's, and
// Debian 13 with 3.10 and 2.4, unpacked by one of two scripts.
func enforcing(t *testing.T) []release {
	t.Helper()
	all, err := releases()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 2 {
		return all
	}
	root, err := filepath.Abs(filepath.Join("booted", "trixie"))
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		t.Fatalf("Debian 13 is not there: %v; tests/e2e/booted.sh trixie unpacks it", err)
	}
	return append(all, release{name: "debian13", setup: setup{Root: root, Dovecot24: true}})
}

// TestDoors: whatever becomes of csmail or of its LAPI, a clean client gets in; whoever
// is banned does not while csmail is up; and no refusal is an offence. The releases take
// turns at waiting, so they run side by side.
func TestDoors(t *testing.T) {
	for _, r := range enforcing(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			testDoors(t, r)
		})
	}
}

func testDoors(t *testing.T, r release) {
	all := guests()
	var players []*Client
	for _, g := range all {
		players = append(players, g.Client)
	}
	typist := cast([]scenario{{"typist", "203.0.113.75", "203.0.113.75", false, verified, nil}})[0]
	d := newDoorman(t, r, append(players, typist))
	if err := typist.mistype(); err != nil { // it shows csmail that Dovecot logs why logins fail
		t.Fatal(err)
	}
	d.decideAddresses()
	d.cscli("decisions", "add", "--scope", "username", "--value", account("bob"), "-d", "1h")
	d.await("the last decision is in force", func() bool {
		o, err := tryBox(all[6].Client, portIMAP, "bob")
		return err == nil && o.refused
	})
	d.mustBeWired()
	process := func() *os.Process { return d.csmail.cmd.Process }
	for _, state := range []struct {
		name   string
		begin  func()
		end    func()
		up     bool          // who is banned is refused
		within time.Duration // a clean client's whole session
	}{
		{"up", func() {}, func() {}, true, 4 * time.Second},
		{"LAPI down", func() { d.way.set("", false) }, func() { d.way.set(d.host(), false) }, true, 4 * time.Second},
		{"LAPI nonsense", func() { d.way.set("", true) }, func() { d.way.set(d.host(), false) }, true, 4 * time.Second},
		{"hung, then killed", func() {
			_ = process().Signal(syscall.SIGSTOP)
			time.AfterFunc(5*time.Second, func() { _ = process().Kill() })
		}, func() { <-d.csmail.done }, false, 10 * time.Second},
		{"dead", func() {}, d.startCsmail, false, 5 * time.Second},
		{"dead again", func() { _ = process().Kill(); <-d.csmail.done }, d.startCsmail, false, 5 * time.Second},
		{"restarted", func() { d.csmail.stop(); d.startCsmail() }, func() {}, true, 4 * time.Second},
		{"restarted without LAPI", func() { d.way.set("", false); d.csmail.stop(); d.startCsmail() }, func() { d.way.set(d.host(), false) }, true, 4 * time.Second},
	} {
		state.begin()
		time.Sleep(1500 * time.Millisecond) // a poll of the LAPI
		if state.up {
			d.awaitAsked(state.name, all)
		}
		d.visit(state.name, all, state.up, state.within)
		state.end()
	}
	d.hang(all[:2])
	if r.setup.Dovecot24 { // 2.3 asks again after a minute at the latest
		d.killWhileAsked(all)
	}
	d.restartUnderLoad(all)
	d.mustBeNoOffence(all)
}

// awaitAsked waits until Dovecot asks again, and lets everybody in meanwhile. The HTTP
// client of 2.3 leaves a server that was gone alone for up to a minute
// (connect_backoff_max_time_msecs of lib-http), that of 2.4.1 as long again as the server
// was gone (docs/enforcement.md).
func (d *doorman) awaitAsked(state string, all []guest) {
	d.t.Helper()
	began := time.Now()
	limit := max(90*time.Second, began.Sub(d.asked)+30*time.Second)
	for time.Since(began) < limit {
		if o, err := tryBox(all[2].Client, portIMAP, all[2].user); err == nil && o.refused {
			d.asked = time.Now()
			d.t.Logf("%s: Dovecot asks after %s", state, d.asked.Sub(began).Round(time.Millisecond))
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	d.t.Errorf("%s: Dovecot does not ask again within %s", state, limit)
}

// killWhileAsked kills a csmail that hangs while many log in, and starts it again. Each
// connection that Dovecot 2.4.1 loses then would double the time for which it does not
// ask: 20 make it 15 hours (32 would overflow to nothing).
func (d *doorman) killWhileAsked(all []guest) {
	d.t.Helper()
	_ = d.csmail.cmd.Process.Signal(syscall.SIGSTOP)
	var group sync.WaitGroup
	for range 5 { // one account may have ten sessions from one address
		for _, g := range all[:2] {
			for _, port := range []string{portIMAP, portPOP3} {
				group.Go(func() {
					if o, err := tryBox(g.Client, port, g.user); err != nil || o.refused {
						d.t.Errorf("killed while many log in, %s, %s: %+v, %v", g.Name, port, o, err)
					}
				})
			}
		}
	}
	time.Sleep(400 * time.Millisecond)
	_ = d.csmail.cmd.Process.Kill()
	<-d.csmail.done
	group.Wait()
	d.startCsmail()
	d.awaitAsked("killed while many log in", all)
}

// mistype fails to log in once.
func (c *Client) mistype() error {
	m, err := c.mailbox(portIMAP)
	if err != nil {
		return err
	}
	if err := m.login(false, account("bob"), "mistyped"); err != nil {
		return err
	}
	return m.logout()
}

// inside is csmail on the mail host, where it sees Postfix and Dovecot with their
// settings, programs and sockets.
func (d *doorman) inside(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{
		"--target", strconv.Itoa(d.server.cmd.Process.Pid), "--mount", "--net", "--root", "--wd",
		filepath.Join(d.dir, "csmail", "program"),
	}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC"}
	return cmd
}

// mustBeWired has csmail say who asks it, and go through the real doors.
func (d *doorman) mustBeWired() {
	d.t.Helper()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"enforce", "status", "-c", d.config}, []string{
			"5 decisions in force", "smtp/inet asks csmail", "submission/inet asks csmail", "dovecot asks csmail", "postscreen 2525/inet asks csmail", "2526/inet does not ask csmail",
		}},
		{[]string{"enforce", "test", "-c", d.config}, []string{
			"smtp/inet refuses a client from " + serverV4 + " at RCPT: 421 4.7.1", "submission/inet refuses a client from " + serverV4 + " at CONNECT: 521 5.7.1",
			"dovecot refuses a login from 192.0.2.1: CrowdSec decision 999999999 on your address", "postscreen 2525/inet refuses 192.0.2.1 before the greeting",
			"this host's resolver lists 192.0.2.1: 127.0.0.2",
		}},
		{[]string{"why", "-c", d.config, "--no-lapi", "203.0.113.72"}, []string{"ban on 203.0.113.72 by cscli"}},
	} {
		out, err := d.inside(c.args...).CombinedOutput()
		for _, want := range c.want {
			if err != nil || !strings.Contains(string(out), want) {
				d.t.Errorf("csmail %s: %v, it does not say %q:\n%s", strings.Join(c.args, " "), err, want, out)
			}
		}
	}
}

// decideAddresses adds the decisions on addresses and networks that the guests expect.
func (d *doorman) decideAddresses() {
	d.cscli("decisions", "add", "-i", "203.0.113.72", "-d", "1h")
	d.cscli("decisions", "add", "-r", "198.51.100.192/26", "-d", "1h")
	d.cscli("decisions", "add", "-i", "2001:DB8:72:0::72", "-d", "1h")
	d.cscli("decisions", "add", "-i", "203.0.113.73", "-d", "1h", "-t", "captcha")
}

// visit has every guest come to every door.
func (d *doorman) visit(state string, all []guest, up bool, limit time.Duration) {
	d.t.Helper()
	var group sync.WaitGroup
	for _, g := range all {
		group.Go(func() {
			for door, try := range tries {
				if d.more.apart != nil && (door == "postscreen" || door == "block list") {
					continue // there are none
				}
				o, err := try(g.Client, g.user)
				want := up && g.refused(door)
				if !up && door == "block list" && g.refused(door) {
					continue // a smtpd process keeps what a list answered for as long as it lives
				}
				for range 3 { // after a restart a smtpd may find its old connection dead, and let one session in
					if err != nil || o.refused == want || !strings.HasPrefix(state, "restarted") {
						break
					}
					o, err = try(g.Client, g.user)
				}
				switch {
				case err != nil:
					d.t.Errorf("%s, %s, %s: %v", state, g.Name, door, err)
				case o.refused != want:
					d.t.Errorf("%s, %s, %s: refused %t (%s), want %t", state, g.Name, door, o.refused, o.text, want)
				case want && !strings.Contains(o.text, "CrowdSec decision") && door != "postscreen": // which has a text of its own
					d.t.Errorf("%s, %s, %s: refused with %q", state, g.Name, door, o.text)
				case o.took > limit:
					d.t.Errorf("%s, %s, %s: took %s, more than %s", state, g.Name, door, o.took.Round(time.Millisecond), limit)
				}
			}
		})
	}
	group.Wait()
}

// hang stops csmail's process and has one clean client after the other come. Postfix
// waits for two seconds and Dovecot for half of one. Many at once come in the state "hung,
// then killed". Both hold with auth_policy_report_after_auth = no only: with reports
// Dovecot 2.3.19's HTTP client loses its timer and waits for as long as csmail hangs
// (measured; docs/enforcement.md).
func (d *doorman) hang(clean []guest) {
	d.t.Helper()
	_ = d.csmail.cmd.Process.Signal(syscall.SIGSTOP)
	defer func() { _ = d.csmail.cmd.Process.Signal(syscall.SIGCONT) }()
	time.Sleep(time.Second)
	for _, g := range clean {
		for door, try := range tries {
			if door == "postscreen" {
				continue // it waits for as long as csmail hangs: docs/enforcement.md
			}
			if o, err := try(g.Client, g.user); err != nil || o.refused || o.took > 7*time.Second {
				d.t.Errorf("hung, %s, %s: %+v, %v", g.Name, door, o, err)
			}
		}
	}
}

// restartUnderLoad restarts csmail over and over while clean clients come.
func (d *doorman) restartUnderLoad(all []guest) {
	d.t.Helper()
	done := make(chan struct{})
	var group sync.WaitGroup
	for _, g := range all[:2] {
		group.Go(func() {
			for {
				for door, try := range tries {
					select {
					case <-done:
						return
					default:
					}
					if o, err := try(g.Client, g.user); err != nil || o.refused {
						d.t.Errorf("restarting, %s, %s: %+v, %v", g.Name, door, o, err)
					}
				}
			}
		})
	}
	for range 5 {
		d.csmail.stop()
		d.startCsmail()
	}
	close(done)
	group.Wait()
}

// mustBeNoOffence: neither csmail run nor the log by itself holds anything against those
// who were refused, and the clean ones were never refused.
func (d *doorman) mustBeNoOffence(all []guest) {
	d.t.Helper()
	time.Sleep(4 * time.Second) // the last lines, and the reports
	events := func(form string) []byte {
		out, err := csmailCommand(d.program, d.config, "events", "-o", form, filepath.Join(filepath.Dir(d.config), "mail.log")).Output()
		if err != nil {
			d.t.Fatalf("csmail events -o %s: %v", form, err)
		}
		return out
	}
	for line := range bytes.Lines(events("crowdsec")) { // what counts
		var e struct{ Meta map[string]string }
		if err := json.Unmarshal(line, &e); err != nil {
			d.t.Fatal(err)
		}
		if slices.ContainsFunc(all, func(g guest) bool { return g.Addr.String() == e.Meta["source_ip"] }) {
			d.t.Errorf("an offence: %s", line)
		}
	}
	if !bytes.Contains(events("json"), []byte(`"class":"own"`)) {
		d.t.Error("no refusal of ours is known in the log")
	}
	for _, found := range decisions(d.t, d.lapi) {
		if found.Origin == "crowdsec" {
			d.t.Errorf("a ban: %+v", found)
		}
	}
}

// TestWholeWay: who guesses at the real Dovecot is refused by it before the bouncer asks
// again; whoever deletes the ban lets him in. A phone that sends one old password as often
// is never banned.
func TestWholeWay(t *testing.T) {
	for _, r := range enforcing(t) {
		t.Run(r.name, func(t *testing.T) {
			players := cast([]scenario{
				{"guess-imap", "203.0.113.13", "2001:db8:13::13", true, verified, guessIMAP},
				{"guess-bob", "203.0.113.14", "2001:db8:14::14", true, verified, func(c *Client) error { return c.tryPasswords(func(i int) string { return fmt.Sprint("guess", i) }) }},
			})
			phones := cast([]scenario{{"phone", "203.0.113.15", "2001:db8:15::15", false, verified, func(c *Client) error {
				return c.tryPasswords(func(int) string { return "last-year" })
			}}})
			d := newDoorman(t, r, append(phones, players...))
			for _, c := range phones {
				if err := c.act(c); err != nil {
					t.Fatalf("%v\n%s", err, d.text())
				}
			}
			for _, c := range players {
				began := time.Now()
				if err := c.act(c); err != nil {
					t.Fatalf("%v\n%s", err, d.text())
				}
				guessed := time.Now()
				d.await(c.Name+" is refused with our text", func() bool {
					o, err := tryBox(c, portIMAP, "carol")
					return err == nil && o.refused && strings.Contains(o.text, "CrowdSec decision")
				})
				took := time.Since(guessed)
				t.Logf("%s: refused %s after the last guess (%s after the first)", c.Name, took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
				if took > 2*time.Second {
					t.Errorf("%s is refused only after %s", c.Name, took)
				}
				flag := "-i"
				if !c.isV4() {
					flag = "-r"
				}
				d.cscli("decisions", "delete", flag, banned(c))
				deleted := time.Now()
				d.await(c.Name+" may log in again", func() bool {
					o, err := tryBox(c, portIMAP, "carol")
					return err == nil && !o.refused
				})
				if took := time.Since(deleted); took > 3*time.Second {
					t.Errorf("%s may log in only after %s", c.Name, took)
				}
			}
			d.mustNotBeBanned(phones)
		})
	}
}

// tryPasswords fails to log in to one account a dozen times, half of it by IMAP and half
// by SMTP where mail comes in.
func (c *Client) tryPasswords(password func(i int) string) error {
	for i := range 6 {
		m, err := c.mailbox(portIMAP)
		if err != nil {
			return err
		}
		if err := m.login(false, account("bob"), password(i)); err != nil {
			return err
		}
		if err := m.logout(); err != nil {
			return err
		}
	}
	for i := range 6 {
		s, err := c.smtp("25", c.helo())
		if err != nil {
			return err
		}
		if err := s.command(535, "AUTH PLAIN %s", b64("\x00"+account("bob")+"\x00"+password(i))); err != nil {
			s.drop()
			return err
		}
		if err := s.command(221, "QUIT"); err != nil {
			return err
		}
	}
	return nil
}

// mustNotBeBanned: an old password that is sent again and again is one guess. The log
// says so nowhere; Dovecot's questions do.
func (d *doorman) mustNotBeBanned(phones []*Client) {
	d.t.Helper()
	for _, c := range phones {
		if o, err := tryBox(c, portIMAP, "carol"); err != nil || o.refused {
			d.t.Errorf("%s may not log in: %+v, %v", c.Name, o, err)
		}
		for _, found := range decisions(d.t, d.lapi) {
			if found.Value == banned(c) {
				d.t.Errorf("%s is banned: %+v", c.Name, found)
			}
		}
		why, err := d.inside("why", "-v", "--no-lapi", "-c", d.config, c.Addr.String()).CombinedOutput()
		if err != nil || !strings.Contains(string(why), "a stale or mistyped password") {
			d.t.Errorf("%s: csmail why does not say that the password is stale: %v\n%s", c.Name, err, why)
		}
	}
}
