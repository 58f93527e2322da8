//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// mailTo is the envelope of one mail for carol, whose recipient gets that reply.
func (c *Client) mailTo(code int) []string {
	return []string{"250 MAIL FROM:<author@" + c.helo() + ">", fmt.Sprintf("%d RCPT TO:<%s>", code, account("carol")), "221 QUIT"}
}

// pregreet talks before the server has: once and no more, and once with a mail.
func pregreet(c *Client) error {
	for range 2 {
		conn, err := c.connect(portScreened)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "EHLO unknown[%s]\r\n", victim); err != nil {
			return err
		}
		s := newSession(conn)
		for line := ""; !strings.HasPrefix(line, "250 "); {
			if line, err = s.text.ReadLine(); err != nil {
				return err
			}
		}
		if err := s.run(c.mailTo(550)...); err != nil {
			return err
		}
		s.drop()
	}
	return nil
}

func screenedRefused(c *Client) error {
	for range 2 {
		if err := c.talk(portScreened, append([]string{"250 EHLO [" + victim + "]"}, c.mailTo(550)...)...); err != nil {
			return err
		}
	}
	return nil
}

// screenedNew is told to come again, and does.
func screenedNew(c *Client) error {
	if err := c.talk(portScreened, append([]string{"250 EHLO " + c.helo()}, c.mailTo(450)...)...); err != nil {
		return err
	}
	return screenedAllowed(c)
}

func screenedAllowed(c *Client) error {
	s, err := c.smtp(portScreened, c.helo())
	if err != nil {
		return err
	}
	if err := s.send("author@"+c.helo(), account("carol")); err != nil {
		return err
	}
	return s.quit()
}

func screenedPipelining(c *Client) error {
	return c.blurt(portScreened, true, untilClosed, "EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nQUIT\r\n")
}

func screenedHTTP(c *Client) error {
	for _, line := range []string{"GET / HTTP/1.1", "Host: unknown[" + victim + "]", "CONNECT [" + victim + "]:25"} {
		if err := c.blurt(portScreened, true, untilClosed, line+"\r\n\r\n"); err != nil {
			return err
		}
	}
	return nil
}

func screenedBareNewline(c *Client) error {
	return c.blurt(portScreened, true, untilClosed, "EHLO a\nQUIT\n")
}

// screenedHangup goes away during the tests, and after the greeting.
func screenedHangup(c *Client) error {
	conn, err := c.connect(portScreened)
	if err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	return c.talk(portScreened, "250 EHLO "+c.helo())
}

func screenedMany(c *Client) error {
	return c.blurt(portScreened, true, untilClosed, "EHLO a\r\n"+strings.Repeat("RSET\r\n", 20))
}

func screenedLong(c *Client) error {
	return c.blurt(portScreened, true, untilClosed, "EHLO "+strings.Repeat("a", 9000)+"\r\n")
}

func screenedSlow(c *Client) error { return c.blurt(portScreened, true, untilClosed, "") }

func screenedData(c *Client) error {
	s, err := c.smtp(portScreened, "a")
	if err != nil {
		return err
	}
	defer s.drop()
	return s.run("250 MAIL FROM:<a@b.example>", "554 DATA")
}

func screenedTLS(c *Client) error {
	script := []string{"250 EHLO " + c.helo(), "220 STARTTLS", "250 EHLO " + c.helo()}
	return c.talk(portScreened, append(script, c.mailTo(450)...)...)
}

func screenedTLSError(c *Client) error {
	s, err := c.smtp(portScreened, c.helo())
	if err != nil {
		return err
	}
	defer s.drop()
	if err := s.run("220 STARTTLS"); err != nil {
		return err
	}
	return s.babble()
}

// babble sends what is no TLS where the handshake belongs.
func (s *smtpSession) babble() error {
	if wrapped, ok := s.conn.(interface{ NetConn() net.Conn }); ok {
		s.conn = wrapped.NetConn()
	}
	if _, err := s.conn.Write([]byte("EHLO unknown[" + victim + "]\r\n")); err != nil {
		return err
	}
	_ = s.conn.SetDeadline(time.Now().Add(sessionTimeout))
	return skipLines(s.conn, untilClosed)
}
