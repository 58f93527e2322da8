package bouncer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/decision"
	"csmail/pkg/hint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a LAPI that a test holds in its hand.
type fake struct {
	mu      sync.Mutex
	list    map[int64]wire // what it has
	fresh   []wire         // what the next poll brings
	deleted []wire
	status  int           // of every answer, 0: 200
	text    string        // instead of every answer
	empty   bool          // as a LAPI whose database fails: 200, and nothing in it
	hang    chan struct{} // nobody answers until it is closed
	queries []string
}

func newFake(t *testing.T) (*fake, string) {
	f := &fake{list: map[int64]wire{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func banned(id int64, value string) wire {
	return wire{ID: id, Scope: "Ip", Value: value, Type: "ban", Origin: "crowdsec", Scenario: "x", Duration: "1h0m0s"}
}

// put has the LAPI hold decisions; told says whether the stream brings them.
func (f *fake) put(told bool, decisions ...wire) {
	f.with(func() {
		for _, d := range decisions {
			f.list[d.ID] = d
			if told {
				f.fresh = append(f.fresh, d)
			}
		}
	})
}

func (f *fake) remove(told bool, id int64) {
	f.with(func() {
		if told {
			f.deleted = append(f.deleted, f.list[id])
		}
		delete(f.list, id)
	})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, r.URL.Path+"?"+r.URL.RawQuery)
	if r.Header.Get("X-Api-Key") != "key" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"access forbidden"}`)
		return
	}
	if f.status != 0 {
		w.WriteHeader(f.status)
		fmt.Fprint(w, `{"message":"query decision failed"}`)
		return
	}
	if f.text != "" {
		fmt.Fprint(w, f.text)
		return
	}
	stream := strings.HasSuffix(r.URL.Path, "/stream")
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
		return
	}
	switch {
	case f.empty && stream:
		fmt.Fprint(w, `{"new": [], "deleted": []}`)
	case f.empty:
		fmt.Fprint(w, `null`)
	case stream && r.URL.Query().Get("startup") == "true":
		reply(w, map[string]any{"new": f.all(nil), "deleted": nil})
		f.fresh, f.deleted = nil, nil
	case stream:
		reply(w, map[string]any{"new": f.fresh, "deleted": f.deleted})
		f.fresh, f.deleted = nil, nil
	default:
		var origins []string
		if asked := r.URL.Query().Get("origins"); asked != "" {
			origins = strings.Split(asked, ",")
		}
		reply(w, f.all(origins))
	}
}

func (f *fake) all(origins []string) []wire {
	var all []wire
	for _, d := range f.list {
		for _, o := range origins {
			if o == d.Origin {
				all = append(all, d)
			}
		}
		if origins == nil {
			all = append(all, d)
		}
	}
	return all
}

func reply(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// run starts a bouncer with short times.
func run(t *testing.T, url string, change func(*Options)) *Bouncer {
	t.Helper()
	o := Options{
		Config: Config{APIURL: url, APIKey: "key", UpdateFrequency: 10 * time.Millisecond}, Version: "1.2.3",
		CompareLocal: 30 * time.Millisecond, CompareAll: time.Hour, SecondLook: time.Millisecond, Retry: 20 * time.Millisecond, Timeout: 300 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func (b *Bouncer) bans(addr string) bool {
	d, _ := b.Table().Lookup(netip.MustParseAddr(addr), time.Now())
	return d.Type == decision.Ban
}

func TestFollows(t *testing.T) {
	f, url := newFake(t)
	f.put(false, banned(1, "192.0.2.1"))
	b := run(t, url, nil)
	await(t, "what was there before", func() bool { return b.bans("192.0.2.1") })
	f.put(true, banned(2, "2001:DB8::2"))
	await(t, "what is new", func() bool { return b.bans("2001:db8::2") })
	f.remove(true, 1)
	await(t, "a deletion", func() bool { return !b.bans("192.0.2.1") })
	f.with(func() {
		for _, q := range f.queries {
			if strings.Contains(q, "stream") && !strings.Contains(q, "dedup=false") {
				t.Errorf("%s lets the LAPI hide bans behind others", q)
			}
			if !strings.Contains(q, "scopes=Ip%2CRange%2CUsername%2Cusername") && !strings.Contains(q, "usage") {
				t.Errorf("%s asks for other scopes", q)
			}
		}
	})
}

// A person who ends a ban does not wait for the next turn.
func TestPollSoon(t *testing.T) {
	f, url := newFake(t)
	f.put(false, banned(1, "192.0.2.1"))
	b := run(t, url, func(o *Options) { o.Config.UpdateFrequency = time.Hour })
	await(t, "what was there before", func() bool { return b.bans("192.0.2.1") })
	f.remove(true, 1)
	b.PollSoon()
	b.PollSoon() // it never blocks
	await(t, "the deletion", func() bool { return !b.bans("192.0.2.1") })
}

func TestRepairsWhatTheStreamLoses(t *testing.T) {
	f, url := newFake(t)
	f.put(false, banned(1, "192.0.2.1"), banned(2, "192.0.2.2"))
	b := run(t, url, nil)
	await(t, "the start", func() bool { return b.Stats().Decisions == 2 })
	f.put(false, banned(3, "192.0.2.3"))
	profile := banned(4, "192.0.2.4")
	profile.Origin = "crowdsec/own-profile"
	f.put(true, profile)
	await(t, "a ban that never came", func() bool { return b.bans("192.0.2.3") && b.Stats().RepairedMissing == 1 })
	f.remove(false, 2)
	await(t, "a deletion that never came", func() bool { return !b.bans("192.0.2.2") })
	await(t, "the profile's own", func() bool { return b.bans("192.0.2.4") })
	f.remove(false, 4)
	await(t, "a deletion of the profile's own", func() bool { return !b.bans("192.0.2.4") })
	if s := b.Stats(); s.RepairedMissing != 1 || s.RepairedLeft != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestComparesEverythingAfterAnOutage(t *testing.T) {
	f, url := newFake(t)
	community := banned(9, "203.0.113.9")
	community.Origin = "CAPI"
	f.put(false, banned(1, "192.0.2.1"))
	b := run(t, url, nil)
	await(t, "the start", func() bool { return b.bans("192.0.2.1") && !b.Stats().ComparedAll.IsZero() })
	f.with(func() { f.status = 503 })
	await(t, "trouble", func() bool { return b.Stats().LastError != "" })
	f.put(false, community)
	f.with(func() { f.status = 0 })
	await(t, "a community ban of meanwhile", func() bool { return b.bans("203.0.113.9") && b.Stats().LastError == "" })
}

// Each of these lasts for many polls; nothing may be lifted, and all comes back.
func TestTroubleLiftsNoBan(t *testing.T) {
	for name, begin := range map[string]func(*fake){
		"http 500":        func(f *fake) { f.status = 500 },
		"http 403":        func(f *fake) { f.status = 403 },
		"http 504":        func(f *fake) { f.status = 504 },
		"a page":          func(f *fake) { f.text = "<html>welcome</html>" },
		"an empty object": func(f *fake) { f.text = "{}" },
		"half an answer":  func(f *fake) { f.text = `{"new": [], "dele` },
		"a number":        func(f *fake) { f.text = "7" },
		"a list of lists": func(f *fake) { f.text = `{"new": [[]], "deleted": []}` },
		"hung":            func(f *fake) { f.hang = make(chan struct{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, url := newFake(t)
			f.put(false, banned(1, "192.0.2.1"))
			b := run(t, url, nil)
			await(t, "the start", func() bool { return b.bans("192.0.2.1") && !b.Stats().ComparedAll.IsZero() })
			f.with(func() { begin(f) })
			before := b.Stats().Failures
			await(t, "trouble that is seen", func() bool { s := b.Stats(); return s.Failures >= before+2 && s.LastError != "" && s.Hint != "" })
			if !b.bans("192.0.2.1") {
				t.Error("the ban is lifted")
			}
			f.with(func() {
				if f.hang != nil {
					close(f.hang)
				}
				f.status, f.text, f.hang = 0, "", nil
			})
			f.put(true, banned(2, "192.0.2.2"))
			await(t, "the end of it", func() bool { return b.bans("192.0.2.2") && b.Stats().LastError == "" })
		})
	}
}

// A database that fails makes the stream empty and the list a 500; an odd answer in
// between is empty altogether.
func TestOneEmptyAnswerLiftsNoBan(t *testing.T) {
	f, url := newFake(t)
	f.put(false, banned(1, "192.0.2.1"))
	b := run(t, url, func(o *Options) { o.SecondLook = 200 * time.Millisecond })
	await(t, "the start", func() bool { return b.bans("192.0.2.1") && !b.Stats().ComparedAll.IsZero() })
	f.with(func() { f.empty = true })
	await(t, "a list that is empty", func() bool { return b.Stats().LastCompareLeft == 1 })
	f.with(func() { f.empty = false })
	await(t, "a list that is not", func() bool { return b.Stats().LastCompareLeft == 0 })
	if !b.bans("192.0.2.1") || b.Stats().RepairedLeft != 0 {
		t.Errorf("one empty answer lifted the ban: %+v", b.Stats())
	}
}

func TestOwnBansAreInForceAtOnce(t *testing.T) {
	f, url := newFake(t)
	b := run(t, url, func(o *Options) { o.Config.UpdateFrequency = time.Hour })
	await(t, "the start", func() bool { return !b.Stats().ComparedAll.IsZero() })
	d, err := decision.Parse(decision.Raw{ID: 5, Scope: "Ip", Value: "192.0.2.5", Type: "ban", Origin: "crowdsec", Duration: "4h"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.Own([]decision.Decision{d})
	if !b.bans("192.0.2.5") || b.Stats().Own != 1 {
		t.Errorf("not in force: %+v", b.Stats())
	}
	_ = f
}

// What the configuration leaves out is not put into force by the answer to an alert
// either.
func TestOwnBansAreFiltered(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		want   bool
	}{
		"no filter":       {Config{}, true},
		"the origin":      {Config{Origins: []string{"cscli", "crowdsec"}}, true},
		"another origin":  {Config{Origins: []string{"cscli"}}, false},
		"the scenario":    {Config{ScenariosContaining: []string{"ssh", "AUTH"}}, true},
		"another":         {Config{ScenariosContaining: []string{"ssh"}}, false},
		"not that":        {Config{ScenariosNotContaining: []string{"auth-"}}, false},
		"not another one": {Config{ScenariosNotContaining: []string{"ssh"}}, true},
	} {
		c.config.APIKey = "key"
		b, err := New(Options{Config: c.config})
		if err != nil {
			t.Fatal(err)
		}
		d, err := decision.Parse(decision.Raw{ID: 5, Scope: "Ip", Value: "192.0.2.5", Type: "ban", Origin: "crowdsec", Scenario: "csmail/auth-bf", Duration: "4h"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if b.Own([]decision.Decision{d}); b.bans("192.0.2.5") != c.want {
			t.Errorf("%s: enforced %t", name, !c.want)
		}
	}
}

func TestKeptTableIsEnforcedWithoutLAPI(t *testing.T) {
	f, url := newFake(t)
	f.put(false, banned(1, "192.0.2.1"))
	var kept []byte
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(t.Context())
	b, err := New(Options{Config: Config{APIURL: url, APIKey: "key", UpdateFrequency: time.Millisecond}, Log: slog.New(slog.DiscardHandler), Keep: func(data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		kept = data
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { b.Run(ctx); close(done) }()
	await(t, "the start", func() bool { return b.bans("192.0.2.1") })
	cancel()
	<-done
	f.with(func() { f.status = 500 })
	again := run(t, url, func(o *Options) {})
	again.Restore(kept)
	again.Restore([]byte("nonsense")) // changes nothing
	await(t, "trouble", func() bool { return again.Stats().LastError != "" })
	if !again.bans("192.0.2.1") {
		t.Errorf("nothing is enforced: %+v", again.Stats())
	}
}

func TestNonsenseIsLoggedOnceAndHarmsNothing(t *testing.T) {
	f, url := newFake(t)
	for i := range int64(500) {
		d := banned(100+i, "not an address\n"+strings.Repeat("x", 5000))
		d.Scope = []string{"Ip", "Moon", "Range"}[i%3]
		f.put(false, d)
	}
	wide := banned(2, "0.0.0.0/0")
	wide.Scope = "Range"
	f.put(false, banned(1, "192.0.2.1"), wide)
	var out syncBuffer
	b := run(t, url, func(o *Options) { o.Log, o.Timeout = slog.New(slog.NewTextHandler(&out, nil)), time.Minute })
	await(t, "the good one", func() bool { return b.bans("192.0.2.1") && b.Stats().Ignored > 1000 })
	if lines := strings.Count(out.String(), "\n"); lines > 6 || len(out.String()) > 4000 {
		t.Errorf("%d lines in the log: %.2000s", lines, out.String())
	}
	if b.bans("198.51.100.1") {
		t.Error("0.0.0.0/0 bans everybody")
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// 500,000 decisions at once come to what fits.
func TestLongAnswerIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million decisions")
	}
	var text strings.Builder
	text.WriteString(`{"new": [`)
	for i := range 500_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"id":%d,"scope":"Ip","value":"10.%d.%d.%d","type":"ban","origin":"CAPI","scenario":"x","duration":"1h"}`, i+1, i>>16, i>>8&255, i&255)
	}
	text.WriteString(`], "deleted": []}`)
	f, url := newFake(t)
	f.with(func() { f.text = text.String() })
	b := run(t, url, func(o *Options) { o.Config.MaxDecisions, o.Timeout = 1000, time.Minute })
	await(t, "what fits", func() bool { return b.Stats().Refused >= 499_000 })
	if n := b.Table().Len(); n != 1000 {
		t.Errorf("%d decisions, want 1000", n)
	}
}

func TestErrorsSayWhatMendsThem(t *testing.T) {
	f, url := newFake(t)
	for name, c := range map[string]struct {
		config Config
		begin  func()
		want   string
		hint   string
	}{
		"wrong key":   {Config{APIURL: url, APIKey: "other"}, nil, "lapi refused our bouncer key at URL/: http status 403", "sudo cscli bouncers add csmail"},
		"nobody":      {Config{APIURL: "http://127.0.0.1:1/", APIKey: "key"}, nil, "lapi unreachable at http://127.0.0.1:1/: dial tcp 127.0.0.1:1: connect: connection refused", "systemctl status crowdsec"},
		"no socket":   {Config{APIURL: "/nonexistent/lapi.sock", APIKey: "key"}, nil, "lapi unreachable at /nonexistent/lapi.sock: dial unix /nonexistent/lapi.sock: connect: no such file or directory", "systemctl status crowdsec"},
		"not a LAPI":  {Config{APIURL: url, APIKey: "key"}, func() { f.text = "<html>" }, "lapi unreachable at URL/: the answer is not a LAPI's: unexpected JSON: invalid character '<' looking for beginning of value", "bouncer.api_url"},
		"broken LAPI": {Config{APIURL: url, APIKey: "key"}, func() { f.status, f.text = 500, "" }, "lapi unreachable at URL/: http status 500", "journalctl -u crowdsec"},
	} {
		f.with(func() {
			f.status, f.text = 0, ""
			if c.begin != nil {
				c.begin()
			}
		})
		b, err := New(Options{Config: c.config})
		if err != nil {
			t.Fatal(err)
		}
		err = b.round(t.Context())
		b.client.close()
		got := strings.ReplaceAll(fmt.Sprint(err), url, "URL")
		if got != strings.ReplaceAll(c.want, "URL/", "URL") && got != c.want || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: got %s (hint %s), want %s", name, got, hint.Of(err), c.want)
		}
	}
	for name, c := range map[string]struct {
		config     Config
		want, hint string
	}{
		"no key":      {Config{}, "bouncer: config does not contain LAPI key or certificate", "cscli bouncers add csmail"},
		"no url":      {Config{APIURL: "lapi", APIKey: "k"}, `bouncer.api_url "lapi": neither http(s)://HOST:PORT/ nor the path of a socket`, DefaultURL},
		"no such CA":  {Config{APIURL: "https://127.0.0.1/", APIKey: "k", CACertPath: "/nonexistent"}, "bouncer: api client init: unable to load CA certificate '/nonexistent': open /nonexistent: no such file or directory", "cscli"},
		"key and pem": {Config{APIURL: "https://127.0.0.1/", APIKey: "k", CertPath: "/x", KeyPath: "/y"}, "bouncer: api client init: cannot use both API key and certificate auth", "cscli"},
	} {
		_, err := New(Options{Config: c.config})
		if err == nil || err.Error() != c.want || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: got %v (hint %s), want %s", name, err, hint.Of(err), c.want)
		}
	}
}

// Decisions end by their own time, while nobody answers.
func TestEndsWithoutLAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(Options{Config: Config{APIURL: "http://127.0.0.1:1/", APIKey: "key"}})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := decision.Parse(decision.Raw{ID: 5, Scope: "Ip", Value: "192.0.2.5", Type: "ban", Duration: "1h"}, time.Now())
		b.Own([]decision.Decision{d})
		time.Sleep(59 * time.Minute)
		if !b.bans("192.0.2.5") {
			t.Error("it ended early")
		}
		time.Sleep(2 * time.Minute)
		if b.housekeep(); b.bans("192.0.2.5") || b.Table().Len() != 0 {
			t.Error("it has not ended")
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"new": [{"id":1,"scope":"Ip"}], "deleted": null}`))
	f.Add([]byte(`[{"id":1}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := readStream(bytes.NewReader(text)); err != nil && (len(c.added) > 0 || len(c.removed) > 0) {
			t.Errorf("half an answer is taken: %+v", c)
		}
		if c, err := readList(bytes.NewReader(text)); err != nil && len(c.added) > 0 {
			t.Errorf("half a list is taken: %+v", c)
		}
	})
}
