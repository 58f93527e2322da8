package lapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxAnswer bounds an answer in bytes, unpacked. The longest that we ask for are a
// hundred alerts, which come to one or two megabytes; CrowdSec's client reads
// whatever comes.
const maxAnswer = 16 << 20

var errLongAnswer = fmt.Errorf("it is longer than %d bytes", maxAnswer)

// What an answer unpacks to is bounded, too: an empty alert has three bytes as JSON and
// 700 in memory. An object or list weighs ten, a further item in one weighs one. The
// most that we ask for, fifty alerts of somebody's with fifty events of ten values each,
// weighs 400,000.
const (
	maxWeight    = 1_000_000
	objectWeight = 10
)

var errManyValues = fmt.Errorf("it holds more than %d objects", maxWeight/objectWeight)

// boundedAnswers breaks answers off that no LAPI gives.
type boundedAnswers struct{ next http.RoundTripper }

var _ http.RoundTripper = boundedAnswers{}

func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left  int64
	scale scale
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongAnswer
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.scale.add(p[:n]); b.scale.weight > maxWeight {
		return 0, errManyValues
	}
	return n, err
}

// scale weighs what a JSON text may unpack to (RFC 8259 2), however it comes in parts.
// Of another text it weighs something.
type scale struct {
	weight  int
	inText  bool
	escaped bool
}

func (s *scale) add(text []byte) {
	for _, b := range text {
		switch {
		case s.escaped:
			s.escaped = false
		case s.inText:
			s.escaped = b == '\\'
			s.inText = b != '"'
		case b == '"':
			s.inText = true
		case b == '{' || b == '[':
			s.weight += objectWeight
		case b == ',':
			s.weight++
		}
	}
}

// maxRedirects is more than a proxy before a LAPI needs: http to https.
const maxRedirects = 3

// sameHost follows redirects only to the host that the credentials name, and never
// from https to http: each request carries our token, the login our password.
func sameHost(to *url.URL, via []*http.Request) error {
	first := via[0].URL
	switch {
	case to.Hostname() != first.Hostname():
		return fmt.Errorf("it leads to another host, %.80q", to.Host)
	case first.Scheme == "https" && to.Scheme != "https":
		return errors.New("it leads from https to http")
	case len(via) > maxRedirects:
		return errors.New("it leads in a circle")
	}
	return nil
}
