package lapi

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/models"
	"github.com/go-openapi/strfmt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLAPI answers as CrowdSec 1.7.8 does, with faults. Its fields are set
// before it is used, or between pushes.
type fakeLAPI struct {
	mu     sync.Mutex
	alerts []*models.Alert
	token  string
	logins int
	posts  []int // alerts in each POST
	asked  int   // requests of any kind

	loginStatus  int    // 0: right password
	loginMessage string //
	twice        bool   // refuses logins in two objects
	html         bool   // answers 200 with a web page to everything
	always       int    // status of every answer but login's
	postsFail    int    // status of every POST of alerts
	failAfter    int    // so many POSTs of alerts are judged first
	poison       map[string]bool
	dropped      map[string]bool
	allowlist    map[string]string
	noBulk       bool // the first LAPIs with allowlists
	old          bool // none at all, and no gzip
	hang         bool // never answers a POST of alerts
	hangStored   bool // the same, after having stored
	cutStored    int  // so many POSTs are stored, and the connection cut then
	cutUnstored  int  // the same without storing
	cutEach      int  // each so many requests get no answer; 0: none
	failStored   int  // so many POSTs are stored, and answered with 500

	registered map[string]string // password by machine, of those that registered themselves
	noToken    bool              // auto_registration is off: such machines are not validated
	beats      int
	left       int // requests of a machine to be forgotten
	usage      []models.AllMetrics
	holes      bool      // lists of alerts hold a null
	clock      time.Time // of the LAPI, as the Date of its answers; zero: the real one
}

// serve starts the fake and returns a client for it.
func (f *fakeLAPI) serve(t *testing.T) *Client {
	t.Helper()
	server := httptest.NewServer(f)
	server.Config.SetKeepAlivesEnabled(f.cutEach == 0) // over a connection that was used before, net/http asks again by itself
	t.Cleanup(server.Close)
	c, err := New(Credentials{URL: server.URL, Login: "csmail", Password: "secret", path: "/etc/csmail/creds.yaml"}, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	c.timeout = 10 * time.Second
	t.Cleanup(c.Close)
	return c
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func message(text string) map[string]string { return map[string]string{"message": text} }

func (f *fakeLAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked++; f.cutEach > 0 && f.asked%f.cutEach == 0 {
		panic(http.ErrAbortHandler)
	}
	if !f.clock.IsZero() {
		w.Header().Set("Date", f.clock.Format(http.TimeFormat))
	}
	body := readBody(r)
	if f.old && r.Header.Get("Content-Encoding") != "" {
		reply(w, http.StatusBadRequest, message("invalid character '\\x1f' looking for beginning of value"))
		return
	}
	if f.html {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>It works!</body></html>")
		return
	}
	if strings.Count(r.UserAgent(), "/") != 1 {
		reply(w, http.StatusUnauthorized, message("incorrect Username or Password"))
		return
	}
	if r.URL.Path == "/v1/watchers/login" {
		f.login(w, body)
		return
	}
	if r.URL.Path == "/v1/watchers" {
		f.register(w, body)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+f.token {
		reply(w, http.StatusUnauthorized, message("cookie token is empty"))
		return
	}
	if f.always != 0 {
		reply(w, f.always, message("database is locked"))
		return
	}
	switch {
	case r.URL.Path == "/v1/alerts" && r.Method == http.MethodPost:
		f.post(w, r, body)
	case r.URL.Path == "/v1/alerts":
		f.list(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/decisions/") && r.Method == http.MethodDelete:
		f.end(w, strings.TrimPrefix(r.URL.Path, "/v1/decisions/"))
	case strings.HasPrefix(r.URL.Path, "/v1/alerts/"):
		f.one(w, strings.TrimPrefix(r.URL.Path, "/v1/alerts/"))
	case r.URL.Path == "/v1/watchers/self" && r.Method == http.MethodDelete && !f.old:
		f.left++
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/v1/heartbeat":
		f.beats++
		w.WriteHeader(http.StatusOK)
	case r.URL.Path == "/v1/usage-metrics" && !f.old:
		f.report(w, body)
	case r.URL.Path == "/v1/allowlists/check" && !f.old && !f.noBulk:
		f.checkBulk(w, body)
	case strings.HasPrefix(r.URL.Path, "/v1/allowlists/check/") && !f.old:
		reason, listed := f.allowlist[strings.TrimPrefix(r.URL.Path, "/v1/allowlists/check/")]
		reply(w, http.StatusOK, models.CheckAllowlistResponse{Allowlisted: listed, Reason: reason})
	default:
		reply(w, http.StatusNotFound, message("Page or Method not found"))
	}
}

func readBody(r *http.Request) []byte {
	reader := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(r.Body); err == nil {
			reader = z
		}
	}
	body, _ := io.ReadAll(reader)
	return body
}

func (f *fakeLAPI) login(w http.ResponseWriter, body []byte) {
	var auth models.WatcherAuthRequest
	_ = json.Unmarshal(body, &auth)
	if f.twice {
		reply(w, f.loginStatus, message("access forbidden"))
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 401, "message": "client certificate"})
		return
	}
	if f.loginStatus != 0 {
		reply(w, f.loginStatus, map[string]any{"code": f.loginStatus, "message": f.loginMessage})
		return
	}
	if password, ok := f.registered[*auth.MachineID]; ok && password != string(*auth.Password) {
		reply(w, http.StatusUnauthorized, message("incorrect Username or Password"))
		return
	}
	f.logins++
	f.token = "token" + strconv.Itoa(f.logins)
	// Its clock is ten years behind.
	reply(w, http.StatusOK, models.WatcherAuthResponse{Code: 200, Expire: "2016-06-03T04:11:11Z", Token: f.token})
}

const registrationToken = "a token of at least thirty-two characters"

// register answers as pkg/apiserver/controllers/v1/machines.go does.
func (f *fakeLAPI) register(w http.ResponseWriter, body []byte) {
	var request models.WatcherRegistrationRequest
	_ = json.Unmarshal(body, &request)
	if !f.noToken && request.RegistrationToken != registrationToken {
		reply(w, http.StatusUnauthorized, message("invalid token for auto registration"))
		return
	}
	if f.registered[*request.MachineID] != "" {
		reply(w, http.StatusForbidden, message("user '"+*request.MachineID+"': user already exist"))
		return
	}
	if f.registered == nil {
		f.registered = map[string]string{}
	}
	f.registered[*request.MachineID] = string(*request.Password)
	if f.cutStored > 0 {
		f.cutStored--
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusAccepted)
}

func (f *fakeLAPI) report(w http.ResponseWriter, body []byte) {
	var metrics models.AllMetrics
	if err := json.Unmarshal(body, &metrics); err != nil {
		reply(w, http.StatusBadRequest, message(err.Error()))
		return
	}
	if err := metrics.Validate(strfmt.Default); err != nil {
		reply(w, http.StatusUnprocessableEntity, message(err.Error()))
		return
	}
	f.usage = append(f.usage, metrics)
	w.WriteHeader(http.StatusCreated)
}

func (f *fakeLAPI) one(w http.ResponseWriter, number string) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(f.alerts) {
		reply(w, http.StatusNotFound, message("object not found"))
		return
	}
	reply(w, http.StatusOK, f.alerts[n-1])
}

func (f *fakeLAPI) checkBulk(w http.ResponseWriter, body []byte) {
	var request models.BulkCheckAllowlistRequest
	_ = json.Unmarshal(body, &request)
	answer := models.BulkCheckAllowlistResponse{Results: []*models.BulkCheckAllowlistResult{}}
	for _, target := range request.Targets {
		if reason, ok := f.allowlist[target]; ok {
			answer.Results = append(answer.Results, &models.BulkCheckAllowlistResult{Target: &target, Allowlists: []string{reason}})
		}
	}
	reply(w, http.StatusOK, answer)
}

func (f *fakeLAPI) post(w http.ResponseWriter, r *http.Request, body []byte) {
	var alerts models.AddAlertsRequest
	if err := json.Unmarshal(body, &alerts); err != nil {
		reply(w, http.StatusBadRequest, message(err.Error()))
		return
	}
	f.posts = append(f.posts, len(alerts))
	if f.postsFail != 0 && len(f.posts) > f.failAfter {
		reply(w, f.postsFail, message("database or disk is full"))
		return
	}
	for _, a := range alerts {
		if f.poison[*a.Source.Value] {
			reply(w, http.StatusInternalServerError, message("validation failure list: bad "+*a.Source.Value))
			return
		}
	}
	if f.cutUnstored > 0 {
		f.cutUnstored--
		panic(http.ErrAbortHandler)
	}
	if f.hang {
		<-r.Context().Done()
		return
	}
	ids := f.store(alerts)
	switch {
	case f.hangStored:
		<-r.Context().Done()
	case f.cutStored > 0:
		f.cutStored--
		panic(http.ErrAbortHandler)
	case f.failStored > 0:
		f.failStored--
		reply(w, http.StatusInternalServerError, message("machine 'csmail': database is locked"))
	default:
		reply(w, http.StatusCreated, ids)
	}
}

func (f *fakeLAPI) store(alerts models.AddAlertsRequest) []string {
	ids := []string{}
	for _, a := range alerts {
		if f.dropped[*a.Source.Value] {
			continue
		}
		a.ID = int64(len(f.alerts) + 1)
		f.alerts = append(f.alerts, a)
		ids = append(ids, strconv.FormatInt(a.ID, 10))
	}
	return ids
}

func (f *fakeLAPI) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var found []*models.Alert // null if none, as LAPI has it
	for i := len(f.alerts) - 1; i >= 0; i-- {
		a := f.alerts[i]
		if q.Get("range") != "" { // it goes by decisions; here by nothing
			found = append(found, a)
			continue
		}
		if *a.Source.Value == q.Get("value") && *a.Source.Scope == q.Get("scope") {
			found = append(found, a) // LAPI's scenario filter also goes by decisions; here by nothing
		}
	}
	if f.holes {
		found = append(found, nil)
	}
	reply(w, http.StatusOK, found)
}

// end ends a decision, as DeleteDecisionById does; one that is over is not found.
func (f *fakeLAPI) end(w http.ResponseWriter, number string) {
	for _, a := range f.alerts {
		for _, d := range a.Decisions {
			if strconv.FormatInt(d.ID, 10) == number && !strings.HasPrefix(*d.Duration, "-") {
				*d.Duration = "-1s"
				reply(w, http.StatusOK, models.DeleteDecisionResponse{NbDeleted: "1"})
				return
			}
		}
	}
	reply(w, http.StatusNotFound, message("decision with id '"+number+"' doesn't exist"))
}

// stored returns the values of the stored alerts, in order.
func (f *fakeLAPI) stored() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var values []string
	for _, a := range f.alerts {
		values = append(values, *a.Source.Value)
	}
	return values
}
