package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeLAPI takes what a machine sends and remembers the alerts.
type fakeLAPI struct {
	mu     sync.Mutex
	alerts []map[string]any
	down   bool
	hangs  func(*http.Request) // with each request, if set
	came   chan struct{}       // a value for each alert
}

func newFakeLAPI(t *testing.T) (*fakeLAPI, string) {
	t.Helper()
	f := &fakeLAPI{came: make(chan struct{}, 100)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

func (f *fakeLAPI) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// hang has f called with each request before it is answered; nil ends it.
func (f *fakeLAPI) hang(with func(*http.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangs = with
}

// values are what the alerts are about, in their order, with their scenario.
func (f *fakeLAPI) values() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var values []string
	for _, a := range f.alerts {
		source, _ := a["source"].(map[string]any)
		values = append(values, fmt.Sprint(a["scenario"], " ", source["value"]))
	}
	return values
}

// times are those of the events of the first alert.
func (f *fakeLAPI) times(t *testing.T) []time.Time {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	events, _ := f.alerts[0]["events"].([]any)
	var times []time.Time
	for _, e := range events {
		fields, _ := e.(map[string]any)
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(fields["timestamp"]))
		if err != nil {
			t.Error(err)
		}
		times = append(times, at)
	}
	return times
}

func (f *fakeLAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	hangs := f.hangs
	f.mu.Unlock()
	if hangs != nil {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not see that the caller has gone
		hangs(r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case f.down:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"message":"database is locked"}`)
	case path == "watchers/login":
		fmt.Fprint(w, `{"code":200,"expire":"2100-01-01T00:00:00Z","token":"t"}`)
	case path == "alerts" && r.Method == http.MethodPost:
		f.add(w, r)
	case path == "allowlists/check":
		fmt.Fprint(w, `{"results":[]}`)
	case strings.HasPrefix(path, "alerts/"):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"object not found"}`)
	case path == "alerts":
		_ = json.NewEncoder(w).Encode(f.matching(r))
	default:
		fmt.Fprint(w, `{}`)
	}
}

func (f *fakeLAPI) add(w http.ResponseWriter, r *http.Request) {
	var batch []map[string]any
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &batch)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	ids := []string{}
	for _, a := range batch {
		f.alerts = append(f.alerts, a)
		a["id"] = len(f.alerts)
		ids = append(ids, fmt.Sprint(len(f.alerts)))
		select {
		case f.came <- struct{}{}:
		default:
		}
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(ids)
}

func (f *fakeLAPI) matching(r *http.Request) []map[string]any {
	found := []map[string]any{}
	for _, a := range f.alerts {
		source, _ := a["source"].(map[string]any)
		if a["scenario"] == r.URL.Query().Get("scenario") && source["value"] == r.URL.Query().Get("value") {
			found = append(found, a)
		}
	}
	return found
}
