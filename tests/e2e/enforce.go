//go:build e2e

package e2e

import (
	"fmt"
	"net/textproto"
	"strings"
	"time"
)

// enforceMainCf has Postfix ask csmail where mail comes in, as docs/enforcement.md shows it.
const enforceMainCf = `
smtpd_client_restrictions =
    permit_mynetworks,
    check_policy_service { inet:127.0.0.1:10040, timeout=2s, try_limit=1, default_action=DUNNO, policy_context=mx }
`

// enforceSubmission replaces the submission service of masterCf: refused before AUTH.
const enforceSubmission = `submission inet  n - n -    -   smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_auth_only=yes
  -o smtpd_delay_reject=no
  -o smtpd_helo_restrictions=
  -o { smtpd_client_restrictions = permit_mynetworks, check_policy_service { unix:csmail/policy.sock, timeout=2s, try_limit=1, default_action=DUNNO, policy_context=submission } }
  -o smtpd_relay_restrictions=permit_mynetworks,permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=
`

// The ports of the doors that stand for port 25 of other hosts: postscreen with csmail's
// socketmap, and a smtpd that asks csmail's block list by the lab's resolver. A smtpd
// process keeps a list's answer for as long as it lives, so each of these serves one client:
// else one that found csmail dead would let a client in after the restart, too.
const (
	portPostscreen = "2525"
	portBlockList  = "2526"
	blockListZone  = "bl.csmail.internal"
)

const enforceScreens = portPostscreen + ` inet n - n - 1 postscreen
  -o postscreen_access_list=permit_mynetworks,socketmap:inet:127.0.0.1:10041:psc
  -o postscreen_denylist_action=drop
  -o postscreen_greet_wait=1s
smtpd      pass  - - n -    -   smtpd
  -o smtpd_client_restrictions=
dnsblog    unix  - - n -    0   dnsblog
tlsproxy   unix  - - n -    0   tlsproxy
` + portBlockList + ` inet n - n - - smtpd
  -o max_use=1
  -o { smtpd_client_restrictions = permit_mynetworks, reject_rbl_client ` + blockListZone + `=127.0.0.2 }
`

// enforceMasterCf is masterCf with those services.
func enforceMasterCf() string {
	before, rest, _ := strings.Cut(masterCf, "submission inet")
	_, after, _ := strings.Cut(rest, "pickup ")
	return before + enforceSubmission + enforceScreens + "pickup " + after
}

// enforceDovecot23 and enforceDovecot24 have Dovecot ask csmail.
const enforceDovecot23 = `
auth_policy_server_url = http://127.0.0.1:10043/
auth_policy_hash_nonce = e2e
auth_policy_server_timeout_msecs = 500
auth_policy_check_after_auth = no
auth_policy_report_after_auth = no
auth_policy_request_attributes = login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} local=%{lip} device_id=%{client_id} protocol=%s session_id=%{session} mech=%{mech}
`

const enforceDovecot24 = `
auth_policy_server_url = http://127.0.0.1:10043/
auth_policy_hash_nonce = e2e
auth_policy_check_after_auth = no
auth_policy_report_after_auth = no
auth_policy {
  http_client_request_absolute_timeout = 500ms
  http_client_max_parallel_connections = 1
  request_attributes {
    mech = %{mechanism}
  }
}
`

// outcome is what became of one try at a door.
type outcome struct {
	refused bool
	text    string // of the refusal
	took    time.Duration
}

// A try comes to a door as a client that does nothing wrong.
type try func(c *Client, user string) (outcome, error)

// tries are the doors, by the way that leads through them.
var tries = map[string]try{
	"mail on 25":  tryMailAt("25"),
	"postscreen":  tryMailAt(portPostscreen),
	"block list":  tryMailAt(portBlockList),
	"login on 25": tryLoginAt25,
	"submission":  trySubmission,
	"imap":        func(c *Client, user string) (outcome, error) { return tryBox(c, portIMAP, user) },
	"pop3":        func(c *Client, user string) (outcome, error) { return tryBox(c, portPOP3, user) },
}

func timed(f func() (outcome, error)) (outcome, error) {
	began := time.Now()
	o, err := f()
	o.took = time.Since(began)
	return o, err
}

// refusal reads an answer that is no error: a reply below 400 is none.
func refusal(err error) (outcome, error) {
	if reply, ok := err.(*textproto.Error); ok && reply.Code >= 400 {
		return outcome{refused: true, text: fmt.Sprint(reply.Code, " ", reply.Msg)}, nil
	}
	return outcome{}, err
}

// tryMailAt brings a mail as far as its recipient.
func tryMailAt(port string) try {
	return func(c *Client, _ string) (outcome, error) { return tryMail(c, port) }
}

func tryMail(c *Client, port string) (outcome, error) {
	return timed(func() (outcome, error) {
		conn, err := c.connect(port)
		if err != nil {
			return outcome{}, err
		}
		s := newSession(conn)
		defer s.drop()
		for _, step := range []smtpStep{{220, ""}, {250, "EHLO " + c.helo()}, {250, "MAIL FROM:<a@" + c.helo() + ">"}, {250, "RCPT TO:<" + account("alice") + ">"}} {
			if step.line != "" {
				if err := s.text.PrintfLine("%s", step.line); err != nil {
					return outcome{}, err
				}
			}
			if _, _, err := s.text.ReadResponse(step.code); err != nil {
				return refusal(err)
			}
		}
		return outcome{}, s.command(221, "QUIT")
	})
}

// tryLoginAt25 logs in where mail comes in: Postfix asks Dovecot, which asks csmail.
func tryLoginAt25(c *Client, user string) (outcome, error) {
	return timed(func() (outcome, error) {
		s, err := c.smtp("25", c.helo())
		if err != nil {
			return outcome{}, err
		}
		defer s.drop()
		if err := s.text.PrintfLine("AUTH PLAIN %s", b64("\x00"+account(user)+"\x00"+passwords[user])); err != nil {
			return outcome{}, err
		}
		if _, _, err := s.text.ReadResponse(235); err != nil {
			return refusal(err)
		}
		return outcome{}, s.command(221, "QUIT")
	})
}

func trySubmission(c *Client, user string) (outcome, error) {
	return timed(func() (outcome, error) {
		conn, err := c.connect("587")
		if err != nil {
			return outcome{}, err
		}
		s := newSession(conn)
		defer s.drop()
		if _, _, err := s.text.ReadResponse(220); err != nil {
			return refusal(err)
		}
		if err := s.command(250, "EHLO %s", c.helo()); err != nil {
			return outcome{}, err
		}
		if err := s.startTLS(c.helo()); err != nil {
			return outcome{}, err
		}
		if err := s.text.PrintfLine("AUTH PLAIN %s", b64("\x00"+account(user)+"\x00"+passwords[user])); err != nil {
			return outcome{}, err
		}
		if _, _, err := s.text.ReadResponse(235); err != nil {
			return refusal(err)
		}
		return outcome{}, s.command(221, "QUIT")
	})
}

func tryBox(c *Client, port, user string) (outcome, error) {
	return timed(func() (outcome, error) {
		m, err := c.mailbox(port)
		if err != nil {
			return outcome{}, err
		}
		defer m.drop()
		lines := []string{fmt.Sprintf("a LOGIN %s %s", quoted(account(user)), quoted(passwords[user]))}
		good := "a OK"
		if port == portPOP3 {
			lines, good = []string{"USER " + account(user), "PASS " + passwords[user]}, "+OK"
		}
		for _, line := range lines {
			if err := m.text.PrintfLine("%s", line); err != nil {
				return outcome{}, err
			}
			for {
				answer, err := m.text.ReadLine()
				if err != nil {
					return outcome{}, err
				}
				if strings.HasPrefix(answer, "* ") {
					continue
				}
				if !strings.HasPrefix(answer, good) {
					return outcome{refused: true, text: answer}, nil
				}
				break
			}
		}
		return outcome{}, m.logout()
	})
}
