package daemon

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"csmail/pkg/control"
)

func TestTroubles(t *testing.T) {
	start := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	source := func(state, err string, lag int64, last time.Duration) control.Source {
		s := control.Source{Name: "mail.log", State: state, Error: err, Lag: lag}
		if last > 0 {
			s.LastLine = start.Add(last)
		}
		return s
	}
	lapiDown := lapiFailure{since: start, why: "connection refused"}
	for name, tt := range map[string]struct {
		source  control.Source
		state   string
		failing lapiFailure
		after   time.Duration // of the start, when it is looked at; the state was the same all the time
		want    string        // what the only trouble says, "" for none
	}{
		"all is well":               {source("following", "", 0, time.Minute), "", lapiFailure{}, time.Hour, ""},
		"a journal that is far":     {source("following", "", -1, time.Minute), "", lapiFailure{}, time.Hour, ""},
		"it fails":                  {source("failing", "permission denied", 0, 0), "", lapiFailure{}, time.Minute, "mail.log is not read: permission denied"},
		"it has just begun to fail": {source("failing", "permission denied", 0, 0), "", lapiFailure{}, time.Second, ""},
		"it is away":                {source("waiting", "", 0, 0), "", lapiFailure{}, time.Minute, "mail.log is not there"},
		"it is about to come":       {source("waiting", "", 0, 0), "", lapiFailure{}, 5 * time.Second, ""},
		"it is stuck":               {source("following", "", 99, time.Minute), "", lapiFailure{}, time.Hour, "99 bytes behind"},
		"it is busy":                {source("following", "", 99, time.Hour), "", lapiFailure{}, time.Hour + time.Second, ""},
		"a silent day":              {source("following", "", 0, time.Hour), "", lapiFailure{}, 26 * time.Hour, "no line was read since 2026-06-03T05:00:00Z"},
		"a silent night":            {source("following", "", 0, time.Hour), "", lapiFailure{}, 13 * time.Hour, ""},
		"never a line":              {source("following", "", 0, 0), "", lapiFailure{}, 25 * time.Hour, "no line was read since 2026-06-03T04:00:00Z"},
		"the LAPI is down":          {source("following", "", 0, time.Minute), "", lapiDown, 10 * time.Minute, "the LAPI has not been reached since 2026-06-03T04:00:00Z: connection refused"},
		"the LAPI is restarted":     {source("following", "", 0, time.Minute), "", lapiDown, time.Minute, ""},
		"a full disk":               {source("following", "", 0, time.Minute), "no space left", lapiFailure{}, 2 * time.Minute, "cannot be stored: no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Status{Started: start, Sources: []control.Source{tt.source}, State: control.StateStatus{Error: tt.state}}
			var h health
			h.watch(s.Sources, start)
			h.watch(s.Sources, start.Add(tt.after))
			got := h.troubles(s, tt.failing, start.Add(tt.after), 1)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What systemd, a monitor and a person ask turns red when a log goes away, and green
// when it is there again.
func TestHealthIsRedWhileALogIsAway(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	r := newRig(t)
	r.twoLogs()
	r.grace = 1e-6
	r.start()
	health := func() (int, string) {
		t.Helper()
		defer http.DefaultClient.CloseIdleConnections()
		answer, err := http.Get(strings.TrimSuffix(r.metricsURL(), "/metrics") + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
	r.guesses(1, attacker, "bob", time.Now())
	red := func() bool {
		code, text := health()
		s, err := r.ask.Status(t.Context())
		return err == nil && code == http.StatusServiceUnavailable && strings.Contains(text, "one/mail.log") && len(s.Troubles) > 0
	}
	if err := os.Rename(r.path("one"), r.path("away")); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is red", red)
	if err := os.Rename(r.path("away"), r.path("one")); err != nil {
		t.Fatal(err)
	}
	r.guesses(1, attacker, "bob", time.Now())
	r.eventually("nothing of it is wrong", func() bool {
		_, text := health()
		return !strings.Contains(text, "one/mail.log is not")
	})
}
