package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"syscall"
	"time"
)

// smtpTimeout bounds a session: postscreen greets after six seconds, smtpd waits two
// seconds for a policy service that hangs.
const smtpTimeout = 25 * time.Second

// Session holds the replies of an SMTP server to a client that wanted to send a mail.
type Session struct {
	Stage string // in answer to what: CONNECT, EHLO, MAIL, RCPT
	Reply string // the reply that ended it, or the last one
	Ended bool   // the server refused
}

// SMTP comes to an SMTP server as a client that wants to send a mail, as far as RCPT. It
// comes from an address of this host, with a port that it chose: ready is called with
// both before it connects. TLS is spoken from the first byte where wrapped is true, and
// by STARTTLS where the server asks for it.
func SMTP(ctx context.Context, from netip.Addr, to netip.AddrPort, wrapped bool, ready func(netip.AddrPort) error) (Session, error) {
	ctx, cancel := context.WithTimeout(ctx, smtpTimeout)
	defer cancel()
	c, err := connect(ctx, from, to, ready)
	if err != nil {
		return Session{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(smtpTimeout)); err != nil {
		return Session{}, err
	}
	s := &smtpClient{raw: c}
	if wrapped {
		s.raw = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the server is this host
	}
	s.text = textproto.NewConn(s.raw)
	return s.talk()
}

// connect opens the connection from a port that nobody uses.
func connect(ctx context.Context, from netip.Addr, to netip.AddrPort, ready func(netip.AddrPort) error) (net.Conn, error) {
	const tries = 10
	var err error
	for range tries {
		local := netip.AddrPortFrom(from, uint16(20_000+rand.IntN(12_000))) // below the ports that Linux gives out
		if err := ready(local); err != nil {
			return nil, err
		}
		var c net.Conn
		c, err = (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local)}).DialContext(ctx, "tcp", to.String())
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

type smtpClient struct {
	raw  net.Conn
	text *textproto.Conn
}

// talk says what a client says until the server refuses.
func (s *smtpClient) talk() (Session, error) {
	last, err := s.step("CONNECT", "")
	for _, step := range []struct{ stage, line string }{
		{"EHLO", "EHLO csmail-test.invalid"}, {"MAIL", "MAIL FROM:<>"}, {"RCPT", "RCPT TO:<csmail-test@csmail-test.invalid>"},
	} {
		if err != nil || last.Ended {
			return last, err
		}
		last, err = s.step(step.stage, step.line)
		if err == nil && last.Ended && strings.HasPrefix(last.Reply, "530") && strings.Contains(last.Reply, "STARTTLS") {
			if err = s.startTLS(); err == nil {
				last, err = s.step(step.stage, step.line)
			}
		}
	}
	if err == nil && !last.Ended {
		_ = s.text.PrintfLine("QUIT") // the mail that was begun ends with it
	}
	return last, err
}

// step sends a line and reads the reply to it.
func (s *smtpClient) step(stage, line string) (Session, error) {
	if line != "" {
		if err := s.text.PrintfLine("%s", line); err != nil {
			return Session{Stage: stage}, err
		}
	}
	code, text, err := s.text.ReadResponse(0)
	if err != nil && code == 0 {
		return Session{Stage: stage}, err
	}
	first, _, _ := strings.Cut(text, "\n")
	return Session{Stage: stage, Reply: fmt.Sprintf("%d %s", code, first), Ended: code >= 400}, nil
}

func (s *smtpClient) startTLS() error {
	if got, err := s.step("STARTTLS", "STARTTLS"); err != nil || got.Ended {
		return errors.Join(err, fmt.Errorf("STARTTLS: %q", got.Reply))
	}
	s.raw = tls.Client(s.raw, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the server is this host
	s.text = textproto.NewConn(s.raw)
	_, err := s.step("EHLO", "EHLO csmail-test.invalid")
	return err
}
