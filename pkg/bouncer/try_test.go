package bouncer

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"csmail/pkg/hint"
)

// Try sends one HEAD and no GET: that would count as a pull.
func TestTry(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		want   error
	}{
		"taken":   {http.StatusOK, nil},
		"revoked": {http.StatusForbidden, ErrRefused},
		"broken":  {http.StatusInternalServerError, ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Api-Key"))
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			err := Try(t.Context(), Config{APIURL: server.URL + "/", APIKey: "k"}, "1.0", 5*time.Second)
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) || (err != nil && hint.Of(err) == "") {
				t.Errorf("got %v (hint %q), want %v", err, hint.Of(err), tt.want)
			}
			if len(asked) != 1 || asked[0] != "HEAD /v1/decisions k" {
				t.Errorf("got the requests %q, want one HEAD with the key", asked)
			}
		})
	}
	server := httptest.NewServer(nil)
	server.Close()
	if err := Try(t.Context(), Config{APIURL: server.URL + "/", APIKey: "k"}, "1.0", 5*time.Second); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody listens: got %v, want %v", err, ErrUnreachable)
	}
}
