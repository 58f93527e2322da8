//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
)

// mailbox is one connection to the server's IMAP or POP3 port.
type mailbox struct {
	conn net.Conn
	text *textproto.Conn
	port string
}

const (
	portIMAP = "143"
	portPOP3 = "110"
)

func (c *Client) mailbox(port string) (*mailbox, error) {
	conn, err := c.connect(port)
	if err != nil {
		return nil, err
	}
	m := &mailbox{conn: conn, text: textproto.NewConn(conn), port: port}
	if _, err := m.text.ReadLine(); err != nil {
		m.drop()
		return nil, fmt.Errorf("greeting on port %s: %w", port, err)
	}
	return m, nil
}

// login tries once, and says so if the answer is not the expected one.
func (m *mailbox) login(want bool, user, password string) error {
	ok, err := m.tryLogin(user, password)
	if err != nil {
		return err
	}
	if ok != want {
		return fmt.Errorf("login as %q: accepted %v, expected %v", user, ok, want)
	}
	return nil
}

func (m *mailbox) tryLogin(user, password string) (bool, error) {
	if m.port == portPOP3 {
		if ok, err := m.ask("+OK", "USER %s", user); !ok || err != nil {
			return false, err
		}
		return m.ask("+OK", "PASS %s", password)
	}
	return m.ask("a OK", "a LOGIN %s %s", quoted(user), quoted(password))
}

// ask sends one command and reads up to its final answer.
func (m *mailbox) ask(good, format string, args ...any) (bool, error) {
	if err := m.text.PrintfLine(format, args...); err != nil {
		return false, fmt.Errorf("port %s: %w", m.port, err)
	}
	for {
		line, err := m.text.ReadLine()
		if err != nil {
			return false, fmt.Errorf("port %s: %w", m.port, err)
		}
		if !strings.HasPrefix(line, "* ") {
			return strings.HasPrefix(line, good), nil
		}
	}
}

func (m *mailbox) logout() error {
	defer m.drop()
	command, good := "a LOGOUT", "a OK"
	if m.port == portPOP3 {
		command, good = "QUIT", "+OK"
	}
	ok, err := m.ask(good, "%s", command)
	if err == nil && !ok {
		err = fmt.Errorf("port %s: logout refused", m.port)
	}
	return err
}

func (m *mailbox) drop() { _ = m.conn.Close() }

// quoted is an IMAP quoted string.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
