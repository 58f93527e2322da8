package lapi

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"

	"github.com/crowdsecurity/crowdsec/pkg/models"
	"github.com/google/go-cmp/cmp"
)

func TestPushAccounts(t *testing.T) {
	f := &fakeLAPI{allowlist: map[string]string{"bob": "from office"}} // no allowlist holds accounts
	c := f.serve(t)
	a := alertOn("192.0.2.1")
	a.Scope, a.Account = event.ScopeAccount, "bob"
	wantText(t, "not shared", mustPush(t, c, PushOptions{}, a), "bob held-back alerts on accounts stay on this host (share_accounts)")
	if f.asked > 0 {
		t.Errorf("%d requests for an alert that stays here, want asked 0", f.asked)
	}
	wantText(t, "shared", mustPush(t, c, PushOptions{ShareAccounts: true, Duration: time.Hour}, a), "bob pushed 1")
	if d := f.alerts[0].Decisions; d != nil {
		t.Errorf("decisions %v, want nil", d)
	}
	a.Account = ""
	wantText(t, "none", mustPush(t, c, PushOptions{ShareAccounts: true}, a), "rejected the alert has no account")
}

func TestPushInformational(t *testing.T) {
	f := &fakeLAPI{}
	a := alertOn("192.0.2.1")
	a.Informational = true
	wantText(t, "outcomes", mustPush(t, f.serve(t), PushOptions{Duration: time.Hour}, a), "192.0.2.1 pushed 1")
	if got := f.alerts[0]; got.Remediation || got.Decisions != nil {
		t.Errorf("it asks for a remediation: %+v, want Remediation false, Decisions nil", got)
	}
}

func TestPushRenewal(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	a := alertOn("192.0.2.1")
	mustPush(t, c, PushOptions{Duration: time.Hour}, a)
	f.cutStored = 1
	wantText(t, "renewal whose answer is lost", mustPush(t, c, PushOptions{Duration: time.Hour, Renewal: 1}, a), "192.0.2.1 pushed 2")
	wantText(t, "again", mustPush(t, c, PushOptions{Duration: time.Hour, Renewal: 1}, a),
		"192.0.2.1 held-back 2 already reported as alert 2, nothing new since 2026-06-03T04:11:11Z")
	wantText(t, "the next", mustPush(t, c, PushOptions{Duration: time.Hour, Renewal: 2}, a), "192.0.2.1 pushed 3")
}

func TestLongMetaIsLeftOutWhole(t *testing.T) {
	a := alertOn("192.0.2.1")
	for range 100 {
		a.Checks = append(a.Checks, strings.Repeat("ok ", 30))
	}
	for _, item := range alertMeta(a, PushOptions{}) {
		if len(item.Value) > maxAlertMeta || !strings.HasPrefix(item.Value, `["`) || !strings.HasSuffix(item.Value, `"]`) {
			t.Errorf("%s: %d bytes, want Value at most %v, it to begin with %q, it to end with %q",
				item.Key, len(item.Value), maxAlertMeta, `["`, `"]`)
		}
	}
}

func TestBans(t *testing.T) {
	clock := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC) // the LAPI's, years ahead
	f := &fakeLAPI{clock: clock}
	c := f.serve(t)
	a := alertOn("192.0.2.1")
	mustPush(t, c, PushOptions{}, a)
	f.alerts[0].Decisions = []*models.Decision{
		{ID: 7, Duration: new("3h59m58s"), Type: new("ban"), Scope: new("Ip"), Value: new("192.0.2.1"), Origin: new("crowdsec"), Scenario: new("csmail/auth-bf")}, {ID: 8, Duration: new("-2m0s"), Type: new("captcha")},
	}
	f.alerts[0].CreatedAt = "2031-01-02T03:00:00Z"
	look, err := c.Bans(t.Context(), "1", a.ID())
	want := Look{At: clock, Known: true, Created: clock.Add(-4*time.Minute - 5*time.Second), Bans: []Ban{
		{ID: 7, Type: "ban", Scope: "Ip", Value: "192.0.2.1", Origin: "crowdsec", Scenario: "csmail/auth-bf", Until: clock.Add(4*time.Hour - 2*time.Second)}, {ID: 8, Type: "captcha", Until: clock.Add(-2 * time.Minute)},
	}}
	if d := cmp.Diff(want, look); d != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, d)
	}
	for what, tt := range map[string]struct{ number, id string }{"no such alert": {"2", a.ID()}, "of somebody else": {"1", "other"}} {
		look, err := c.Bans(t.Context(), tt.number, tt.id)
		if d := cmp.Diff(Look{At: clock}, look); d != "" || err != nil {
			t.Errorf("%s: got %v, %s, want \"\"", what, err, d)
		}
	}
	if _, err := c.Bans(t.Context(), "x", a.ID()); err == nil {
		t.Error("x is no number")
	}
	f.alerts[0].Decisions = append(f.alerts[0].Decisions, nil, &models.Decision{ID: 9, Duration: new("soon"), Type: new("ban")}, &models.Decision{ID: 10, Duration: new("1h")})
	f.alerts[0].CreatedAt = "yesterday"
	look, err = c.Bans(t.Context(), "1", a.ID())
	want.Created, want.Bans = time.Time{}, append(want.Bans, Ban{}, Ban{ID: 9, Type: "ban"}, Ban{ID: 10})
	if d := cmp.Diff(want, look); d != "" || err != nil {
		t.Errorf("with nonsense: %v, (-want +got):\n%s", err, d)
	}
	f.always = 500
	if _, err := c.Bans(t.Context(), "1", a.ID()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("500: %v, want %q", err, ErrUnreachable)
	}
}

func TestBansAfterLAPIRestart(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	a := alertOn("192.0.2.1")
	mustPush(t, c, PushOptions{}, a)
	f.token = "of another life"
	if look, err := c.Bans(t.Context(), "1", a.ID()); !look.Known || err != nil {
		t.Errorf("got %t, %v, want Known true", look.Known, err)
	}
}

// As CrowdSec 1.4 answers a certificate that is no agent's.
func TestTwoAnswersInOne(t *testing.T) {
	f := &fakeLAPI{loginStatus: 403, twice: true}
	err := f.serve(t).Heartbeat(t.Context())
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "access forbidden") {
		t.Errorf("got %v, want %q, it to contain \"access forbidden\"", err, ErrRefused)
	}
}

func TestHeartbeatAndUsage(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	usage := Usage{
		Version: "1.0.0", OSName: "debian", OSVersion: "12", Started: now.Add(-time.Hour), Now: now, Window: 30 * time.Minute,
		Sources: []SourceUsage{
			{Source: "/var/log/mail.log", Type: "file", Read: 10, Parsed: 9, Unparsed: 1}, {Source: "idle", Type: "file"},
		},
	}
	for range 2 {
		if err := errors.Join(c.Heartbeat(t.Context()), c.SendUsage(t.Context(), usage)); err != nil {
			t.Fatal(err)
		}
	}
	if f.beats != 2 || len(f.usage) != 2 {
		t.Fatalf("%d beats, %d reports, want beats 2, 2 usage", f.beats, len(f.usage))
	}
	report := f.usage[0].LogProcessors[0]
	var items []string
	for _, i := range report.Metrics[0].Items {
		items = append(items, *i.Name+" "+i.Labels["source"])
	}
	want := []string{"read /var/log/mail.log", "global_parsed /var/log/mail.log", "global_unparsed /var/log/mail.log"}
	if d := cmp.Diff(want, items); d != "" || report.Datasources["file"] != 2 || *report.Os.Name != "debian" {
		t.Errorf("items (-want +got):\n%s%+v", d, report)
	}
	f.always = 500
	for what, err := range map[string]error{"heartbeat": c.Heartbeat(t.Context()), "usage": c.SendUsage(t.Context(), usage)} {
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: got %v, want %q", what, err, ErrUnreachable)
		}
	}
}

func TestOldLAPIIsAskedForUsageOnce(t *testing.T) {
	f := &fakeLAPI{old: true}
	c := f.serve(t)
	if err := c.SendUsage(t.Context(), Usage{Now: now, Started: now}); err != nil {
		t.Error(err)
	}
	asked := f.asked
	if err := c.SendUsage(t.Context(), Usage{Now: now, Started: now}); err != nil || f.asked != asked {
		t.Errorf("%v, %d more requests, want asked %v", err, f.asked-asked, asked)
	}
}

func TestRegistration(t *testing.T) {
	f := &fakeLAPI{}
	url := f.serve(t).credentials.URL
	dir := t.TempDir()
	path := filepath.Join(dir, "creds.yaml")
	r := Registration{URL: url, Token: registrationToken, Machine: "mx1"}

	f.cutStored = 1 // the LAPI has us, and we do not know
	if _, err := LoadOrRegister(t.Context(), path, r, "1.0.0"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("answer lost: %v, want %q", err, ErrUnreachable)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half done: %v, want %q", err, os.ErrNotExist)
	}
	c, err := LoadOrRegister(t.Context(), path, r, "1.0.0")
	if err != nil || c.Login != "mx1" || c.URL != url || len(c.Password) < 40 || c.Password != f.registered["mx1"] {
		t.Fatalf("%+v, %v", c, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want Perm 0o600", info, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v, want 1 left", left, err)
	}
	again, err := LoadOrRegister(t.Context(), path, r, "1.0.0")
	if err != nil || again != c || len(f.registered) != 1 {
		t.Errorf("again: %+v, %v, want again %v, 1 registered", again, err, c)
	}
}

func TestRegistrationErrors(t *testing.T) {
	const registration = "are token and address those of api.server.auto_registration in CrowdSec's config.yaml?"
	for name, tt := range map[string]struct {
		change     func(f *fakeLAPI, r *Registration)
		kind       error
		text, hint string
	}{
		"wrong token": {
			func(_ *fakeLAPI, r *Registration) { r.Token = "wrong" }, ErrRefused,
			"register at the lapi: lapi refused us at URL: register: invalid token for auto registration", registration,
		},
		"name taken": {
			func(f *fakeLAPI, _ *Registration) { f.registered = map[string]string{"mx1": "of another"} }, ErrRefused,
			"register at the lapi: lapi refused us at URL: register: user 'mx1': user already exist",
			"another machine has this name: sudo cscli machines delete mx1 on the LAPI's host, or choose another",
		},
		"down": {
			func(_ *fakeLAPI, r *Registration) { r.URL = "http://127.0.0.1:1/" }, ErrUnreachable,
			"register at the lapi: lapi unreachable at http://127.0.0.1:1/: register: dial tcp 127.0.0.1:1: connect: connection refused", downHint,
		},
		"no name": {func(_ *fakeLAPI, r *Registration) { r.Machine = "" }, nil, "register at the lapi: login is empty", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeLAPI{}
			url := f.serve(t).credentials.URL
			r := Registration{URL: url, Token: registrationToken, Machine: "mx1"}
			tt.change(f, &r)
			path := filepath.Join(t.TempDir(), "creds.yaml")
			_, err := LoadOrRegister(t.Context(), path, r, "1.0.0")
			if err == nil || tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Fatalf("error %v", err)
			}
			if got := strings.ReplaceAll(err.Error(), url, "URL"); got != tt.text || hint.Of(err) != tt.hint {
				t.Errorf("%s (%s)\nwant %s (%s)", got, hint.Of(err), tt.text, tt.hint)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("credentials of no machine: %v, want %q", err, os.ErrNotExist)
			}
		})
	}
}

// Where the password cannot be kept, nobody is registered.
func TestRegistrationWithoutAPlaceToWrite(t *testing.T) {
	f := &fakeLAPI{}
	r := Registration{URL: f.serve(t).credentials.URL, Token: registrationToken, Machine: "mx1"}
	_, err := LoadOrRegister(t.Context(), filepath.Join(t.TempDir(), "missing", "creds.yaml"), r, "1.0.0")
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(hint.Of(err), "a place that csmail may write") || len(f.registered) != 0 {
		t.Errorf("%v (%s), registered %v, want %q, it to contain \"a place that csmail may write\", no registered",
			err, hint.Of(err), f.registered, os.ErrNotExist)
	}
}

func TestWithoutTokenTheFileMustBeThere(t *testing.T) {
	_, err := LoadOrRegister(t.Context(), filepath.Join(t.TempDir(), "creds.yaml"), Registration{}, "1.0.0")
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(hint.Of(err), "cscli machines add csmail") {
		t.Errorf("got %v (%s), want %q, it to contain \"cscli machines add csmail\"", err, hint.Of(err), os.ErrNotExist)
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	var got []string
	for _, change := range []func(*event.Alert){
		func(a *event.Alert) { a.Scenario = "" }, func(a *event.Alert) { a.Scope = "AS" }, func(a *event.Alert) { a.Source = event.Alert{}.Source },
		func(a *event.Alert) { a.First = time.Time{} }, func(a *event.Alert) { a.Scope = event.ScopeAccount },
	} {
		a := alertOn("192.0.2.1")
		change(&a)
		if err := Check(a); err != nil {
			got = append(got, err.Error())
		}
	}
	want := []string{
		"the alert has no scenario", `the alert's scope is "AS", not Ip, Range or Username`, "the alert has no source address",
		"the alert has no time", "the alert has no account",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
