package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(waiting{m}, map[string]func(){
		"csmail": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			os.Exit(Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

// waiting are tests of which more run at once than there are processors, unless -parallel
// says how many: some scripts wait for seconds.
type waiting struct{ *testing.M }

func (w waiting) Run() int {
	flag.Parse()
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "test.parallel" })
	if !isSet {
		_ = flag.Set("test.parallel", "4")
	}
	return w.M.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("TZ", "UTC")
		for name, answer := range brokenLAPIs {
			server := httptest.NewServer(answer)
			e.Defer(server.Close)
			e.Setenv(name, server.URL)
		}
		secure := httptest.NewTLSServer(brokenLAPIs["REFUSING"])
		secure.Config.ErrorLog = log.New(io.Discard, "", 0)
		e.Defer(secure.Close)
		e.Setenv("TLS_ADDR", secure.Listener.Addr().String())
		e.Setenv("PLAIN_ADDR", strings.TrimPrefix(e.Getenv("REFUSING"), "http://"))
		lapi := httptest.NewServer(&banningLAPI{})
		e.Defer(lapi.Close)
		e.Setenv("BANNING", lapi.URL)
		return nil
	}})
}

// brokenLAPIs answer each call alike. The name is the variable with their URL.
var brokenLAPIs = map[string]http.HandlerFunc{
	"REFUSING":    say(http.StatusUnauthorized, "application/json", `{"code":401,"message":"incorrect Username or Password"}`),
	"UNVALIDATED": say(http.StatusForbidden, "application/json", `{"message":"machine csmail not validated"}`),
	"FAILING":     say(http.StatusInternalServerError, "application/json", `{"message":"database is locked"}`),
	"NONSENSE":    say(http.StatusOK, "text/html", "<html>It works!</html>"),
}

func say(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h": "2026-06-02T12:00:00Z", "7d": "2026-05-27T12:00:00Z", "1d12h": "2026-06-02T00:00:00Z", "90m": "2026-06-03T10:30:00Z",
		"2026-06-01": "2026-06-01T00:00:00Z", "2026-06-01 04:11": "2026-06-01T04:11:00Z", "2026-06-01T04:11:09+02:00": "2026-06-01T02:11:09Z",
		"today": "2026-06-03T00:00:00Z", "Yesterday": "2026-06-02T00:00:00Z", "now": "2026-06-03T12:00:00Z", "2 hours ago": "2026-06-03T10:00:00Z",
		"1 day ago": "2026-06-02T12:00:00Z", "1 month ago": "2026-05-03T12:00:00Z", "30 min ago": "2026-06-03T11:30:00Z", "2 weeks ago": "2026-05-20T12:00:00Z",
	} {
		got, err := parseWhen(text, now, time.UTC)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"tomorow", "2 hours", "ago", "-2 hours ago", "two hours ago", "2 moons ago", "-4h", "d", "4 hours", "2026-13-01", "xd"} {
		if got, err := parseWhen(text, now, time.UTC); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// A day begins at midnight where the person is, also on the days that have 23 hours.
func TestParseWhenInAZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 22, 30, 0, 0, time.UTC) // 00:30 of the 30th there
	for text, want := range map[string]string{"today": "2026-03-29T22:00:00Z", "yesterday": "2026-03-28T23:00:00Z"} {
		got, err := parseWhen(text, now, berlin)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: got %s, %v, want %s", text, got.UTC(), err, want)
		}
	}
}
