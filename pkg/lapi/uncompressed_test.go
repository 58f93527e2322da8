package lapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPlainBodies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Encoding") != "" || string(body) != "alerts" || r.ContentLength != 6 {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "alerts")
	z.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for encoding, body := range map[string]string{"gzip": packed.String(), "": "alerts"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		answer, err := uncompressedBodies{transport}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%q: status %d, want StatusCode %d", encoding, answer.StatusCode, http.StatusOK)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("no gzip"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "gzip")
	if _, err := (uncompressedBodies{transport}).RoundTrip(r); err == nil {
		t.Error("a broken body is no error")
	}
}
