package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"csmail/pkg/config"
)

// decisions is the part of a LAPI that bouncers ask.
type decisions struct {
	mu   sync.Mutex
	list []map[string]any
	gone []map[string]any
	down bool
}

func newDecisions(t *testing.T) (*decisions, string) {
	d := &decisions{}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	return d, s.URL
}

func (d *decisions) set(down bool, values ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down, d.gone, d.list = down, d.list, []map[string]any{}
	for i, v := range values {
		scope := "Ip"
		if net.ParseIP(v) == nil {
			scope = "Username"
		}
		d.list = append(d.list, map[string]any{"id": i + 1, "scope": scope, "value": v, "type": "ban", "origin": "cscli", "scenario": "manual", "duration": "1h"})
	}
}

func (d *decisions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	var answer any = d.list
	if strings.HasSuffix(r.URL.Path, "/stream") {
		answer = map[string]any{"new": d.list, "deleted": d.gone}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// enforcing configures a daemon with doors.
func (r *rig) enforcing(url, more string) {
	r.t.Helper()
	r.configure(fmt.Sprintf("bouncer: {api_key: k, api_url: %s, update_frequency: 20ms}\nenforce:\n  policy: {listen: [%s]}\n  auth_policy: {listen: [\"unix:%s\"]}\n%s",
		url, r.path("policy"), r.path("auth"), more))
}

// asksPolicy asks as Postfix does.
func (r *rig) asksPolicy(addr, more string) string {
	r.t.Helper()
	c, err := net.Dial("unix", r.path("policy"))
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "request=smtpd_access_policy\nclient_address=%s\n%s\n", addr, more)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "action="))
}

// asksAuth asks as Dovecot does.
func (r *rig) asksAuth(command, body string) string {
	r.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", r.path("auth"))
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Post("http://x/?command="+command, "application/json", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

func TestDecisionsAreEnforced(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7", "bob")
	r := newRig(t)
	r.enforcing(url, "  accounts: true\n  contact: postmaster@example.org\n")
	r.start()
	r.eventually("the policy refuses", func() bool {
		return r.asksPolicy("192.0.2.7", "policy_context=submission\n") == "521 5.7.1 CrowdSec decision 1 on your address; questions: postmaster@example.org"
	})
	for addr, want := range map[string]string{"192.0.2.8": "DUNNO", "127.0.0.1": "DUNNO", "192.0.2.7": "421 4.7.1 CrowdSec decision 1 on your address; questions: postmaster@example.org"} {
		if got := r.asksPolicy(addr, "policy_context=mx\n"); got != want {
			t.Errorf("policy on %s: got %s, want %s", addr, got, want)
		}
	}
	for body, want := range map[string]string{
		`{"login":"eve","remote":"192.0.2.7","protocol":"imap"}`: `{"status":-1,"msg":"CrowdSec decision 1 on your address; questions: postmaster@example.org"}`,
		`{"login":"Bob","remote":"192.0.2.8","protocol":"imap"}`: `{"status":-1,"msg":"CrowdSec decision 2 on this account; questions: postmaster@example.org"}`,
		`{"login":"eve","remote":"192.0.2.8","protocol":"imap"}`: `{"status":0,"msg":""}`,
	} {
		if got := r.asksAuth("allow", body); got != want {
			t.Errorf("auth policy on %s: got %s, want %s", body, got, want)
		}
	}
	d.set(false)
	r.eventually("a deletion is enforced", func() bool { return r.asksPolicy("192.0.2.7", "") == "DUNNO" })
}

// What a run knew is in force at the next start, while the LAPI is away.
func TestDecisionsAreKept(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7")
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy("192.0.2.7", ""), "421") })
	r.stop()
	d.set(true)
	r.start()
	if got := r.asksPolicy("192.0.2.7", ""); !strings.HasPrefix(got, "421") {
		t.Errorf("after a restart without a LAPI: %s, want it to begin with \"421\"", got)
	}
}

// disconnects writes the lines that Postfix logs when it refused a login: none of them
// holds our text.
func (r *rig) disconnects(n int, addr string) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(r.log), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for range n {
		r.pid++
		at := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		fmt.Fprintf(f, "%s mx1 postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <u%[2]d@x.example>: Recipient address rejected: Access denied; from=<a@b.example> to=<u%[2]d@x.example> proto=ESMTP helo=<x>\n", at, r.pid, addr)
		fmt.Fprintf(f, "%s mx1 postfix/smtpd[%d]: disconnect from unknown[%s] ehlo=1 auth=0/3 mail=1 rcpt=0/1 commands=2/6\n", at, r.pid, addr)
	}
}

// Whoever is refused makes no new offence by it: no line that a refusal leaves behind
// counts, after a restart neither. Somebody else's same lines do.
func TestRefusalsAreNoOffences(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, attacker)
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy(attacker, "policy_context=submission\n"), "521") })
	r.disconnects(30, attacker)
	r.guesses(30, attacker, "", time.Now())
	r.eventually("all is read", func() bool { return r.lines() >= 90 })
	time.Sleep(1200 * time.Millisecond) // what was refused is kept each second
	r.stop()
	r.disconnects(30, attacker)
	r.start()
	r.eventually("all is read", func() bool { return r.lines() >= 60 })
	r.guesses(30, "203.0.113.8", "", time.Now())
	for _, got := range r.delivered(1) {
		if !strings.HasSuffix(got, " 203.0.113.8") {
			t.Errorf("an alert on %s, want it to end with \" 203.0.113.8\"", got)
		}
	}
}

// openLog opens the log to append lines to it, until the test ends.
func (r *rig) openLog() *os.File {
	r.t.Helper()
	f, err := os.OpenFile(r.path("mail.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = f.Close() })
	return f
}

// Dovecot's reports are a source by themselves; what the log tells of the same attempts
// counts no second time.
func TestReportsCountOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	_, url := newDecisions(t)
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	f := r.openLog()
	stamp := func() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }
	fmt.Fprintf(f, "%s mx1 dovecot: imap-login: Login: user=<ann>, method=PLAIN, rip=192.0.2.50, lip=192.0.2.1, mpid=1, session=<s0>\n", stamp())
	r.eventually("Dovecot's host is known", func() bool { return r.lines() == 1 })
	for i := range 4 { // too few, unless each counts twice
		body := fmt.Sprintf(`{"login":"user%d","remote":"203.0.113.9","protocol":"imap","session_id":"s%d","success":false,"policy_reject":false}`, i, i+1)
		if got := r.asksAuth("report", body); got != `{"status":0,"msg":""}` {
			t.Fatal(got)
		}
		fmt.Fprintf(f, "%s mx1 dovecot: imap-login: Disconnected: Aborted login (auth failed, 1 attempts in 1 secs): user=<user%d>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, session=<s%d>\n", stamp(), i, i+1)
	}
	time.Sleep(reportDelay + 500*time.Millisecond)
	for i := range 20 {
		r.asksAuth("report", fmt.Sprintf(`{"login":"user%d","remote":"203.0.113.10","protocol":"imap","session_id":"t%d","success":false,"policy_reject":false}`, i, i))
	}
	for _, got := range r.delivered(1) {
		if !strings.HasSuffix(got, " 203.0.113.10") {
			t.Errorf("an alert on %s, want it to end with \" 203.0.113.10\"", got)
		}
	}
}

// A phone that sends an old password for hours is not banned; somebody who tries one
// password after the other is, and so is he who hides behind CRAM-MD5, with which Dovecot
// knows no password and sends the same hash each time. Only the log tells that they failed.
func TestStalePasswordIsNoGuessing(t *testing.T) {
	t.Parallel()
	const phone, guesser, hider = "203.0.113.21", "203.0.113.22", "203.0.113.23"
	_, url := newDecisions(t)
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	f := r.openLog()
	fail := func(addr, hash, mech string, i int) {
		session := fmt.Sprint(addr, "-", i)
		r.asksAuth("allow", fmt.Sprintf(`{"login":"bob@example.org","remote":%q,"protocol":"imap","session_id":%q,"pwhash":%q,"mech":%q}`, addr, session, hash, mech))
		at := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		fmt.Fprintf(f, "%s mx1 dovecot: imap-login: Disconnected: Aborted login (auth failed, 1 attempts in 1 secs): user=<bob@example.org>, method=PLAIN, rip=%s, lip=192.0.2.1, session=<%s>\n", at, addr, session)
	}
	for i := range 30 {
		fail(phone, "0f8d", "PLAIN", i)
		fail(guesser, fmt.Sprintf("%04x", i), "PLAIN", i)
		fail(hider, "01ab", "CRAM-MD5", i)
	}
	r.eventually("all is read", func() bool { return r.lines() == 90 })
	r.delivered(2)
	time.Sleep(200 * time.Millisecond)
	alerted := strings.Join(r.lapi.values(), " ")
	for addr, want := range map[string]bool{phone: false, guesser: true, hider: true} {
		if got := strings.Contains(alerted, addr); got != want {
			t.Errorf("an alert on %s: got %t, want %t (%s)", addr, got, want, alerted)
		}
	}
}

// A bouncer alone needs neither logs nor a machine of the LAPI's.
func TestBouncerAlone(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7")
	r := newRig(t)
	r.enforcing(url, "detect: false\n")
	if err := os.Remove(r.path("creds.yaml")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy("192.0.2.7", ""), "421") })
	r.guesses(30, attacker, "", time.Now())
	if status, err := r.ask.Status(t.Context()); err != nil || len(status.Sources) != 0 || status.Lines != 0 {
		t.Errorf("got %+v, %v, want no Sources, Lines 0", status, err)
	}
}

func TestDryRunByReload(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7")
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy("192.0.2.7", ""), "421") })
	r.enforcing(url, "  dry_run: true\n")
	r.reload <- struct{}{}
	r.await("READY=1")
	if got := r.asksPolicy("192.0.2.7", ""); got != "DUNNO" {
		t.Errorf("in a dry run: %s, want DUNNO", got)
	}
	r.enforcing(url+"/other", "")
	r.reload <- struct{}{}
	r.await("READY=1")
	if status, err := r.ask.Status(t.Context()); err != nil || !strings.Contains(status.Reload, errEnforcement.Error()) {
		t.Errorf("another LAPI by reload: %q, %v, want it to contain %q", status.Reload, err, errEnforcement.Error())
	}
}

func TestEnforcementMetrics(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7")
	r := newRig(t)
	r.port = 26607
	r.enforcing(url, fmt.Sprintf("prometheus: {enabled: true, listen_port: %d}\n", r.port))
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy("192.0.2.7", ""), "421") })
	text := r.get(r.port, "/metrics")
	for _, want := range []string{
		`csmail_enforce_refused_total{door="policy",dry_run="false",ip_type="ipv4",origin="cscli",remediation="ban"}`, "csmail_decisions 1",
		`csmail_enforce_asked_total{door="policy",ip_type="ipv4"}`, `csmail_enforce_answer_seconds_bucket{door="policy",le="+Inf"}`, "csmail_decisions_repaired_total",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics do not hold %s", want)
		}
	}
}

func TestEnforcementIsOffWithoutAKey(t *testing.T) {
	c := config.Default()
	if c.Enforces() {
		t.Error("an empty file enforces")
	}
}

func TestStatusAndWhyShowEnforcement(t *testing.T) {
	t.Parallel()
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7")
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy("192.0.2.7", ""), "421") })
	status, err := r.ask.Status(t.Context())
	if err != nil || status.Enforcement == nil {
		t.Fatal(status, err)
	}
	e := status.Enforcement
	if e.Decisions != 1 || len(e.Doors) != 4 || e.Doors[1].Refused == 0 || len(e.Doors[1].Places) != 1 || e.Refused[0].Addr != "192.0.2.7" {
		t.Errorf("got %+v", e)
	}
	why, err := r.ask.Why(t.Context(), netip.MustParseAddr("192.0.2.7"))
	if err != nil || len(why.Enforced) != 2 || !strings.Contains(why.Enforced[0], "decision 1, ban on 192.0.2.7 by cscli") || !strings.Contains(why.Enforced[1], "refused ") {
		t.Errorf("got %q, %v", why.Enforced, err)
	}
}

// csmail why says what enforcement did to an address: now, before a restart, and what it
// would have done in a dry run.
func TestWhyOfEnforcement(t *testing.T) {
	t.Parallel()
	const banned = "192.0.2.7"
	d, url := newDecisions(t)
	d.set(false, banned)
	r := newRig(t)
	r.enforcing(url, "")
	r.start()
	why := func(want ...string) {
		t.Helper()
		var got string
		r.eventually(fmt.Sprintf("why says %q", want), func() bool {
			answer, err := r.ask.Why(t.Context(), netip.MustParseAddr(banned))
			got = strings.Join(answer.Enforced, "; ")
			return err == nil && !slices.ContainsFunc(want, func(one string) bool { return !strings.Contains(got, one) })
		})
	}
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy(banned, "policy_context=submission\n"), "521") })
	why("decision 1, ban on 192.0.2.7 by cscli", "refused once lately", "(policy, submission, decision 1)")
	r.asksAuth("allow", `{"login":"eve","remote":"192.0.2.7","protocol":"imap"}`)
	why("refused 2 times lately", "(auth-policy, imap, decision 1)")
	time.Sleep(1200 * time.Millisecond) // what was refused is kept each second
	r.stop()
	r.start()
	why("refused before csmail was started, the last time at ")
	r.enforcing(url, "  dry_run: true\n")
	r.reload <- struct{}{}
	r.await("READY=1")
	if got := r.asksPolicy(banned, ""); got != "DUNNO" {
		t.Errorf("in a dry run: got %s, want DUNNO", got)
	}
	why("let in by the dry run, would have been refused once lately")
}
