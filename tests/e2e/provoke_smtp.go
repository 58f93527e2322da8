//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// strict plays sessions on the strict port; each is a HELO, a sender, a
// recipient, and the reply that the recipient gets.
func (c *Client) strict(sessions ...[4]string) error {
	for _, s := range sessions {
		err := c.talk(portStrict, "250 EHLO "+s[0], "250 MAIL FROM:<"+s[1]+">", s[3]+" RCPT TO:<"+s[2]+">", "221 QUIT")
		if err != nil {
			return err
		}
	}
	return nil
}

func strictHelo(c *Client) error {
	sender, carol := "author@"+c.helo(), account("carol")
	return c.strict(
		[4]string{"bad_?name", sender, carol, "501"},
		[4]string{"localhost", sender, carol, "504"},
		[4]string{"[" + victim, sender, carol, "501"},
		[4]string{"ymlf.example", sender, carol, "554"},
		[4]string{"nowhere.example", sender, carol, "450"},
		[4]string{"nowhere.example", sender, carol, "450"},
	)
}

func strictSender(c *Client) error {
	return c.strict(
		[4]string{c.helo(), "a@nowhere.example", account("carol"), "450"},
		[4]string{c.helo(), "a@host", account("carol"), "504"},
		[4]string{c.helo(), "a@spam.example", account("carol"), "554"},
		[4]string{c.helo(), account("alice"), account("carol"), "553"},
		[4]string{c.helo(), "a@grey.example", account("carol"), "450"},
		[4]string{c.helo(), "a@warned.example", account("carol"), "450"},
		[4]string{c.helo(), `"x[` + victim + `]: 554"@nowhere.example`, account("carol"), "450"},
	)
}

func strictRecipient(c *Client) error {
	sender := "author@" + c.helo()
	return c.strict(
		[4]string{c.helo(), sender, account("nobody"), "550"},
		[4]string{c.helo(), sender, account("x" + victim), "550"},
		[4]string{c.helo(), sender, "carol@host", "554"},
		[4]string{c.helo(), sender, account("postmaster"), "550"},
		[4]string{c.helo(), sender, account("later"), "450"},
		[4]string{c.helo(), sender, account("held"), "550"},
		[4]string{c.helo(), sender, "someone@elsewhere.example", "554"},
	)
}

// strictClient is refused for its address, which the server tells at the recipient.
func strictClient(code int) func(*Client) error {
	return func(c *Client) error {
		one := [4]string{c.helo(), "author@" + c.helo(), account("carol"), fmt.Sprint(code)}
		return c.strict(one, one)
	}
}

func strictOwn(c *Client) error {
	if c.isV4() {
		return strictClient(554)(c)
	}
	for range 2 { // the server hangs up after a 521
		err := c.talk(portStrict, "250 EHLO "+c.helo(), "250 MAIL FROM:<author@"+c.helo()+">", "521 RCPT TO:<"+account("carol")+">")
		if err != nil {
			return err
		}
	}
	return nil
}

// syntax makes mistakes in every command.
func syntax(c *Client) error {
	err := c.talk(portStrict, "501 HELO", "250 EHLO "+c.helo(), "501 MAIL FROM:<<a@b.example>", "501 MAIL FROM: a b", "501 MAIL", "503 RCPT TO:<x>",
		"250 MAIL FROM:<>", "250 RCPT TO:<"+account("carol")+">", "250 RCPT TO:<"+account("alice")+">", "550 DATA", "501 RCPT TO:<\"unknown["+victim+"]\"@>",
		"252 VRFY "+account("carol"), "500 EXPN unknown["+victim+"]", "521 BDAT x["+victim+"]")
	if err != nil {
		return err
	}
	err = c.blurt(portStrict, true, untilClosed, "HELO "+c.helo()+"\r\nMAIL FROM:<author@"+c.helo()+">\r\nRCPT TO:<"+account("carol")+">\r\nDATA\r\nQUIT\r\n")
	if err != nil {
		return err
	}
	return c.blurt(portStrict, true, untilClosed, "EHLO "+strings.Repeat("b", 70000)+"\r\nQUIT\r\n")
}

// limits goes over each rate that the server allows.
func limits(c *Client) error {
	helo, carol := "250 EHLO "+c.helo(), account("carol")
	sender := "250 MAIL FROM:<author@" + c.helo() + ">"
	steps := []func() error{
		func() error { return c.talk(portLimits, helo, sender, "250 RSET", "450 "+sender[4:], "221 QUIT") },
		func() error { return c.talk(portLimits, helo, "450 "+sender[4:], "221 QUIT") },
		func() error {
			bad := "AUTH PLAIN " + b64("\x00"+carol+"\x00guess")
			return c.talk(portLimits, helo, "535 "+bad, "535 "+bad, "450 "+bad, "221 QUIT")
		},
	}
	for range 3 {
		steps = append(steps, func() error { return c.talk(portLimits, helo, "221 QUIT") })
	}
	steps = append(steps, func() error { return c.blurt(portLimits, false, untilClosed, "") })
	return each(steps...)
}

// refusedByFault brings a mail to a service with a fault of its own.
func refusedByFault(port string) func(*Client) error {
	return func(c *Client) error {
		for range 4 {
			if err := c.talk(port, append([]string{"250 EHLO " + c.helo()}, c.mailTo(451)...)...); err != nil {
				return err
			}
		}
		return nil
	}
}

func noAuthService(c *Client) error {
	for range 4 {
		err := c.talk(portNoAuth, "250 EHLO "+c.helo(), "454 AUTH PLAIN "+b64("\x00"+account("bob")+"\x00"+passwords["bob"]), "221 QUIT")
		if err != nil {
			return err
		}
	}
	return nil
}

func filtered(c *Client) error {
	helo := "250 EHLO " + c.helo()
	return each(
		func() error { return c.talk(portFiltered, helo, "550 MAIL FROM:<refused@"+c.helo()+">", "221 QUIT") },
		func() error { return c.talk(portFiltered, helo, "451 MAIL FROM:<delayed@"+c.helo()+">", "221 QUIT") },
		func() error {
			return c.talk(portFiltered, helo, "250 MAIL FROM:<author@"+c.helo()+">", "250 RCPT TO:<"+account("carol")+">", "354 DATA",
				"554 Subject: unknown["+victim+"]\r\n\r\nHello.\r\n.", "221 QUIT")
		},
	)
}

// impatient makes more errors than the server bears, and lets it wait.
func impatient(c *Client) error {
	unknown := func(code int, name string) string { return fmt.Sprintf("%d RCPT TO:<%s>", code, account(name)) }
	guess := "AUTH PLAIN " + b64("\x00"+account("carol")+"\x00guess")
	return each(
		func() error {
			return c.talk(portImpatient, "250 EHLO a", "250 MAIL FROM:<a@b.example>", unknown(550, "x"), unknown(550, "y"), unknown(550, "z"), "421 NOOP")
		},
		func() error {
			return c.talk(portImpatient, "250 EHLO a", "535 "+guess, "535 "+guess, "535 "+guess, "421 NOOP")
		},
		func() error { return c.talk(portImpatient, "250 EHLO a", "500 FOO", "500 BAR", "500 BAZ", "421 NOOP") },
		func() error { return c.blurt(portImpatient, true, untilClosed, "") },
		func() error { return c.blurt(portImpatient, true, untilClosed, "EHLO a\r\n") },
		func() error {
			return c.blurt(portImpatient, true, untilClosed, "EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<"+account("carol")+">\r\nDATA\r\n\r\nx\r\n")
		},
		func() error { return c.blurt(portImpatient, true, untilClosed, "EHLO a\r\nAUTH LOGIN\r\n") },
	)
}

// disorderly sends what the server only takes in turn, and what is no SMTP.
func disorderly(c *Client) error {
	carol := account("carol")
	for _, text := range []string{
		"HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<" + carol + ">\r\nQUIT\r\n",
		"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<" + carol + ">\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n",
		"GET /[" + victim + "] HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT " + victim + ":25 HTTP/1.0\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x5e\x00\r\nQUIT\r\n",
	} {
		if err := c.blurt(portOrderly, true, untilClosed, text); err != nil {
			return err
		}
	}
	s, err := c.smtp(portOrderly, c.helo())
	if err != nil {
		return err
	}
	defer s.drop()
	if err := s.run("250 MAIL FROM:<author@"+c.helo()+">", "250 RCPT TO:<"+carol+">", "354 DATA"); err != nil {
		return err
	}
	if _, err := s.conn.Write([]byte("Subject: x\r\n\r\nbare\nnewline\r\n.\r\nQUIT\r\n")); err != nil {
		return err
	}
	return skipLines(s.conn, untilClosed)
}

// forbiddenContent sends mails that the header and body checks refuse.
func forbiddenContent(c *Client) error {
	claim := " from unknown[" + victim + "]; from=<x@y.example> to=<z@example.org> proto=ESMTP helo=<[" + victimV6 + "]>"
	for _, mail := range []struct{ code, text string }{
		{"550", "Subject: a bargain" + claim + "\r\n\r\nHello.\r\n."},
		{"550", "Subject: x\r\n\r\nPlease wire the money" + claim + "\r\n."},
		{"250", "Subject: the lottery" + claim + "\r\n\r\nHello.\r\n."},
		{"250", "Subject: note this" + claim + "\r\n\r\nHello.\r\n."},
	} {
		err := c.talk("25", "250 EHLO "+c.helo(), "250 MAIL FROM:<author@"+c.helo()+">", "250 RCPT TO:<"+account("carol")+">", "354 DATA",
			mail.code+" "+mail.text, "221 QUIT")
		if err != nil {
			return err
		}
	}
	return nil
}

// noRoom meets a server whose disk could not hold a mail.
func noRoom(c *Client) error {
	for range 4 {
		err := c.talk(portNoRoom, "250 EHLO "+c.helo(), "452 MAIL FROM:<author@"+c.helo()+">", "221 QUIT")
		if err != nil {
			return err
		}
	}
	return nil
}

// twoAtOnce opens a second connection where one is allowed.
func twoAtOnce(c *Client) error {
	s, err := c.smtp(portPlaces, c.helo())
	if err != nil {
		return err
	}
	if err := c.blurt(portPlaces, false, untilClosed, ""); err != nil {
		return err
	}
	return s.quit()
}

// hangUp goes away after each command.
func hangUp(c *Client) error {
	script := []string{"250 EHLO " + c.helo(), "250 MAIL FROM:<author@" + c.helo() + ">", "250 RCPT TO:<" + account("carol") + ">", "354 DATA"}
	for i := range len(script) + 1 {
		if err := c.talk("25", script[:i]...); err != nil {
			return err
		}
	}
	for _, last := range []string{"334 AUTH LOGIN", "500 FOO", "220 STARTTLS", "250 RSET", "250 NOOP"} {
		if err := c.talk("25", script[0], last); err != nil {
			return err
		}
	}
	return nil
}
