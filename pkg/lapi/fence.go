package lapi

import (
	"io"
	"net/http"
	"strings"
)

// fencedBodies ends requests with alerts that this csmail may not send any more.
//
// The problem: a leading judge may be stopped, for example by a debugger or by the host of
// its virtual machine, while half of a request is sent. Another judge leads soon after, and
// sends the same alerts. When the first one runs again it would send the other half, and the
// LAPI would store all of them once more. So each part of a body is sent only if this csmail
// still may, and the end of the JSON text is a part of its own. A LAPI stores nothing of a
// text without an end (CreateAlert in pkg/apiserver/controllers/v1/alerts.go, v1.7.8).
type fencedBodies struct {
	next http.RoundTripper
	may  func() bool
}

var _ http.RoundTripper = fencedBodies{}

func (f fencedBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/alerts") {
		return f.next.RoundTrip(r)
	}
	fenced := r.Clone(r.Context())
	fenced.Body = &fencedBody{ReadCloser: r.Body, may: f.may, left: r.ContentLength}
	if r.GetBody != nil {
		fenced.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			return &fencedBody{ReadCloser: body, may: f.may, left: r.ContentLength}, nil
		}
	}
	return f.next.RoundTrip(fenced)
}

// endOfBody is how many bytes at the end of a body are sent on their own: more than the
// bracket and the line feed that end the list of alerts.
const endOfBody = 16

// fencedBody is the body of a request that ends with ErrFollows when it may not be sent.
type fencedBody struct {
	io.ReadCloser
	may  func() bool
	left int64
}

func (b *fencedBody) Read(p []byte) (int, error) {
	if !b.may() {
		return 0, ErrFollows
	}
	if b.left > endOfBody {
		p = p[:min(int64(len(p)), b.left-endOfBody)]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
