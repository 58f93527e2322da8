//go:build e2e

package e2e

// forgeHelo: HELO names and senders that hold the victim's address in the forms
// that log readers look for, each with a refused relay.
func forgeHelo(c *Client) error {
	helos := []string{
		"[" + victim + "]",
		"unknown[" + victim + "]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
		"[IPv6:" + victimV6 + "]",
		"x> proto=ESMTP helo=<unknown[" + victimV6 + "]>",
		"from unknown[" + victim + "]: 554 5.7.1 <a@b.example>: Relay access denied; from=<> to=<>",
		"x, rip=" + victim + ", lip=192.0.2.25",
		"user=<x>, method=PLAIN, rip=" + victim + ",",
	}
	for _, helo := range helos {
		if err := c.relayOnce(helo, `"connect from unknown[`+victim+`]"@forged.example`, 1); err != nil {
			return err
		}
	}
	return nil
}

func forgedUsers() []string {
	return []string{
		"x, rip=" + victim + ", lip=",
		"x>, method=PLAIN, rip=" + victim + ", lip=192.0.2.25, session=<",
		"x," + victim + ",<abc>): unknown user",
		"unknown[" + victim + "]: SASL LOGIN authentication failed",
		"root@[" + victimV6 + "]",
		"x rhost=" + victim + " user=root",
	}
}

// forgeUser: login names of the same kind, on port 25.
func forgeUser(c *Client) error {
	for _, name := range forgedUsers() {
		s, err := c.smtp("25", "x")
		if err != nil {
			return err
		}
		if err := s.authPlain(535, name, "x"); err != nil {
			return err
		}
		if err := s.quit(); err != nil {
			return err
		}
	}
	return nil
}

// forgeUserIMAP: the same on IMAP and POP3. Not every attempt counts: a line that
// can be read in two ways accuses nobody.
func forgeUserIMAP(c *Client) error {
	for _, port := range []string{portIMAP, portPOP3} {
		for _, name := range forgedUsers() {
			if err := c.failOnce(port, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// failOnce: a connection with one wrong password.
func (c *Client) failOnce(port, user string) error {
	m, err := c.mailbox(port)
	if err != nil {
		return err
	}
	if err := m.login(false, user, "x"); err != nil {
		return err
	}
	return m.logout()
}
