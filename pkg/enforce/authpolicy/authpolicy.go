// Package authpolicy is the door for Dovecot: an auth policy server, as Dovecot 2.2.27
// and later ask one (src/auth/auth-policy.c, 2.3.19 and 2.4.4). Dovecot posts JSON over
// HTTP: command=allow before it checks a password, command=report after the login. This
// covers IMAP, POP3, ManageSieve, submission, and the logins of a Postfix that asks
// Dovecot.
//
// Reports are handed on as events, which need no log. The package never sees a password,
// and lets a client go on if it does not understand the question.
package authpolicy

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"csmail/pkg/enforce"
	"csmail/pkg/event"
)

// The bounds of a request. Dovecot's are some 300 bytes.
const (
	maxBody    = 32 << 10
	usualBody  = 1 << 10
	maxHeader  = 8 << 10
	maxText    = 512 // of one value
	readTime   = 5 * time.Second
	idleTime   = 2 * time.Minute
	headerName = "X-Csmail-Key"
)

// Report is how a login ended.
type Report struct {
	At       time.Time
	Addr     netip.Addr
	User     string
	Protocol string // imap, pop3, sieve, submission, smtp …
	Session  string
	Password event.PasswordMark // 0: not known
	Success  bool
	Policy   bool   // refused by a policy server, that is, by csmail
	FailType string // 2.4: credentials, account, disabled, expired, policy, internal
}

// Server answers Dovecot.
type Server struct {
	Gate *enforce.Gate
	Key  string // that X-Csmail-Key must hold; "": none

	// Report takes the reports; nil: reports are answered and forgotten. It must not wait.
	Report func(Report)

	// Tried takes the password of each login that is asked about; nil: they are
	// forgotten. It must not wait.
	Tried func(enforce.Try)

	Now func() time.Time // time.Now if nil

	buffers sync.Pool // *[usualBody]byte, for bodies
}

// Serve answers on a listener until the context ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = enforce.Bounded(l, enforce.MaxConnections, func(n int) { s.Gate.Connected(enforce.AuthPolicy, n) })
	web := &http.Server{
		Handler: s, ReadTimeout: readTime, WriteTimeout: readTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: discard(), BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if web.Shutdown(last) != nil {
			web.Close()
		}
	})
	defer stop()
	_ = web.Serve(l) // ends with the context
	return ctx.Err()
}

// request is the JSON that Dovecot posts, without fields that it does not send by
// default.
type request struct {
	Login        string `json:"login"`
	Remote       string `json:"remote"`
	Protocol     string `json:"protocol"`
	Session      string `json:"session_id"`
	PasswordHash string `json:"pwhash"`
	Mechanism    string `json:"mech"` // only if the administrator has Dovecot send it
	Success      bool   `json:"success"`
	PolicyReject bool   `json:"policy_reject"`
	FailType     string `json:"fail_type"`
}

// ServeHTTP answers one request. Every answer but a refusal lets the login go on; so
// does every error.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Key != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get(headerName)), []byte(s.Key)) != 1 {
		s.Gate.Failed(enforce.AuthPolicy)
		http.Error(w, "wrong key", http.StatusForbidden)
		return
	}
	q, err := s.readRequest(w, r)
	if err != nil || r.Method != http.MethodPost {
		s.Gate.Failed(enforce.AuthPolicy)
		http.Error(w, "not a request of Dovecot's", http.StatusBadRequest)
		return
	}
	q.bound()
	switch command(r) {
	case "allow":
		answer(w, s.allow(&q))
	case "report":
		s.report(&q)
		answer(w, enforce.Verdict{})
	default:
		s.Gate.Failed(enforce.AuthPolicy)
		http.Error(w, "unknown command", http.StatusBadRequest)
	}
}

// readRequest reads the body. One of the usual size and of a known length takes no memory
// of its own.
func (s *Server) readRequest(w http.ResponseWriter, r *http.Request) (q request, err error) {
	if r.ContentLength < 0 || r.ContentLength > usualBody {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return q, err
		}
		return q, json.Unmarshal(body, &q)
	}
	buffer, ok := s.buffers.Get().(*[usualBody]byte)
	if !ok {
		buffer = new([usualBody]byte)
	}
	defer s.buffers.Put(buffer)
	body := buffer[:r.ContentLength]
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return q, err
	}
	return q, json.Unmarshal(body, &q)
}

// command returns what Dovecot asks, which sends no other parameter.
func command(r *http.Request) string {
	if name, ok := strings.CutPrefix(r.URL.RawQuery, "command="); ok && (name == "allow" || name == "report") {
		return name
	}
	return r.URL.Query().Get("command")
}

// bound shortens the fields that a client can make long.
func (q *request) bound() {
	for _, text := range []*string{&q.Login, &q.Remote, &q.Protocol, &q.Session, &q.PasswordHash, &q.Mechanism, &q.FailType} {
		if len(*text) > maxText {
			*text = (*text)[:maxText]
		}
	}
}

func (s *Server) allow(q *request) enforce.Verdict {
	addr, _ := event.ParseAddr(q.Remote)
	if s.Tried != nil {
		s.Tried(enforce.Try{At: s.now(), Addr: addr, Account: q.Login, Session: q.Session, Password: q.mark()})
	}
	return s.Gate.Ask(enforce.Query{
		Door: enforce.AuthPolicy, Addr: addr, Account: q.Login, Service: q.Protocol, Session: q.Session,
	})
}

// answer writes {"status": N, "msg": TEXT}. The status must be a number: Dovecot takes
// "-1" for a malformed answer, and lets the login go on.
func answer(w http.ResponseWriter, v enforce.Verdict) {
	w.Header().Set("Content-Type", "application/json")
	if v.Action == enforce.Pass {
		_, _ = io.WriteString(w, `{"status":0,"msg":""}`) // a client that is gone needs none
		return
	}
	_, _ = io.WriteString(w, `{"status":-1,"msg":`+strconv.Quote(v.Text)+`}`)
}

func (s *Server) report(q *request) {
	addr, ok := event.ParseAddr(q.Remote)
	if s.Report == nil || !ok {
		return
	}
	s.Report(Report{
		At: s.now(), Addr: addr, User: q.Login, Protocol: q.Protocol, Session: q.Session, Password: q.mark(),
		Success: q.Success, Policy: q.PolicyReject || q.FailType == "policy", FailType: q.FailType,
	})
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}
