// Package policyd is the door for Postfix: a policy service as in SMTPD_POLICY_README of
// Postfix (2.1 and later). A question consists of lines NAME=VALUE and an empty line; the
// answer is action=WORD and an empty line; a connection carries many. The answers come
// from a fixed table, because Postfix treats an unknown word as a server error and defers
// the client's mail.
//
// It reads no mail, keeps nothing of a question, and answers DUNNO to a question that it
// does not understand.
package policyd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/enforce"
	"csmail/pkg/event"
)

// The limits of a question. Postfix sends about thirty attributes; the longest hold
// client text, of which it takes 2,048 bytes a line (line_length_limit).
const (
	maxRequest = 64 << 10
	maxLine    = 16 << 10

	// idle is longer than Postfix keeps a connection that is not used
	// (smtpd_policy_service_max_idle 300 s, max_ttl 1000 s).
	idle = 1100 * time.Second

	// atWork is how long a question may take once it has begun.
	atWork = 10 * time.Second
)

// Code is the SMTP code of a refusal: 421 (come back later) or 521 (never).
type Code int

// The codes. Both end the session at once, so that no further command fails in it.
const (
	Later Code = 421
	Never Code = 521
)

// Server answers Postfix.
type Server struct {
	Gate *enforce.Gate

	// MX is the code for services that receive mail, Submission for those of users. On
	// port 25 the mail of an innocent client comes later with 421, and would be lost with
	// 521.
	MX, Submission Code
}

// Serve answers on a listener until the context ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = enforce.Bounded(l, enforce.MaxConnections, func(n int) { s.Gate.Connected(enforce.Policy, n) })
	return enforce.Serve(ctx, l, func(c net.Conn) { s.converse(c) })
}

// converse answers one connection's questions.
func (s *Server) converse(c net.Conn) {
	r := bufio.NewReaderSize(c, 4096)
	var q question
	var out []byte
	for {
		if c.SetReadDeadline(time.Now().Add(idle)) != nil {
			return
		}
		if _, err := r.Peek(1); err != nil {
			return
		}
		if c.SetDeadline(time.Now().Add(atWork)) != nil {
			return
		}
		if err := q.read(r); err != nil {
			if !errors.Is(err, io.EOF) {
				s.Gate.Failed(enforce.Policy)
			}
			return // Postfix takes its default_action
		}
		out = append(append(append(out[:0], "action="...), s.Answer(&q.Request)...), "\n\n"...)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// Request holds the attributes that csmail reads.
type Request struct {
	ClientAddress netip.Addr
	ClientPort    int    // 0 before Postfix 3.0
	Username      string // sasl_username
	Context       string // policy_context
	ServerPort    int
	PID           int // of the smtpd process, out of the attribute instance
}

// Answer returns the action for a question.
func (s *Server) Answer(r *Request) string {
	service, code := "smtp", s.MX
	if r.isSubmission() {
		service, code = "submission", s.Submission
	}
	v := s.Gate.Ask(enforce.Query{Door: enforce.Policy, Addr: r.ClientAddress, Port: r.ClientPort, Account: r.Username, Service: service, PID: r.PID})
	switch v.Action {
	case enforce.Refuse:
		return reply(code, v.Text)
	case enforce.Defer:
		return reply(Later, v.Text)
	}
	return "DUNNO"
}

func reply(c Code, text string) string {
	if c == Never {
		return "521 5.7.1 " + text
	}
	return "421 4.7.1 " + text
}

// isSubmission reports whether a user's mail program asks, by the context, by the port
// (3.2 and later), or because the client has logged in.
func (r *Request) isSubmission() bool {
	switch r.Context {
	case "submission", "submissions", "smtps":
		return true
	case "mx", "smtp":
		return false
	}
	return r.ServerPort == 465 || r.ServerPort == 587 || r.Username != ""
}

// question reads requests, one after the other.
type question struct {
	Request
	left int
}

var (
	errTooLong  = errors.New("the question is too long")
	errNoPolicy = errors.New("the question is none of a policy service")
)

// read reads one question and skips unknown attributes.
func (q *question) read(r *bufio.Reader) error {
	q.Request, q.left = Request{}, maxRequest
	known := false
	for first := true; ; first = false {
		line, err := q.line(r)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if !known {
				return errNoPolicy
			}
			return nil
		}
		name, value, ok := bytes.Cut(line, []byte("="))
		if !ok {
			return errNoPolicy
		}
		if first {
			// Postfix sends it first, and other programs would not.
			if string(name) != "request" || string(value) != "smtpd_access_policy" {
				return errNoPolicy
			}
			known = true
			continue
		}
		q.take(string(name), value)
	}
}

// line returns the next line without its end. It is valid until the next call.
func (q *question) line(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return q.longLine(r, line)
	}
	if err != nil {
		return nil, err
	}
	if q.left -= len(line); q.left < 0 {
		return nil, errTooLong
	}
	return trim(line), nil
}

func (q *question) longLine(r *bufio.Reader, begin []byte) ([]byte, error) {
	line := bytes.Clone(begin)
	for len(line) <= maxLine {
		more, err := r.ReadSlice('\n')
		line = append(line, more...)
		if err == nil && len(line) <= maxLine {
			if q.left -= len(line); q.left < 0 {
				return nil, errTooLong
			}
			return trim(line), nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
	return nil, errTooLong
}

func trim(line []byte) []byte { return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")) }

func (q *question) take(name string, value []byte) {
	switch name {
	case "client_address":
		q.ClientAddress, _ = event.ParseAddr(string(value)) // "unknown" is none
	case "client_port":
		q.ClientPort, _ = strconv.Atoi(string(value))
	case "sasl_username":
		q.Username = string(value)
	case "policy_context":
		q.Context = string(value)
	case "server_port":
		q.ServerPort, _ = strconv.Atoi(string(value)) // not there before 3.2
	case "instance":
		q.PID = pidOf(string(value))
	}
}

// pidOf reads the attribute instance, PID.SECONDS.MICROSECONDS.NUMBER in hexadecimal
// (smtpd_state.c, 2.6 and later).
func pidOf(instance string) int {
	text, _, ok := strings.Cut(instance, ".")
	if !ok {
		return 0
	}
	pid, err := strconv.ParseUint(text, 16, 31)
	if err != nil {
		return 0
	}
	return int(pid)
}
