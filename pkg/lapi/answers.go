package lapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxAnswer bounds the size of a response in bytes, unpacked. The longest response that
// csmail asks for is a list of a hundred alerts, one to two megabytes. CrowdSec's client
// has no limit of its own.
const maxAnswer = 16 << 20

var errLongAnswer = fmt.Errorf("it is longer than %d bytes", maxAnswer)

// The memory that a response may unpack to is bounded, too: an empty alert has three
// bytes as JSON and takes 700 in memory. An object or list weighs ten, each further item
// in one weighs one. The most that csmail asks for, fifty alerts with fifty events of
// ten values each, weighs 400,000.
const (
	maxWeight    = 1_000_000
	objectWeight = 10
)

var errManyValues = fmt.Errorf("it holds more than %d objects", maxWeight/objectWeight)

// boundedAnswers limits the size of responses.
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

// boundedBody is the body of a response that ends with an error at the limit.
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

// scale estimates the memory that a JSON text may unpack to (RFC 8259 2), while the text
// arrives in parts of any size. For a text that is not JSON the estimate means nothing.
type scale struct {
	weight  int
	inText  bool
	escaped bool
}

// add counts the objects in a part of the text.
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

// sameHost follows redirects only to the host that the credentials name, and never from
// https to http: each request carries csmail's token, and the login its password.
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
