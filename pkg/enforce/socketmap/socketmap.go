// Package socketmap is the door for postscreen: a socketmap server (Postfix's
// socketmap_table(5)) for postscreen_access_list. It ends a connection before the
// greeting. A question is a netstring "MAP ADDRESS", the answer one of "OK reject" and
// "NOTFOUND ". After any other answer postscreen ignores the rest of the list.
//
// It fails open when csmail is dead. If csmail hangs, port 25 goes down, because
// postscreen waits for it and its own watchdog ends it after ten seconds (measured with
// 3.7 and 3.10). So this door is opt-in, and with it the daemon has systemd kill a csmail
// that hangs in less (pkg/daemon/watchdog.go).
package socketmap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/enforce"
	"csmail/pkg/event"
)

// The bounds of a question. An address has 45 bytes.
const (
	maxQuestion = 1024
	idle        = 1100 * time.Second
	atWork      = 5 * time.Second
)

// Server answers postscreen.
type Server struct{ Gate *enforce.Gate }

// Serve answers on a listener until the context ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = enforce.Bounded(l, enforce.MaxConnections, func(n int) { s.Gate.Connected(enforce.Socketmap, n) })
	return enforce.Serve(ctx, l, s.converse)
}

func (s *Server) converse(c net.Conn) {
	r := bufio.NewReaderSize(c, maxQuestion+16)
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
		question, err := read(r)
		if err != nil {
			s.Gate.Failed(enforce.Socketmap)
			return
		}
		answer := s.answer(question)
		if _, err := fmt.Fprintf(c, "%d:%s,", len(answer), answer); err != nil {
			return
		}
	}
}

// answer answers for whole addresses only.
func (s *Server) answer(question string) string {
	_, key, _ := strings.Cut(question, " ")
	addr, ok := event.ParseAddr(key)
	if !ok {
		return "NOTFOUND "
	}
	if s.Gate.Ask(enforce.Query{Door: enforce.Socketmap, Addr: addr, Service: "postscreen"}).Action == enforce.Refuse {
		return "OK reject"
	}
	return "NOTFOUND " // postscreen has no temporary answer for a captcha
}

var errForm = errors.New("no netstring")

// read reads one netstring: "13:psc 192.0.2.1,".
func read(r *bufio.Reader) (string, error) {
	digits, err := r.ReadSlice(':')
	if err != nil || len(digits) > 6 {
		return "", errForm
	}
	n, err := strconv.Atoi(string(digits[:len(digits)-1]))
	if err != nil || n < 0 || n > maxQuestion {
		return "", errForm
	}
	text := make([]byte, n+1)
	if _, err := io.ReadFull(r, text); err != nil || text[n] != ',' {
		return "", errForm
	}
	return string(text[:n]), nil
}
