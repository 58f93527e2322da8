//go:build e2e

package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// run plays a script in the session: each line is the code of the reply that is
// expected, and the command. STARTTLS is followed by the handshake.
func (s *smtpSession) run(script ...string) error {
	for _, line := range script {
		digits, command, _ := strings.Cut(line, " ")
		code, err := strconv.Atoi(digits)
		if err != nil {
			return fmt.Errorf("script line %q: %w", line, err)
		}
		if err := s.command(code, "%s", command); err != nil {
			return fmt.Errorf("%.60s: %w", line, err)
		}
		if command == "STARTTLS" && code == 220 {
			s.secure()
		}
	}
	return nil
}

// talk plays a script in a session of its own, and hangs up after its last line.
func (c *Client) talk(port string, script ...string) error {
	s, err := c.smtp(port, "")
	if err != nil {
		return err
	}
	defer s.drop()
	return s.run(script...)
}

// each runs steps until one fails.
func each(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// blurt sends bytes that may break every rule, without or after the greeting,
// and reads until the server hangs up or has answered so many lines.
func (c *Client) blurt(port string, wait bool, lines int, text string) error {
	conn, err := c.connect(port)
	if err != nil {
		return err
	}
	defer conn.Close()
	for greeting := "220-"; wait && strings.HasPrefix(greeting, "220-"); {
		if greeting, err = readLine(conn); err != nil {
			return fmt.Errorf("greeting on port %s: %w", port, err)
		}
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return fmt.Errorf("port %s: %w", port, err)
	}
	return skipLines(conn, lines)
}

// readLine reads byte by byte, as nothing behind the line may be lost.
func readLine(conn net.Conn) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := conn.Read(b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}

// skipLines reads so many lines. The end of the connection, however it comes, is
// no error here.
func skipLines(conn net.Conn, lines int) error {
	for range lines {
		if _, err := readLine(conn); err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				return err
			}
			return nil
		}
	}
	return nil
}

const untilClosed = 1 << 20

// wrapped opens a session on a port where TLS comes first.
func (c *Client) wrapped(port, helo string) (*smtpSession, error) {
	conn, err := c.connect(port)
	if err != nil {
		return nil, err
	}
	s := newSession(tls.Client(conn, &tls.Config{InsecureSkipVerify: true}))
	if _, _, err := s.text.ReadResponse(220); err != nil {
		s.drop()
		return nil, fmt.Errorf("smtp greeting: %w", err)
	}
	return s, s.command(250, "EHLO %s", helo)
}
