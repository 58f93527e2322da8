//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// mechanisms tries every way to log in on port 25 that fails.
func mechanisms(c *Client) error {
	helo := "250 EHLO a"
	for _, script := range [][]string{
		{"334 AUTH CRAM-MD5", "535 " + b64("alice@example.org 0123456789abcdef0123456789abcdef")},
		{"334 AUTH SCRAM-SHA-256", "334 " + b64("n,,n=bob@example.org,r=abcdefgh"), "535 " + b64("c=biws,r=abcdefgh,p=AAAA")},
		{"535 AUTH x[" + victim + "]:"},
		{"535 AUTH GSSAPI"},
		{"334 AUTH LOGIN", "501 *"},
		{"334 AUTH LOGIN", "334 " + b64("bob"), "501 *"},
		{"334 AUTH PLAIN", "501 *"},
		{"535 AUTH PLAIN !!!"},
		{"334 AUTH LOGIN", "535 ???"},
		{"535 AUTH PLAIN " + b64("\x00\x00x")},
		{"535 AUTH PLAIN " + b64("\x00x from unknown["+victim+"]: , sasl_username=y\x00x")},
		{"501 AUTH"},
	} {
		if err := c.talk("25", append(append([]string{helo}, script...), "221 QUIT")...); err != nil {
			return err
		}
	}
	return c.talk("25", helo, "334 AUTH LOGIN", "334 "+b64("bob"))
}

// brokenAccounts belong to domains whose password server is down; for one of them
// Dovecot then looks into its own accounts, in vain.
func brokenAccounts(c *Client) error {
	for _, user := range []string{"tess@broken.example", "tess@elsewhere.example"} {
		for _, port := range []string{portIMAP, portPOP3} {
			m, err := c.mailbox(port)
			if err != nil {
				return err
			}
			if err := m.login(false, user, "right"); err != nil {
				return err
			}
			if err := m.logout(); err != nil {
				return err
			}
		}
		err := c.talk("25", "250 EHLO "+c.helo(), "535 AUTH PLAIN "+b64("\x00"+user+"\x00right"), "221 QUIT")
		if err != nil {
			return err
		}
	}
	return nil
}

func guessPAM(c *Client) error {
	for _, user := range []string{"tess@pam.example", "root@pam.example", "x@pam.example"} {
		m, err := c.mailbox(portIMAP)
		if err != nil {
			return err
		}
		if err := m.login(false, user, "guess"); err != nil {
			return err
		}
		if err := m.logout(); err != nil {
			return err
		}
	}
	return nil
}

// plaintextRefused may not log in without TLS.
func plaintextRefused(c *Client) error {
	for _, port := range []string{portIMAP, portPOP3} {
		m, err := c.mailbox(port)
		if err != nil {
			return err
		}
		if port == portIMAP {
			err = m.login(false, account("alice"), passwords["alice"])
		} else {
			_, err = m.ask("+OK", "USER %s", account("alice"))
		}
		if err != nil {
			return err
		}
		if err := m.logout(); err != nil {
			return err
		}
	}
	return nil
}

// probeMailbox is all that can be done on a mailbox port but log in.
func probeMailbox(c *Client) error {
	for _, text := range []string{
		"",
		"a LOGOUT\r\n",
		"a STARTTLS\r\nunknown[" + victim + "]\r\n\r\n",
		"a AUTHENTICATE PLAIN\r\n*\r\na LOGOUT\r\n",
		"a AUTHENTICATE PLAIN\r\n!!!\r\na LOGOUT\r\n",
		"a AUTHENTICATE X[" + victim + "]\r\na LOGOUT\r\n",
		"GET / HTTP/1.1\r\nHost: " + victim + "\r\n" + strings.Repeat("x y\r\n", 30),
	} {
		lines := untilClosed
		if text == "" {
			lines = 0
		}
		if err := c.blurt(portIMAP, true, lines, text); err != nil {
			return err
		}
	}
	err := each(
		func() error { return c.blurt(portIMAP, true, 1, "a AUTHENTICATE PLAIN\r\n") },
		func() error { return c.blurt(portIMAP, true, 0, "a LOGIN "+account("alice")+" x\r\n") },
		func() error { return c.blurt(portPOP3, true, untilClosed, "GET / HTTP/1.1\r\n\r\nQUIT\r\n") },
		func() error { return c.blurt(portPOP3, true, 1, "USER "+account("alice")+"\r\n") },
		func() error { return c.blurt(portIMAPS, false, untilClosed, "a LOGIN x y\r\n") },
		func() error { return c.oldTLS(portIMAPS) },
	)
	if err != nil {
		return err
	}
	// APOP and mechanisms of more than one step.
	return c.blurt(portIMAP, true, untilClosed, "a AUTHENTICATE CRAM-MD5\r\n"+b64("alice@example.org 00112233445566778899aabbccddeeff")+"\r\na LOGOUT\r\n")
}

// oldTLS knows only versions that no server has taken for years.
func (c *Client) oldTLS(port string) error {
	conn, err := c.connect(port)
	if err != nil {
		return err
	}
	defer conn.Close()
	old := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
	if err := old.Handshake(); err == nil {
		return fmt.Errorf("port %s took TLS 1.0", port)
	}
	return nil
}

// otherLogins guesses on the ports of managesieve and of Dovecot's submission
// service, and then logs in there.
func otherLogins(c *Client) error {
	guess := b64("\x00" + account("alice") + "\x00guess")
	right := b64("\x00" + account("alice") + "\x00" + passwords["alice"])
	for _, secret := range []string{guess, guess, right} {
		if err := c.sieve(fmt.Sprintf("AUTHENTICATE \"PLAIN\" %q\r\nLOGOUT\r\n", secret)); err != nil {
			return err
		}
	}
	for _, script := range [][]string{{"535 AUTH PLAIN " + guess}, {"535 AUTH PLAIN " + guess}, {"500 FOO"}} {
		if err := c.talk(portSubmission, append(append([]string{"250 EHLO a"}, script...), "221 QUIT")...); err != nil {
			return err
		}
	}
	return nil
}

// sieve sends a session as a whole: what the server greets with has any number of lines.
func (c *Client) sieve(text string) error {
	conn, err := c.connect(portSieve)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	return skipLines(conn, untilClosed)
}

// badTLS fails in the handshake in every way, then guesses under TLS.
func badTLS(c *Client) error {
	err := each(
		func() error { return c.babbleTLS("25") },
		func() error { return c.babbleTLS("587") },
		func() error { return c.blurt(portSMTPS, false, untilClosed, "EHLO unknown["+victim+"]\r\n") },
		func() error { return c.oldTLS(portSMTPS) },
		func() error { return c.blurt(portSMTPS, false, 0, "") },
		func() error { return c.freshTLS(true) },
		func() error { return c.freshTLS(false) },
	)
	if err != nil {
		return err
	}
	for _, password := range []string{"guess", "guess2", passwords["bob"]} {
		s, err := c.wrapped(portSMTPS, c.helo())
		if err != nil {
			return err
		}
		if password != passwords["bob"] {
			err = s.authPlain(535, account("bob"), password)
		} else if err = s.authPlain(235, account("bob"), password); err == nil {
			err = s.send(account("bob"), "friend@elsewhere.example")
		}
		if err != nil {
			return err
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) babbleTLS(port string) error {
	s, err := c.smtp(port, c.helo())
	if err != nil {
		return err
	}
	defer s.drop()
	if err := s.command(220, "STARTTLS"); err != nil {
		return err
	}
	return s.babble()
}

// freshTLS asks for one new TLS session. One too many is refused under TLS, when
// the server has counted it.
func (c *Client) freshTLS(want bool) error {
	s, err := c.smtp(portTLSLimits, c.helo())
	if err != nil {
		return err
	}
	defer s.drop()
	if err := s.startTLS(c.helo()); want != (err == nil) {
		return fmt.Errorf("a new TLS session: %v, expected success %v", err, want)
	}
	return nil
}
