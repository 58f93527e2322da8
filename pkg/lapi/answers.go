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

// boundedAnswers breaks answers off that no LAPI gives.
type boundedAnswers struct{ next http.RoundTripper }

var _ http.RoundTripper = boundedAnswers{}

func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{resp.Body, maxAnswer}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongAnswer
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
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
