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
	usage  []map[string]any
	down   bool
	muted  bool

	password    string              // of the machine that registered itself, "" if none did
	registering chan struct{}       // holds who registers: a second one meets the first
	hangs       func(*http.Request) // with each request, if set
	came        chan struct{}       // a value for each alert
}

func newFakeLAPI(t *testing.T) (*fakeLAPI, string) {
	t.Helper()
	f := &fakeLAPI{came: make(chan struct{}, 100), registering: make(chan struct{})}
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

// mute has alerts taken without an answer.
func (f *fakeLAPI) mute(muted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.muted = muted
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
	hangs, muted := f.hangs, f.muted && r.Method == http.MethodPost && r.URL.Path == "/v1/alerts"
	f.mu.Unlock()
	if hangs != nil {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not see that the caller has gone
		hangs(r)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/watchers") {
		select { // until another comes, or long enough that none does
		case f.registering <- struct{}{}:
		case <-f.registering:
		case <-time.After(300 * time.Millisecond):
		}
	}
	if muted {
		f.answer(httptest.NewRecorder(), r)
		<-r.Context().Done()
		return
	}
	f.answer(w, r)
}

func (f *fakeLAPI) answer(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case f.down:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"message":"database is locked"}`)
	case path == "watchers":
		f.register(w, r)
	case path == "watchers/login" && !f.knows(r):
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":401,"message":"incorrect Username or Password"}`)
	case path == "watchers/login":
		fmt.Fprint(w, `{"code":200,"expire":"2100-01-01T00:00:00Z","token":"t"}`)
	case path == "alerts" && r.Method == http.MethodPost:
		f.add(w, r)
	case path == "usage-metrics":
		f.addUsage(w, r)
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

func passwordOf(r *http.Request) string {
	var machine struct{ Password string }
	if err := json.NewDecoder(r.Body).Decode(&machine); err != nil {
		return ""
	}
	return machine.Password
}

func (f *fakeLAPI) register(w http.ResponseWriter, r *http.Request) {
	if f.password != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"user 'csmail': user already exist"}`)
		return
	}
	f.password = passwordOf(r)
	w.WriteHeader(http.StatusAccepted)
}

func (f *fakeLAPI) knows(r *http.Request) bool {
	return f.password == "" || passwordOf(r) == f.password
}

func (f *fakeLAPI) addUsage(w http.ResponseWriter, r *http.Request) {
	var report struct {
		LogProcessors []map[string]any `json:"log_processors"`
	}
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.usage = append(f.usage, report.LogProcessors...)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{}`)
}

// reports is how many reports of usage came.
func (f *fakeLAPI) reports() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.usage)
}

// datasources is how many sources the newest report says are followed.
func (f *fakeLAPI) datasources() (n float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, _ := f.usage[len(f.usage)-1]["datasources"].(map[string]any)
	for _, of := range all {
		count, _ := of.(float64)
		n += count
	}
	return n
}

// linesOf adds up the lines read of a source, as the LAPI does.
func (f *fakeLAPI) linesOf(source string) (n float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.usage {
		metrics, _ := u["metrics"].([]any)
		for _, m := range metrics {
			fields, _ := m.(map[string]any)
			items, _ := fields["items"].([]any)
			for _, i := range items {
				item, _ := i.(map[string]any)
				labels, _ := item["labels"].(map[string]any)
				if item["name"] == "read" && labels["source"] == source {
					value, _ := item["value"].(float64)
					n += value
				}
			}
		}
	}
	return n
}
