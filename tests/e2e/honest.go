//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

func readMail(c *Client) error {
	for range 3 {
		if err := c.visit(portIMAP, "alice"); err != nil {
			return err
		}
	}
	return nil
}

func popMail(c *Client) error { return c.visit(portPOP3, "bob") }

// visit logs in after so many wrong passwords.
func (c *Client) visit(port, user string, wrong ...string) error {
	m, err := c.mailbox(port)
	if err != nil {
		return err
	}
	for _, password := range wrong {
		if err := m.login(false, account(user), password); err != nil {
			return err
		}
	}
	if err := m.login(true, account(user), passwords[user]); err != nil {
		return err
	}
	return m.logout()
}

// mistypeIMAP: one user, twice wrong, then right.
func mistypeIMAP(c *Client) error {
	return c.visit(portIMAP, "carol", "quiet-meadwo", "quiet-medow")
}

// mistypeSubmission: twice wrong, in a session each as mail programs do it, then right.
func mistypeSubmission(c *Client) error {
	for _, wrong := range []string{"copper-kettel", "coper-kettle"} {
		s, err := c.submission(c.helo())
		if err != nil {
			return err
		}
		if err := s.authPlain(535, account("bob"), wrong); err != nil {
			return err
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return c.submit("bob", "friend@elsewhere.example")
}

func (c *Client) submit(user, to string) error {
	s, err := c.submission(c.helo())
	if err != nil {
		return err
	}
	if err := s.authPlain(235, account(user), passwords[user]); err != nil {
		return err
	}
	if err := s.send(account(user), to); err != nil {
		return err
	}
	return s.quit()
}

// submitMail: also to a mail host that refuses it, which then stands in the log
// with its address beside words like rejected.
func submitMail(c *Client) error {
	refusing := "refusing-v6.example"
	if c.isV4() {
		refusing = "refusing-v4.example"
	}
	for i := range refusals {
		if err := c.submit("alice", fmt.Sprintf("person%d@%s", i, refusing)); err != nil {
			return err
		}
	}
	return c.submit("alice", "friend@elsewhere.example")
}

const refusals = 3 // mails that each refusing host gets

// refuseMail plays a mail host that refuses every recipient.
func refuseMail(c *Client) error {
	listener, err := c.ns.listen("tcp", net.JoinHostPort(c.Addr.String(), "25"))
	if err != nil {
		return err
	}
	defer listener.Close()
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(sessionTimeout))
	for range refusals {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		if err := refuseSession(conn); err != nil {
			return err
		}
	}
	return nil
}

func refuseSession(conn net.Conn) error {
	defer conn.Close()
	text := textproto.NewConn(conn)
	reply := "220 refusing.example ESMTP"
	for {
		if err := text.PrintfLine("%s", reply); err != nil {
			return err
		}
		line, err := text.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "RCPT":
			reply = "550 5.7.1 Service unavailable; Client host [" + serverV4 + "] rejected: authentication failed, rip=" + victim
		case "QUIT":
			return text.PrintfLine("221 2.0.0 Bye")
		case "DATA":
			reply = "554 5.5.1 No valid recipients"
		default:
			reply = "250 2.0.0 Ok"
		}
	}
}

// deliver: a mail host brings three mails.
func deliver(c *Client) error {
	for i := range 3 {
		s, err := c.smtp("25", c.helo())
		if err != nil {
			return err
		}
		if err := s.send(fmt.Sprintf("author%d@%s", i, c.helo()), account("carol")); err != nil {
			return err
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return nil
}

// deliverWithTypo: a mail for a user that does not exist, then a good one.
func deliverWithTypo(c *Client) error {
	s, err := c.smtp("25", c.helo())
	if err != nil {
		return err
	}
	err = s.commands(smtpStep{250, "MAIL FROM:<author@" + c.helo() + ">"}, smtpStep{550, "RCPT TO:<alcie@" + domain + ">"}, smtpStep{250, "RSET"})
	if err != nil {
		return err
	}
	if err := s.send("author@"+c.helo(), account("alice")); err != nil {
		return err
	}
	return s.quit()
}

// forgotLogin: a phone that was not told to log in tries one mail.
func forgotLogin(c *Client) error { return c.relayOnce("[192.168.1.20]", account("carol"), 1) }

// monitor: looks whether the ports answer, and no more.
func monitor(c *Client) error {
	for range 3 {
		s, err := c.smtp("25", "")
		if err != nil {
			return err
		}
		if err := s.quit(); err != nil {
			return err
		}
		m, err := c.mailbox(portIMAP)
		if err != nil {
			return err
		}
		if err := m.logout(); err != nil {
			return err
		}
	}
	return nil
}

// probe: one request in the wrong language.
func probe(c *Client) error {
	s, err := c.smtp("25", "")
	if err != nil {
		return err
	}
	defer s.drop()
	return s.command(221, "GET / HTTP/1.1")
}
