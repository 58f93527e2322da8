package lapi

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
	next     http.RoundTripper
	may      func() bool
	underway func() *Underway
}

var _ http.RoundTripper = fencedBodies{}

func (f fencedBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/alerts") {
		return f.next.RoundTrip(r)
	}
	fenced, ended := r.Clone(r.Context()), &atomic.Bool{}
	fenced.Body = &fencedBody{ReadCloser: r.Body, may: f.may, left: r.ContentLength, ended: ended}
	if r.GetBody != nil {
		fenced.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			return &fencedBody{ReadCloser: body, may: f.may, left: r.ContentLength, ended: ended}, nil
		}
	}
	u := f.underway()
	u.begin()
	answer, err := f.next.RoundTrip(fenced)
	u.end(err == nil && answer.StatusCode < http.StatusInternalServerError || !ended.Load())
	return answer, err
}

// Underway knows whether the LAPI may be working on a request with alerts. It is for all
// clients of a csmail.
type Underway struct {
	mu       sync.Mutex
	requests int
	unknown  time.Time // when a request ended without the LAPI's answer
}

func (u *Underway) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests++
}

// end is called with the end of a request. It is over if the LAPI has answered, or did not
// get all of it.
func (u *Underway) end(isOver bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests--
	if !isOver {
		u.unknown = time.Now()
	}
}

// None reports whether no request is under way, and none ended within a time without the
// LAPI's answer: it was lost, or a proxy gave one in its place.
func (u *Underway) None(within time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests == 0 && (u.unknown.IsZero() || time.Since(u.unknown) >= within)
}

// endOfBody is how many bytes at the end of a body are sent on their own: more than the
// bracket and the line feed that end the list of alerts.
const endOfBody = 16

// fencedBody is the body of a request that ends with ErrFollows when it may not be sent.
type fencedBody struct {
	io.ReadCloser
	may   func() bool
	left  int64
	whole bool         // all of it was read
	ended *atomic.Bool // the same, of any try of the request
}

func (b *fencedBody) Read(p []byte) (int, error) {
	if !b.whole && !b.may() {
		return 0, ErrFollows
	}
	if b.left > endOfBody {
		p = p[:min(int64(len(p)), b.left-endOfBody)]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); n > 0 && b.left <= 0 {
		b.whole = true
		b.ended.Store(true)
	}
	return n, err
}
