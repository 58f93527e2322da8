package engine

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// sink is as much of a Local API as a log processor needs: it lets everybody
// in and keeps the alerts. (A real one is slower, and hands out its alerts by
// the hundred.)
type sink struct {
	server *httptest.Server

	mu   sync.Mutex
	got  []Alert
	errs []error
}

func newSink() *sink {
	s := new(sink)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/watchers/login", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"code": 200, "expire": "2099-01-01T00:00:00Z", "token": "let-me-in"}`)
	})
	mux.HandleFunc("POST /v1/alerts", s.take)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, `{}`) })
	s.server = httptest.NewServer(mux)
	return s
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client has gone: nobody to tell
}

// pushed is the part of models.Alert that we read (crowdsec pkg/models, v1.7.8).
type pushed struct {
	Scenario    string `json:"scenario"`
	EventsCount int    `json:"events_count"`
	Source      struct {
		Scope string `json:"scope"`
		Value string `json:"value"`
	} `json:"source"`
}

func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	batch, err := decode(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.errs = append(s.errs, err)
	}
	ids := make([]string, len(batch))
	for i, p := range batch {
		s.got = append(s.got, Alert{Scenario: p.Scenario, Scope: p.Source.Scope, Value: p.Source.Value, Events: p.EventsCount})
		ids[i] = "1"
	}
	body, _ := json.Marshal(ids) // strings never fail
	answer(w, http.StatusCreated, string(body))
}

// decode reads what was pushed. An agent packs what is longer than 5 KB.
func decode(r *http.Request) (batch []pushed, err error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(r.Body); err != nil {
			return nil, err
		}
	}
	err = json.NewDecoder(body).Decode(&batch)
	return batch, err
}

func (s *sink) alerts() ([]Alert, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) > 0 {
		return nil, s.errs[0]
	}
	return s.got, nil
}

func (s *sink) close() { s.server.Close() }
