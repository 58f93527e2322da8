package lapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
)

// uncompressedBodies sends bodies without compression. CrowdSec's client packs those
// over 5 KiB (pkg/apiclient/client_http.go, v1.7.8), and a LAPI before 1.5 cannot read
// that. Debian 12, for example, has 1.4.6. Little is lost, since the LAPI is mostly on
// the same host.
type uncompressedBodies struct{ next http.RoundTripper }

var _ http.RoundTripper = uncompressedBodies{}

func (p uncompressedBodies) RoundTrip(r *http.Request) (*http.Response, error) {
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
