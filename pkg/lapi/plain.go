package lapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
)

// plainBodies sends bodies without compression. CrowdSec's client packs those
// over 5 KiB (pkg/apiclient/client_http.go, v1.7.8), which a LAPI before 1.5,
// like Debian 12's 1.4.6, cannot read; and the LAPI mostly is the same host.
type plainBodies struct{ next http.RoundTripper }

var _ http.RoundTripper = plainBodies{}

func (p plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Header.Get("Content-Encoding") != "gzip" {
		return p.next.RoundTrip(r)
	}
	defer r.Body.Close()
	unpacker, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, fmt.Errorf("unpacking the request: %w", err)
	}
	body, err := io.ReadAll(unpacker)
	if err != nil {
		return nil, fmt.Errorf("unpacking the request: %w", err)
	}
	plain := r.Clone(r.Context())
	plain.Header.Del("Content-Encoding")
	plain.Body = io.NopCloser(bytes.NewReader(body))
	plain.ContentLength = int64(len(body))
	plain.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return p.next.RoundTrip(plain)
}
