//go:build e2e

package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/textproto"
	"time"
)

const (
	dialTimeout    = 10 * time.Second
	sessionTimeout = 60 * time.Second
)

// smtpSession is one connection to the server's SMTP port. Each call says which
// reply it expects: a lab in which an attack was not refused proves nothing.
type smtpSession struct {
	conn net.Conn
	text *textproto.Conn
}

func (c *Client) smtp(port, helo string) (*smtpSession, error) {
	conn, err := c.connect(port)
	if err != nil {
		return nil, err
	}
	s := newSession(conn)
	if _, _, err := s.text.ReadResponse(220); err != nil {
		s.drop()
		return nil, fmt.Errorf("smtp greeting: %w", err)
	}
	if helo == "" {
		return s, nil
	}
	if err := s.command(250, "EHLO %s", helo); err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

func newSession(conn net.Conn) *smtpSession {
	return &smtpSession{conn: conn, text: textproto.NewConn(conn)}
}

func (s *smtpSession) command(code int, format string, args ...any) error {
	if err := s.text.PrintfLine(format, args...); err != nil {
		return fmt.Errorf("smtp %.20q: %w", format, err)
	}
	if _, _, err := s.text.ReadResponse(code); err != nil {
		return fmt.Errorf("smtp %.20q: %w", format, err)
	}
	return nil
}

// commands runs commands in order, each with the reply it must get.
func (s *smtpSession) commands(steps ...smtpStep) error {
	for _, step := range steps {
		if err := s.command(step.code, "%s", step.line); err != nil {
			return err
		}
	}
	return nil
}

type smtpStep struct {
	code int
	line string
}

func (s *smtpSession) startTLS(helo string) error {
	if err := s.command(220, "STARTTLS"); err != nil {
		return err
	}
	s.secure()
	return s.command(250, "EHLO %s", helo)
}

// secure begins TLS. The certificate is the lab's own, of this minute.
func (s *smtpSession) secure() {
	s.conn = tls.Client(s.conn, &tls.Config{InsecureSkipVerify: true})
	s.text = textproto.NewConn(s.conn)
}

func (s *smtpSession) authPlain(code int, user, password string) error {
	return s.command(code, "AUTH PLAIN %s", b64("\x00"+user+"\x00"+password))
}

func (s *smtpSession) authLogin(code int, user, password string) error {
	return s.commands(smtpStep{334, "AUTH LOGIN"}, smtpStep{334, b64(user)}, smtpStep{code, b64(password)})
}

// send delivers one small message.
func (s *smtpSession) send(from, to string) error {
	err := s.commands(smtpStep{250, "MAIL FROM:<" + from + ">"}, smtpStep{250, "RCPT TO:<" + to + ">"}, smtpStep{354, "DATA"})
	if err != nil {
		return err
	}
	return s.command(250, "From: <%s>\r\nTo: <%s>\r\nSubject: end to end\r\nMessage-ID: <%d.%s>\r\n\r\nHello.\r\n.", from, to, time.Now().UnixNano(), from)
}

func (s *smtpSession) quit() error {
	err := s.command(221, "QUIT")
	s.drop()
	return err
}

func (s *smtpSession) drop() { _ = s.conn.Close() }

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
