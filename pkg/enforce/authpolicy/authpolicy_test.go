package authpolicy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/decision"
	"csmail/pkg/enforce"
	"csmail/pkg/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func server(t testing.TB) (*Server, *[]Report) {
	t.Helper()
	table := decision.New(0)
	for i, r := range []decision.Raw{
		{Scope: "Ip", Value: "192.0.2.1", Type: "ban"},
		{Scope: "Ip", Value: "192.0.2.3", Type: "captcha"},
		{Scope: "Range", Value: "2001:db8:bad::/48", Type: "ban"},
		{Scope: "Username", Value: "bob", Type: "ban"},
	} {
		r.ID, r.Duration = int64(i+1), "1h"
		d, err := decision.Parse(r, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		table.Apply([]decision.Decision{d}, nil, time.Now())
	}
	var reports []Report
	return &Server{
		Gate: enforce.NewGate(table, enforce.Options{Accounts: true}, nil), Report: func(r Report) { reports = append(reports, r) },
	}, &reports
}

func post(s *Server, query, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+query, strings.NewReader(body)))
	return w
}

func TestAllow(t *testing.T) {
	s, _ := server(t)
	for _, c := range []struct{ remote, login, want string }{
		{"192.0.2.9", "eve", `{"status":0,"msg":""}`},
		{"192.0.2.1", "eve", `{"status":-1,"msg":"CrowdSec decision 1 on your address"}`},
		{"::ffff:192.0.2.1", "eve", `{"status":-1,"msg":"CrowdSec decision 1 on your address"}`},
		{"192.0.2.3", "eve", `{"status":-1,"msg":"CrowdSec decision 2 on your address"}`},
		{"2001:db8:bad::7", "eve", `{"status":-1,"msg":"CrowdSec decision 3 on your address"}`},
		{"192.0.2.9", "Bob", `{"status":-1,"msg":"CrowdSec decision 4 on this account"}`},
		{"", "eve", `{"status":0,"msg":""}`},
		{"unix:/x", "", `{"status":0,"msg":""}`},
		{"127.0.0.1", "eve", `{"status":0,"msg":""}`},
	} {
		body := fmt.Sprintf(`{"device_id":"","login":%q,"protocol":"imap","pwhash":"03fe","remote":%q,"session_id":"s","tls":false,"fail_type":""}`, c.login, c.remote)
		if w := post(s, "?command=allow", body); w.Code != 200 || w.Body.String() != c.want {
			t.Errorf("%s %s: got %d %s, want %s", c.remote, c.login, w.Code, w.Body, c.want)
		}
	}
}

func TestReportBecomesARecordOnce(t *testing.T) {
	for body, want := range map[string]event.Kind{
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":false,"policy_reject":false}`:                           event.AuthFailed,
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":true}`:                                                  event.LoginOK,
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":false,"policy_reject":true}`:                            event.OwnRefusal,
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":false,"policy_reject":false,"fail_type":"policy"}`:      event.OwnRefusal,
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":false,"policy_reject":false,"fail_type":"internal"}`:    event.AuthFault,
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":false,"policy_reject":false,"fail_type":"expired"}`:     event.LoginRefused,
		`{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s1","success":false,"policy_reject":false,"fail_type":"credentials"}`: event.AuthFailed,
	} {
		s, reports := server(t)
		if w := post(s, "?command=report", body); w.Code != 200 || len(*reports) != 1 {
			t.Fatalf("%s: %d, %d reports", body, w.Code, len(*reports))
		}
		r := (*reports)[0].Record("mx1")
		if r.Kind != want || r.User != "bob" || r.Session != "s1" || r.Addr != netip.MustParseAddr("192.0.2.9") || r.Host != "mx1" || r.Attempts != 1 {
			t.Errorf("%s: got %+v, want %s", body, r, want)
		}
	}
}

// A password has a mark only where Dovecot knows it: the values are those that Dovecot
// 2.3.19.1 sent for the account bob and the nonce x.
func TestPasswordMarks(t *testing.T) {
	s, reports := server(t)
	var tries []enforce.Try
	s.Tried = func(t enforce.Try) { tries = append(tries, t) }
	mark := func(fields string) event.PasswordMark {
		t.Helper()
		body := `{"login":"bob","remote":"192.0.2.9","protocol":"imap","session_id":"s","success":false` + fields + `}`
		post(s, "?command=allow", body)
		post(s, "?command=report", body)
		asked, reported := tries[len(tries)-1], (*reports)[len(*reports)-1].Record("mx1")
		if asked.Password != reported.Password || asked.Account != "bob" || asked.Session != "s" || asked.At.IsZero() {
			t.Errorf("%s: asked %+v, reported %d", fields, asked, reported.Password)
		}
		return asked.Password
	}
	wrong1, again := mark(`,"mech":"PLAIN","pwhash":"0f8d"`), mark(`,"mech":"plain","pwhash":"0f8d"`)
	wrong2 := mark(`,"mech":"LOGIN","pwhash":"0df7"`)
	if wrong1 == 0 || wrong1 != again || wrong2 == 0 || wrong1 == wrong2 {
		t.Errorf("got the marks %d, %d, %d", wrong1, again, wrong2)
	}
	for _, fields := range []string{
		``, `,"pwhash":"0f8d"`, `,"mech":"PLAIN"`, `,"mech":"PLAIN","pwhash":""`, `,"mech":"PLAIN","pwhash":"0f"`, `,"mech":"PLAIN","pwhash":"nonsense"`,
		`,"mech":"CRAM-MD5","pwhash":"01ab"`, `,"mech":"SCRAM-SHA-256","pwhash":"01ab"`, `,"mech":"XOAUTH2","pwhash":"01ab"`, `,"mech":"%{mech}","pwhash":"01ab"`,
		`,"mech":"PLAIN","pwhash":"` + strings.Repeat("0", 200) + `"`,
	} {
		if got := mark(fields); got != 0 {
			t.Errorf("%s: got the mark %d, want none", fields, got)
		}
	}
}

// Dovecot lets the login go on after each of these.
func TestNonsenseIsNoRefusal(t *testing.T) {
	s, reports := server(t)
	s.Key = "secret"
	for name, c := range map[string]struct {
		method, query, key, body string
		code                     int
	}{
		"no key":         {"POST", "?command=allow", "", `{"remote":"192.0.2.1"}`, 403},
		"wrong key":      {"POST", "?command=allow", "secret2", `{"remote":"192.0.2.1"}`, 403},
		"no JSON":        {"POST", "?command=allow", "secret", "remote=192.0.2.1", 400},
		"a list":         {"POST", "?command=allow", "secret", "[]", 400},
		"wrong form":     {"POST", "?command=report", "secret", `{"remote":7,"success":"yes"}`, 400},
		"no command":     {"POST", "", "secret", "{}", 400},
		"get":            {"GET", "?command=allow", "secret", `{"remote":"192.0.2.1"}`, 400},
		"a megabyte":     {"POST", "?command=allow", "secret", `{"remote":"` + strings.Repeat("x", 1<<20) + `"}`, 400},
		"a long login":   {"POST", "?command=report", "secret", `{"remote":"192.0.2.9","login":"` + strings.Repeat("x", 20_000) + `"}`, 200},
		"deep":           {"POST", "?command=allow", "secret", strings.Repeat("[", 20_000), 400},
		"report of none": {"POST", "?command=report", "secret", `{"remote":"nobody"}`, 200},
	} {
		r := httptest.NewRequest(c.method, "/"+c.query, strings.NewReader(c.body))
		r.Header.Set("X-Csmail-Key", c.key)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != c.code || strings.Contains(w.Body.String(), `"status":-1`) {
			t.Errorf("%s: got %d %.60s", name, w.Code, w.Body)
		}
	}
	if len(*reports) != 1 || len((*reports)[0].User) > maxText {
		t.Errorf("got %d reports", len(*reports))
	}
}

// Half-open requests are cut off, and others are answered meanwhile.
func TestHalfOpenRequests(t *testing.T) {
	s, _ := server(t)
	l, err := enforce.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = s.Serve(ctx, l); close(done) }()
	defer func() { cancel(); <-done }()
	url := "http://" + l.Addr().String() + "/?command=allow"
	for range enforce.MaxConnections + 100 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "POST /?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	}
	began := time.Now()
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	resp, err := client.Post(url, "application/json", strings.NewReader(`{"remote":"192.0.2.1"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Status int }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Status != -1 || time.Since(began) > 4*time.Second {
		t.Errorf("got %+v, %v after %s", got, err, time.Since(began))
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("?command=allow", `{"login":"bob","remote":"192.0.2.1"}`)
	f.Add("?command=report", `{"login":"bob","remote":"192.0.2.9","success":false}`)
	s, _ := server(f)
	s.Report = func(r Report) { r.Record("h") }
	f.Fuzz(func(t *testing.T, query, body string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.RawQuery = strings.TrimPrefix(query, "?")
		s.ServeHTTP(w, r)
		if w.Code == 200 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("got %s", w.Body)
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	s, _ := server(b)
	l, err := enforce.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = s.Serve(ctx, l) }()
	url := "http://" + l.Addr().String() + "/?command=allow"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post(url, "application/json", strings.NewReader(`{"login":"bob2","remote":"192.0.2.9","protocol":"imap","session_id":"s"}`))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
