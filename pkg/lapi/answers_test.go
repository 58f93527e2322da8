package lapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
)

// clientOf returns a client of a server that is no LAPI.
func clientOf(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := New(Credentials{URL: server.URL, Login: "csmail", Password: "secret"}, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	c.timeout = 20 * time.Second
	t.Cleanup(c.Close)
	return c
}

// endless writes one text for ever.
func endless(w io.Writer, text string) {
	chunk := bytes.Repeat([]byte(text), 64<<10/len(text))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestAnswersThatDoNotEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"a list": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"token": "`)
			endless(w, "x")
		}, "it is longer than 16777216 bytes"},
		"an error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			endless(w, "x")
		}, "http status 403"},
		"gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			endless(z, " ")
		}, "it is longer than 16777216 bytes"},
		"byte by byte": {func(w http.ResponseWriter, r *http.Request) {
			for tick := time.NewTicker(time.Millisecond); ; {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return
				}
			}
		}, "http status 200"},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, tt.handle)
			if name == "byte by byte" {
				c.timeout = 200 * time.Millisecond
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := c.Heartbeat(t.Context())
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), tt.want) || hint.Of(err) == "" {
				t.Errorf("error %v, hint %q, want %q, it to contain %q, a hint", err, hint.Of(err), ErrUnreachable, tt.want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 12*maxAnswer {
				t.Errorf("%d bytes allocated, want at most %v", grown, 12*maxAnswer)
			}
		})
	}
}

// Who answers with a redirect to another host gets neither password nor token
// sent there.
func TestRedirects(t *testing.T) {
	fake := &fakeLAPI{}
	lapi := httptest.NewServer(fake)
	t.Cleanup(lapi.Close)
	elsewhere := strings.Replace(lapi.URL, "127.0.0.1", "localhost", 1)
	for name, tt := range map[string]struct {
		to   string
		want string // "" for none
	}{
		"the same host": {lapi.URL, ""},
		"another host":  {elsewhere, "it leads to another host"},
		"itself":        {"", "it leads in a circle"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := fake.asked
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, tt.to+r.URL.Path, http.StatusTemporaryRedirect)
			})
			err := c.Heartbeat(t.Context())
			if tt.want == "" {
				if err != nil || fake.beats != 1 {
					t.Errorf("%d heartbeats, error %v, want beats 1", fake.beats, err)
				}
				return
			}
			if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "http status 307, "+tt.want) || hint.Of(err) != urlHint {
				t.Errorf("error %v, hint %q, want %q, it to contain %q, hint %q",
					err, hint.Of(err), ErrUnreachable, "http status 307, "+tt.want, urlHint)
			}
			if fake.asked != asked {
				t.Error("the other host was asked")
			}
		})
	}
}

func TestSameHost(t *testing.T) {
	request := func(text string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, tt := range map[string]struct{ from, to, want string }{
		"to https":    {"http://lapi.example:8080/v1/", "https://lapi.example/v1/", ""},
		"to http":     {"https://lapi.example/v1/", "http://lapi.example/v1/", "it leads from https to http"},
		"a name like": {"https://lapi.example/", "https://lapi.example.test/", "it leads to another host"},
	} {
		err := sameHost(request(tt.to).URL, []*http.Request{request(tt.from)})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An answer of many small objects, in a list or in a list of a list, does not unpack to
// many times its length.
func TestAnswersOfManyObjects(t *testing.T) {
	bomb := func(before, object, after string) string {
		return before + strings.Repeat(object+",", (maxAnswer-100)/(len(object)+1)) + object + after
	}
	for name, text := range map[string]string{
		"alerts":    bomb("[", "{}", "]"),
		"decisions": bomb(`[{"decisions":[`, "{}", "]}]"),
		"lists":     bomb(`[{"events":[`, `{"meta":[]}`, "]}]"),
		"nothings":  bomb(`[{"events":[`, "null", "]}]"),
		"numbers":   bomb(`[{"capacity":[`, "1", "]}]"),
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/watchers/login" {
					reply(w, http.StatusOK, map[string]any{"code": 200, "token": "x"})
					return
				}
				_, _ = io.WriteString(w, text)
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.About(t.Context(), netip.MustParseAddr("192.0.2.1"))
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "it holds more than 100000 objects") || hint.Of(err) == "" {
				t.Errorf("error %v, hint %q, want %q, it to contain \"it holds more than 100000 objects\", a hint", err, hint.Of(err), ErrUnreachable)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*maxAnswer {
				t.Errorf("%d MiB allocated, want at most %v", grown>>20, 8*maxAnswer)
			}
		})
	}
}

// Objects, lists and items are weighed where they are, not in texts.
func TestScale(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "{}": 10, "[{},{}]": 31, `["{[,", "\"{", "\\"]`: 12, `{"a":[1,2,3]}`: 22, `["\\",{}]`: 21, `"{" {`: 10,
	} {
		for size := 1; size < len(text)+2; size++ {
			s := scale{}
			for part := range slices.Chunk([]byte(text), size) {
				s.add(part)
			}
			if s.weight != want {
				t.Errorf("%s in parts of %d: %d, want %d", text, size, s.weight, want)
			}
		}
	}
}

// As many alerts as are ever asked for, with more events than anybody sends, are read.
func TestLargeAnswersAreRead(t *testing.T) {
	meta := strings.Repeat(`{"key":"target_user","value":"[\"bob\"]"},`, 9) + `{"key":"k","value":"v"}`
	event := `{"meta":[` + meta + `],"timestamp":"2026-06-03T04:11:11Z"}`
	alert := `{"id":%d,"scenario":"x","source":{"scope":"Ip","value":"192.0.2.1"},"events":[` + strings.Repeat(event+",", 49) + event + `]}`
	var alerts []string
	for n := range knownLimit {
		alerts = append(alerts, fmt.Sprintf(alert, n+1))
	}
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/watchers/login" {
			reply(w, http.StatusOK, map[string]any{"code": 200, "token": "x"})
			return
		}
		_, _ = io.WriteString(w, "["+strings.Join(alerts, ",")+"]")
	})
	if known, err := c.About(t.Context(), netip.MustParseAddr("192.0.2.1")); len(known) != knownLimit || err != nil {
		t.Errorf("%d alerts, %v, want %d known", len(known), err, knownLimit)
	}
}
