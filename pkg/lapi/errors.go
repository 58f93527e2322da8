package lapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"csmail/pkg/hint"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
)

var (
	// ErrUnreachable means that no working LAPI answered. For example, the connection was refused,
	// no answer came in time, every request ends with a server error, or the answer is
	// not a LAPI's.
	ErrUnreachable = errors.New("lapi unreachable")

	// ErrRefused means that the LAPI does not accept this machine. The password is wrong, or the
	// machine is unknown there or not validated.
	ErrRefused = errors.New("lapi refused us")
)

// errNotLAPI: the response is valid JSON, but not a LAPI's.
var errNotLAPI = errors.New("the answer is not a LAPI's")

const maxWords = 300 // bytes of the LAPI's error text that are repeated

// callError is the failure of one call.
type callError struct {
	kind   error // ErrUnreachable, ErrRefused, or nil if it depends on the content of the request
	url    string
	what   string
	status int   // 0: no answer
	cause  error // the LAPI's error text, or the network's
}

func (e *callError) Error() string {
	if e.kind == nil {
		return fmt.Sprintf("lapi at %s: %s: %s", e.url, e.what, e.cause)
	}
	return fmt.Sprintf("%s at %s: %s: %s", e.kind, e.url, e.what, e.cause)
}

func (e *callError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}

const (
	downHint   = "is CrowdSec running? systemctl status crowdsec; its address: sudo cscli config show --key Config.API.Server.ListenURI"
	urlHint    = "does the url of the credentials lead to a LAPI? sudo cscli config show --key Config.API.Server.ListenURI"
	brokenHint = "CrowdSec's own log says more: journalctl -u crowdsec, or /var/log/crowdsec.log"
)

// explain turns an error of CrowdSec's client into a callError.
func (c *Client) explain(what string, status int, err error) error {
	e := &callError{url: shownURL(c.credentials.URL), what: what, status: status}
	if status == 0 {
		e.kind, e.cause = ErrUnreachable, c.networkCause(err)
		return hint.Wrap(e, "%s", c.networkHint(err))
	}
	words, isLAPI := lapiWords(err)
	e.cause = errors.New(words)
	switch status {
	case http.StatusInternalServerError, http.StatusRequestEntityTooLarge, http.StatusNotFound, http.StatusMethodNotAllowed:
		return e // the caller knows whether it is about the alerts, or about an old LAPI
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		e.kind = ErrUnreachable
		return hint.Wrap(e, "%s", brokenHint)
	}
	if !isLAPI && strings.Contains(words, "HTTP request to an HTTPS server") { // net/http's server, in plain text
		e.kind = ErrUnreachable
		return hint.Wrap(e, "%s", c.inURL("it speaks TLS there: write https instead of http"))
	}
	if !isLAPI {
		e.kind = ErrUnreachable
		e.cause = fmt.Errorf("%w: http status %d, %s", errNotLAPI, status, words)
		return hint.Wrap(e, "%s", urlHint)
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		e.kind = ErrRefused
		return hint.Wrap(e, "%s", c.refusedHint(words))
	}
	return e
}

// networkHint returns the remedy for a call without an answer. crypto/tls and net/http
// (Go 1.26) have no error of their own for a peer that does not speak TLS.
func (c *Client) networkHint(err error) string {
	text := err.Error()
	for _, plain := range []string{"first record does not look like a TLS handshake", "server gave HTTP response to HTTPS client"} {
		if strings.Contains(text, plain) {
			return c.inURL("it does not speak TLS there: write http instead of https")
		}
	}
	if strings.Contains(text, "malformed HTTP response") {
		return c.inURL("something else than a LAPI listens there, or it speaks TLS: https instead of http")
	}
	return downHint
}

// inURL says where the address is written.
func (c *Client) inURL(mend string) string {
	if c.credentials.path == "" {
		return mend
	}
	return fmt.Sprintf("%s, in the url of %s", mend, c.credentials.path)
}

// refusedHint returns the remedy for a refused login, by the LAPI's words.
func (c *Client) refusedHint(words string) string {
	login, path := c.credentials.Login, c.credentials.path
	if login == "" {
		return "sudo cscli machines list"
	}
	if strings.Contains(words, "not validated") {
		return "sudo cscli machines validate " + login
	}
	if path == "" {
		path = "PATH"
	}
	return fmt.Sprintf("is it in sudo cscli machines list? a new password: sudo cscli machines add %s --auto --force -f %s", login, path)
}

// networkCause is the cause of a call without an answer, as a person needs it.
func (c *Client) networkCause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s: %w", c.timeout, context.DeadlineExceeded)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the connection was cut: %w", io.EOF)
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "performing jwt auth: ") {
		return inner
	}
	return err
}

// lapiWords returns the server's error text, and reports whether it came as JSON, which
// is the form of a LAPI.
func lapiWords(err error) (words string, isLAPI bool) {
	answer, ok := errors.AsType[*apiclient.ErrorResponse](err)
	if !ok {
		if errors.Is(err, errNotLAPI) {
			return "no token or list in it", false
		}
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // of a redirect that is not followed
		}
		return shorten(err.Error()), false // or of the JSON decoder
	}
	words = strings.TrimSpace(strings.TrimPrefix(answer.Error(), "API error: "))
	// CrowdSec's client puts "http code" before an answer that it cannot read, and
	// before every 422. CrowdSec 1.4 refuses a certificate with two objects in a row.
	if _, body, ok := strings.Cut(words, ", response: "); ok && strings.HasPrefix(body, "{") {
		return shorten(body), true
	}
	return shorten(words), !strings.HasPrefix(words, "http code ") || strings.HasPrefix(words, "http code 422")
}

// shorten limits the text of an answer in an error.
func shorten(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if len(text) <= maxWords {
		return text
	}
	cut := maxWords
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// statusOf returns the HTTP status of an error, 0 if there was no answer.
func statusOf(err error) int {
	if e, ok := errors.AsType[*callError](err); ok {
		return e.status
	}
	return 0
}

// wordsOf returns the LAPI's error text alone.
func wordsOf(err error) string {
	if e, ok := errors.AsType[*callError](err); ok {
		return e.cause.Error()
	}
	return err.Error()
}

func isRefused(err error) bool { return errors.Is(err, ErrRefused) }

// isUnknownEndpoint reports whether the LAPI is too old to have the endpoint.
func isUnknownEndpoint(err error) bool {
	status := statusOf(err)
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed
}

// dependsOnContent reports whether the same call with other content might have
// succeeded.
func dependsOnContent(err error) bool {
	e, ok := errors.AsType[*callError](err)
	return ok && e.kind == nil && !isUnknownEndpoint(err)
}

// isLost reports whether the call may have been carried out although no answer came: the
// connection was made, and then broke or stayed silent.
func isLost(err error) bool {
	e, ok := errors.AsType[*callError](err)
	if !ok || e.status != 0 {
		return false
	}
	op, ok := errors.AsType[*net.OpError](e.cause)
	return !ok || op.Op != "dial"
}

func isTimeout(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// settle classifies an error that is not about the content of alerts: a LAPI that cannot
// answer such a call does not work.
func settle(err error) error {
	e, ok := errors.AsType[*callError](err)
	if !ok || e.kind != nil {
		return err
	}
	e.kind = ErrUnreachable
	if isUnknownEndpoint(err) {
		return hint.Wrap(err, "%s", urlHint)
	}
	return hint.Wrap(err, "%s", brokenHint)
}
