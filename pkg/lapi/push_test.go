package lapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)

func alertOn(source string) event.Alert {
	addr := netip.MustParseAddr(source)
	last := time.Date(2026, 6, 3, 4, 11, 11, 500, time.UTC)
	return event.Alert{
		Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: addr, Count: 6,
		First: last.Add(-time.Hour), Last: last, Message: "Ip " + source + " performed csmail/auth-bf",
		Evidence: []event.Event{{Time: last, Service: event.Dovecot, Kind: event.AuthFailed, Addr: addr, Attempts: 1}},
	}
}

func alertsOn(n int) []event.Alert {
	alerts := make([]event.Alert, n)
	for i := range alerts {
		alerts[i] = alertOn("192.0.2." + strconv.Itoa(i+1))
	}
	return alerts
}

// text shows outcomes in one line each.
func text(outcomes []Outcome) []string {
	lines := []string{}
	for _, o := range outcomes {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(o.Alert.Value(), " ", o.Status, " ", o.ID, " ", o.Reason)), " "))
	}
	return lines
}

func wantText(t *testing.T, what string, got []Outcome, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if d := cmp.Diff(want, text(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func mustPush(t *testing.T, c *Client, o PushOptions, alerts ...event.Alert) []Outcome {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	outcomes, err := c.Push(t.Context(), alerts, o)
	if err != nil {
		t.Fatalf("%v (%s)", err, hint.Of(err))
	}
	return outcomes
}

func TestPushTwiceTellsOnce(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	a := alertOn("192.0.2.1")
	wantText(t, "first", mustPush(t, c, PushOptions{}, a), "192.0.2.1 pushed 1")
	const again = "192.0.2.1 held-back already reported as alert 1, nothing new since 2026-06-03T04:11:11Z"
	const same = "192.0.2.1 held-back 1 already reported as alert 1, nothing new since 2026-06-03T04:11:11Z"
	wantText(t, "second", mustPush(t, c, PushOptions{}, a), same)
	wantText(t, "as dry run", mustPush(t, c, PushOptions{Simulate: true}, a), again)

	overlap := a
	overlap.First, overlap.Last = a.First.Add(time.Minute), a.Last.Add(-time.Nanosecond)
	wantText(t, "overlapping window", mustPush(t, c, PushOptions{}, overlap), again)

	other := a
	other.Scenario = "csmail/spray"
	wantText(t, "another scenario", mustPush(t, c, PushOptions{}, other), "192.0.2.1 pushed 2")

	later := a
	later.Last = a.Last.Add(time.Nanosecond)
	wantText(t, "one event more", mustPush(t, c, PushOptions{}, later), "192.0.2.1 pushed 3")
	wantText(t, "the old one after it", mustPush(t, c, PushOptions{}, a), same)
	between := a
	between.First = a.First.Add(time.Minute)
	wantText(t, "another one, older than the newest", mustPush(t, c, PushOptions{}, between),
		"192.0.2.1 held-back already reported as alert 3, nothing new since 2026-06-03T04:11:11Z")
}

func TestPushDryRunHoldsOnlyDryRuns(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	a := alertOn("192.0.2.1")
	wantText(t, "dry run", mustPush(t, c, PushOptions{Simulate: true}, a), "192.0.2.1 pushed 1")
	wantText(t, "dry run again", mustPush(t, c, PushOptions{Simulate: true}, a),
		"192.0.2.1 held-back 1 already reported as alert 1, nothing new since 2026-06-03T04:11:11Z")
	f.cutUnstored = 1 // what is looked up then is the real one
	wantText(t, "for real", mustPush(t, c, PushOptions{}, a), "192.0.2.1 pushed 2")
	if n := len(f.stored()); n != 2 {
		t.Errorf("%d stored, want 2", n)
	}
}

func TestPushSettlesBeforeSending(t *testing.T) {
	f := &fakeLAPI{allowlist: map[string]string{"198.51.100.0/24": "198.51.100.0/24 from office (ours)", "192.0.2.2": "192.0.2.2 from office"}}
	c := f.serve(t)
	ranged := alertOn("198.51.100.7")
	ranged.Scope = event.ScopeRange
	noTime := alertOn("192.0.2.4")
	noTime.Last = time.Time{}
	got := mustPush(t, c, PushOptions{Duration: time.Hour},
		alertOn("192.0.2.1"), alertOn("192.0.2.2"), alertOn("::ffff:192.0.2.1"), ranged, noTime, alertOn("192.0.2.3"))
	wantText(t, "outcomes", got,
		"192.0.2.1 pushed 1",
		"192.0.2.2 held-back allowlisted in the LAPI: 192.0.2.2 from office",
		"192.0.2.1 held-back the same alert stands twice in this push",
		"198.51.100.0/24 held-back allowlisted in the LAPI: 198.51.100.0/24 from office (ours)",
		"192.0.2.4 rejected the alert has no time",
		"192.0.2.3 pushed 2")
}

func TestPushOldLAPIs(t *testing.T) {
	t.Run("no allowlists", func(t *testing.T) {
		f := &fakeLAPI{old: true}
		a := alertOn("192.0.2.1")
		a.Evidence[0].Message = strings.Repeat("x", 6000) // so long that CrowdSec's client packs it
		wantText(t, "outcomes", mustPush(t, f.serve(t), PushOptions{}, a), "192.0.2.1 pushed 1")
	})
	t.Run("allowlists one by one", func(t *testing.T) {
		f := &fakeLAPI{noBulk: true, allowlist: map[string]string{"192.0.2.2": "from office"}}
		wantText(t, "outcomes", mustPush(t, f.serve(t), PushOptions{}, alertsOn(2)...),
			"192.0.2.1 pushed 1", "192.0.2.2 held-back allowlisted in the LAPI: from office")
	})
}

func TestPushBatchesOf50(t *testing.T) {
	f := &fakeLAPI{}
	mustPush(t, f.serve(t), PushOptions{}, alertsOn(120)...)
	if d := cmp.Diff([]int{50, 50, 20}, f.posts); d != "" {
		t.Errorf("batches (-want +got):\n%s", d)
	}
	if f.logins != 1 {
		t.Errorf("%d logins, want logins 1", f.logins)
	}
}

func TestPushFindsPoison(t *testing.T) {
	f := &fakeLAPI{poison: map[string]bool{"192.0.2.7": true, "192.0.2.60": true}}
	got := mustPush(t, f.serve(t), PushOptions{}, alertsOn(60)...)
	for i, o := range got {
		want := Pushed
		if i == 6 || i == 59 {
			want = Rejected
		}
		if o.Status != want {
			t.Errorf("%s: got %s %s, want Status %s", o.Alert.Source, o.Status, o.Reason, want)
		}
	}
	if want := "the LAPI rejects it: validation failure list: bad 192.0.2.7"; got[6].Reason != want {
		t.Errorf("reason %q, want %q", got[6].Reason, want)
	}
	if n := len(f.stored()); n != 58 {
		t.Errorf("%d stored, want 58", n)
	}
}

func TestPushNamesDropped(t *testing.T) {
	f := &fakeLAPI{dropped: map[string]bool{"192.0.2.2": true}}
	wantText(t, "outcomes", mustPush(t, f.serve(t), PushOptions{}, alertsOn(3)...),
		"192.0.2.1 pushed 1", "192.0.2.2 held-back dropped by the LAPI (allowlist?)", "192.0.2.3 pushed 2")
}

func TestPushLostAnswerIsNotDoubled(t *testing.T) {
	for name, f := range map[string]*fakeLAPI{
		"cut after storing":            {cutStored: 1},
		"cut before storing":           {cutUnstored: 1},
		"500 after storing":            {failStored: 1},
		"cut after storing all but #2": {cutStored: 1, dropped: map[string]bool{"192.0.2.2": true}},
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{"192.0.2.1 pushed 1", "192.0.2.2 pushed 2", "192.0.2.3 pushed 3"}
			if f.dropped != nil {
				want[1], want[2] = "192.0.2.2 held-back dropped by the LAPI (allowlist?)", "192.0.2.3 pushed 2"
			}
			wantText(t, "outcomes", mustPush(t, f.serve(t), PushOptions{}, alertsOn(3)...), want...)
			if n := len(f.stored()); n != strings.Count(strings.Join(want, " "), "pushed") {
				t.Errorf("stored %v, want %v", f.stored(), strings.Count(strings.Join(want, " "), "pushed"))
			}
		})
	}
}

func TestPushTimeout(t *testing.T) {
	t.Run("stored", func(t *testing.T) {
		f := &fakeLAPI{hangStored: true}
		c := f.serve(t)
		c.timeout = 200 * time.Millisecond
		wantText(t, "outcomes", mustPush(t, c, PushOptions{}, alertsOn(2)...), "192.0.2.1 pushed 1", "192.0.2.2 pushed 2")
	})
	t.Run("not stored", func(t *testing.T) {
		f := &fakeLAPI{hang: true}
		c := f.serve(t)
		c.timeout = 200 * time.Millisecond
		outcomes, err := c.Push(t.Context(), alertsOn(2), PushOptions{Now: now})
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "send alerts: no answer within 200ms") {
			t.Errorf("error %v, want %q, it to contain \"send alerts: no answer within 200ms\"", err, ErrUnreachable)
		}
		wantText(t, "outcomes", outcomes)
		if len(f.posts) != 1 {
			t.Errorf("posts %v: sent again though the LAPI may be at it, want 1 posts", f.posts)
		}
	})
}

func TestPushErrors(t *testing.T) {
	const base = "URL" // stands for the fake's address
	for name, tt := range map[string]struct {
		fake *fakeLAPI
		kind error
		text string
		hint string
	}{
		"wrong password": {
			&fakeLAPI{loginStatus: 401, loginMessage: "incorrect Username or Password"}, ErrRefused,
			"lapi refused us at URL: log in: incorrect Username or Password",
			"is it in sudo cscli machines list? a new password: sudo cscli machines add csmail --auto --force -f /etc/csmail/creds.yaml",
		},
		"machine not validated": {
			&fakeLAPI{loginStatus: 403, loginMessage: "machine csmail not validated"}, ErrRefused,
			"lapi refused us at URL: log in: machine csmail not validated",
			"sudo cscli machines validate csmail",
		},
		"login answers 500": {
			&fakeLAPI{loginStatus: 500, loginMessage: "database is locked"}, ErrUnreachable,
			"lapi unreachable at URL: log in: database is locked", brokenHint,
		},
		"login answers 503": {
			&fakeLAPI{loginStatus: 503, loginMessage: "try later"}, ErrUnreachable,
			"lapi unreachable at URL: log in: try later", brokenHint,
		},
		"everything answers 500": {
			&fakeLAPI{always: 500}, ErrUnreachable,
			"lapi unreachable at URL: ask for allowlists: database is locked", brokenHint,
		},
		"everything answers 404": {
			&fakeLAPI{always: 404}, ErrUnreachable,
			"lapi unreachable at URL: ask for earlier alerts: database is locked", urlHint,
		},
		"everything answers 403": {
			&fakeLAPI{always: 403}, ErrRefused,
			"lapi refused us at URL: ask for allowlists: database is locked",
			"is it in sudo cscli machines list? a new password: sudo cscli machines add csmail --auto --force -f /etc/csmail/creds.yaml",
		},
		"no alert is taken": {
			&fakeLAPI{postsFail: 500}, ErrUnreachable,
			"lapi unreachable at URL: send alerts: it takes none of the alerts: database or disk is full", brokenHint,
		},
		"alerts answer 503": {
			&fakeLAPI{postsFail: 503}, ErrUnreachable,
			"lapi unreachable at URL: send alerts: database or disk is full", brokenHint,
		},
		"a web page": {
			&fakeLAPI{html: true}, ErrUnreachable,
			"lapi unreachable at URL: log in: the answer is not a LAPI's: http status 200, invalid character '<' looking for beginning of value", urlHint,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := tt.fake
			c := f.serve(t)
			outcomes, err := c.Push(t.Context(), alertsOn(2), PushOptions{Now: now})
			if err == nil || !errors.Is(err, tt.kind) {
				t.Fatalf("error %v, want %v", err, tt.kind)
			}
			if got := strings.ReplaceAll(err.Error(), c.credentials.URL, base); got != tt.text {
				t.Errorf("text %q\nwant %q", got, tt.text)
			}
			if got := hint.Of(err); got != tt.hint {
				t.Errorf("hint %q\nwant %q", got, tt.hint)
			}
			wantText(t, "outcomes", outcomes)
			if f.logins > 1 { // a token that is fresh is not asked for again
				t.Errorf("%d logins, want logins at most 1", f.logins)
			}
		})
	}
}

// A LAPI that goes away while the spoilt alert is searched for has judged nobody else.
func TestPushLAPIGoesAwayWhileItIsSearched(t *testing.T) {
	for after := 1; after <= 4; after++ {
		f := &fakeLAPI{poison: map[string]bool{"192.0.2.1": true}, postsFail: http.StatusServiceUnavailable, failAfter: after}
		outcomes, err := f.serve(t).Push(t.Context(), alertsOn(4), PushOptions{Now: now})
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("after %d: error %v, want %q", after, err, ErrUnreachable)
		}
		for _, o := range outcomes {
			if o.Status != Pushed || len(f.stored()) == 0 {
				t.Errorf("after %d: %v", after, text(outcomes))
			}
		}
	}
}

func TestPushSoleAlertRejected(t *testing.T) {
	f := &fakeLAPI{poison: map[string]bool{"192.0.2.1": true}}
	wantText(t, "outcomes", mustPush(t, f.serve(t), PushOptions{}, alertOn("192.0.2.1")),
		"192.0.2.1 rejected the LAPI rejects it: validation failure list: bad 192.0.2.1")
}

func TestPushKeepsOutcomesOnError(t *testing.T) {
	f := &fakeLAPI{allowlist: map[string]string{"192.0.2.1": "from office"}, postsFail: http.StatusServiceUnavailable}
	outcomes, err := f.serve(t).Push(t.Context(), alertsOn(2), PushOptions{Now: now})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v, want %q", err, ErrUnreachable)
	}
	wantText(t, "outcomes", outcomes, "192.0.2.1 held-back allowlisted in the LAPI: from office")
}

func TestPushLAPIDownIsToldAtOnce(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:1/", "http://127.0.0.1:1/behind/a/proxy", t.TempDir() + "/no.sock"} {
		c, err := New(Credentials{URL: url, Login: "csmail", Password: "secret"}, "1.0.0")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Push(t.Context(), alertsOn(1), PushOptions{Now: now})
		if !errors.Is(err, ErrUnreachable) || hint.Of(err) != downHint {
			t.Errorf("%s: got %v (%s), want %q, hint %s", url, err, hint.Of(err), ErrUnreachable, downHint)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: answered after %s, want at most 5s", url, took)
		}
		c.Close()
	}
}

func TestPushAfterLAPIRestart(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	mustPush(t, c, PushOptions{}, alertOn("192.0.2.1"))
	f.token = "of another life"
	wantText(t, "outcomes", mustPush(t, c, PushOptions{}, alertOn("192.0.2.2")), "192.0.2.2 pushed 2")
	if f.logins != 2 {
		t.Errorf("%d logins, want logins 2", f.logins)
	}
}

func TestPushCancelled(t *testing.T) {
	f := &fakeLAPI{hang: true}
	c := f.serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := c.Push(ctx, alertsOn(1), PushOptions{Now: now})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v", err)
	}
}

func TestPushNothing(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	if outcomes, err := c.Push(t.Context(), nil, PushOptions{}); err != nil || outcomes != nil || f.asked != 0 {
		t.Errorf("%v, %v, %d requests, want outcomes nil, asked 0", outcomes, err, f.asked)
	}
	if _, err := c.Push(t.Context(), alertsOn(1), PushOptions{Duration: -time.Hour}); err == nil || f.asked != 0 {
		t.Errorf("negative duration: %v, %d requests, want an error, asked 0", err, f.asked)
	}
}

func TestPushRangeToALAPIWithoutAllowlists(t *testing.T) {
	ranged := alertOn("198.51.100.7")
	ranged.Scope = event.ScopeRange
	told := ranged
	told.Informational, told.Scenario = true, "csmail/tells"
	for name, row := range map[string]struct {
		fake    *fakeLAPI
		options PushOptions
		want    string
	}{
		"old":                        {&fakeLAPI{old: true}, PushOptions{}, "4h0m0s"},
		"old, with a length":         {&fakeLAPI{old: true}, PushOptions{RangeDuration: time.Hour}, "1h0m0s"},
		"old, explicit":              {&fakeLAPI{old: true}, PushOptions{Duration: 2 * time.Hour, RangeDuration: time.Hour}, "2h0m0s"},
		"new":                        {&fakeLAPI{}, PushOptions{RangeDuration: time.Hour}, ""},
		"one of the first with them": {&fakeLAPI{noBulk: true}, PushOptions{RangeDuration: time.Hour}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := row.fake.serve(t)
			mustPush(t, c, row.options, alertOn("192.0.2.1"), ranged, told)
			got := map[string]string{}
			for _, a := range row.fake.alerts {
				got[*a.Source.Value+" "+*a.Scenario] = ""
				for _, d := range a.Decisions {
					got[*a.Source.Value+" "+*a.Scenario] += *d.Duration
				}
			}
			address := ""
			if row.options.Duration > 0 {
				address = row.want
			}
			want := map[string]string{"192.0.2.1 csmail/auth-bf": address, "198.51.100.0/24 csmail/auth-bf": row.want, "198.51.100.0/24 csmail/tells": ""}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("bans that the alerts carry (-want +got):\n%s", d)
			}
		})
	}
}

func TestPushLAPIThatWasUpgraded(t *testing.T) {
	f := &fakeLAPI{old: true}
	c := f.serve(t)
	ranged := alertOn("198.51.100.7")
	ranged.Scope = event.ScopeRange
	mustPush(t, c, PushOptions{}, ranged)
	f.old = false
	ranged.Last = ranged.Last.Add(time.Second)
	mustPush(t, c, PushOptions{}, ranged)
	if n, m := len(f.alerts[0].Decisions), len(f.alerts[1].Decisions); n != 1 || m != 0 {
		t.Errorf("%d decisions before, %d after, want 1, m 0", n, m)
	}
}

// A judge that does not deliver asks what the LAPI has, and sends nothing.
func TestPushOnlyWhile(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	old, fresh := alertOn("192.0.2.1"), alertOn("192.0.2.2")
	mustPush(t, c, PushOptions{}, old)
	leads := false
	c.SendOnlyWhile(func() bool { return leads })
	outcomes, err := c.Push(t.Context(), []event.Alert{old, fresh}, PushOptions{})
	if !errors.Is(err, ErrFollows) || len(outcomes) != 1 || outcomes[0].ID != "1" || len(f.stored()) != 1 {
		t.Errorf("got %+v, %v and %d stored, want the first one as alert 1, %v and 1", outcomes, err, len(f.stored()), ErrFollows)
	}
	leads = true
	wantText(t, "as the leader", mustPush(t, c, PushOptions{}, fresh), "192.0.2.2 pushed 2")
}

// A push that asks many questions gets through in the end where each seventh request gets
// no answer: a lost answer to a question does not begin the whole push anew.
func TestPushOverABadNetwork(t *testing.T) {
	f := &fakeLAPI{cutEach: 7}
	c := f.serve(t)
	var alerts []event.Alert
	for i := range 20 { // each scenario is a question
		a := alertOn(fmt.Sprintf("192.0.2.%d", i+1))
		a.Scenario = fmt.Sprintf("csmail/scenario%d", i)
		alerts = append(alerts, a)
	}
	const tries = 8
	for range tries {
		outcomes, err := c.Push(t.Context(), alerts, PushOptions{})
		if err == nil && len(outcomes) == len(alerts) {
			break
		}
	}
	if got := f.stored(); len(got) != len(alerts) {
		t.Errorf("got %d alerts stored after %d pushes, want each of %d once", len(got), tries, len(alerts))
	}
}
