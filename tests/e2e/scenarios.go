//go:build e2e

package e2e

import "fmt"

const (
	refusingV4 = "203.0.113.250"
	refusingV6 = "2001:db8:250::250"
)

// scenarios is who plays what. Who is listed as hostile does what overflows a
// scenario of the set balanced: six failed logins, or five accounts, or three
// sessions that try to relay.
func scenarios() []scenario {
	return []scenario{
		{"guess-smtp", "203.0.113.11", "2001:db8:11::11", true, unnamed, guessSMTP},
		{"guess-submission", "198.51.100.12", "2001:db8:12::12", true, dangling, guessSubmission},
		{"guess-imap", "203.0.113.13", "2001:db8:13::13", true, verified, guessIMAP},
		{"guess-pop3", "198.51.100.14", "2001:db8:14::14", true, unnamed, guessPOP3},
		{"relay", "203.0.113.15", "2001:db8:15::15", true, unnamed, relay},
		{"forge-helo", "198.51.100.16", "2001:db8:16::16", true, unnamed, forgeHelo},
		{"forge-user", "203.0.113.17", "2001:db8:17::17", true, posing, forgeUser},
		{"forge-user-imap", "198.51.100.18", "2001:db8:18::18", true, unnamed, forgeUserIMAP},
		{"nameless-relay", "203.0.113.19", "2001:db8:19::19", true, borrowed, namelessRelay},
		{"auth-without-tls", "198.51.100.20", "2001:db8:20::20", true, verified, authWithoutTLS},

		{"nameless-none", "203.0.113.31", "2001:db8:31::31", false, unnamed, refusedForName},
		{"nameless-dangling", "198.51.100.32", "2001:db8:32::32", false, dangling, refusedForName},
		{"nameless-borrowed", "203.0.113.33", "2001:db8:33::33", false, borrowed, refusedForName},
		{"nameless-broken", "198.51.100.34", "2001:db8:34::34", false, broken, refusedForName},
		{"nameless-stuck", "203.0.113.35", "2001:db8:35::35", false, stuck, refusedForName},

		{"reader", "203.0.113.51", "2001:db8:51::51", false, verified, readMail},
		{"reader-pop3", "198.51.100.52", "2001:db8:52::52", false, unnamed, popMail},
		{"submitter", "203.0.113.53", "2001:db8:53::53", false, unnamed, submitMail},
		{"mistyper", "198.51.100.54", "2001:db8:54::54", false, unnamed, mistypeIMAP},
		{"mistyper-submission", "203.0.113.55", "2001:db8:55::55", false, dangling, mistypeSubmission},
		{"good-mx", "198.51.100.56", "2001:db8:56::56", false, verified, deliver},
		{"typo-mx", "203.0.113.57", "2001:db8:57::57", false, verified, deliverWithTypo},
		{"phone", "198.51.100.58", "2001:db8:58::58", false, unnamed, forgotLogin},
		{"monitor", "203.0.113.59", "2001:db8:59::59", false, verified, monitor},
		{"web-probe", "198.51.100.60", "2001:db8:60::60", false, unnamed, probe},
		// An honest server that follows a wrong MX record looks like this.
		{"named-relay", "203.0.113.61", "2001:db8:61::61", false, verified, relay},
		{"refusing-mx", refusingV4, refusingV6, false, verified, refuseMail},
	}
}

func account(user string) string { return user + "@" + domain }

// guessSMTP: six wrong passwords on port 25, two a connection.
func guessSMTP(c *Client) error {
	for i, users := range [][2]string{{"admin", "info@example.org"}, {"test", account("alice")}, {"root", account("bob")}} {
		s, err := c.smtp("25", "ylmf-pc")
		if err != nil {
			return err
		}
		if err := s.authLogin(535, users[0], "123456"); err != nil {
			return err
		}
		if err := s.authPlain(535, users[1], "password"); err != nil {
			return err
		}
		if i == 1 { // some hang up without a word
			s.drop()
			continue
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return nil
}

// guessSubmission: six wrong passwords on port 587, under TLS.
func guessSubmission(c *Client) error {
	for i := range 3 {
		s, err := c.submission("localhost")
		if err != nil {
			return err
		}
		if err := s.authPlain(535, account("carol"), fmt.Sprintf("spring%d", i)); err != nil {
			return err
		}
		if err := s.authLogin(535, fmt.Sprintf("user%d@%s", i, domain), "letmein"); err != nil {
			return err
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) submission(helo string) (*smtpSession, error) {
	s, err := c.smtp("587", helo)
	if err != nil {
		return nil, err
	}
	if err := s.startTLS(helo); err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

func guessIMAP(c *Client) error { return c.guessMailbox(portIMAP, 3, 2) }

func guessPOP3(c *Client) error { return c.guessMailbox(portPOP3, 1, 3, 1) }

// guessMailbox tries wrong passwords, so many in each connection.
func (c *Client) guessMailbox(port string, perConnection ...int) error {
	users := []string{account("alice"), "webmaster", "info@example.org", account("bob"), "sales"}
	for _, tries := range perConnection {
		m, err := c.mailbox(port)
		if err != nil {
			return err
		}
		for i := range tries {
			if err := m.login(false, users[i], "qwerty"); err != nil {
				return err
			}
		}
		users = users[tries:]
		if err := m.logout(); err != nil {
			return err
		}
	}
	return nil
}

// relay: five foreign recipients in four sessions.
func relay(c *Client) error {
	for i, count := range []int{1, 2, 1, 1} {
		if err := c.relayOnce(c.helo(), fmt.Sprintf("offer%d@bulk.example", i), count); err != nil {
			return err
		}
	}
	return nil
}

// relayOnce: one session that is refused count foreign recipients.
func (c *Client) relayOnce(helo, sender string, count int) error {
	s, err := c.smtp("25", helo)
	if err != nil {
		return err
	}
	if err := s.command(250, "MAIL FROM:<%s>", sender); err != nil {
		return err
	}
	for i := range count {
		if err := s.command(554, "RCPT TO:<victim%d@elsewhere.example>", i); err != nil {
			return err
		}
	}
	return s.quit()
}

// namelessRelay is refused for its name first, then shows what it is.
func namelessRelay(c *Client) error {
	if err := c.refusedOnce(); err != nil {
		return err
	}
	return relay(c)
}

// refusedForName is what an honest host with bad DNS looks like: it comes again
// and again, as RFC 5321 tells it to.
func refusedForName(c *Client) error {
	for range 3 {
		if err := c.refusedOnce(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) refusedOnce() error {
	s, err := c.smtp("25", c.helo())
	if err != nil {
		return err
	}
	err = s.commands(smtpStep{250, "MAIL FROM:<news@" + c.helo() + ">"}, smtpStep{450, "RCPT TO:<" + account("alice") + ">"})
	if err != nil {
		return err
	}
	return s.quit()
}

// authWithoutTLS: the submission port refuses a login before TLS and says
// nothing of it but auth=0/N at the end of the session.
func authWithoutTLS(c *Client) error {
	for _, tries := range []int{2, 1, 2, 1} {
		s, err := c.smtp("587", "win-host")
		if err != nil {
			return err
		}
		for range tries {
			if err := s.authPlain(503, account("alice"), "monkey"); err != nil {
				return err
			}
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return nil
}
