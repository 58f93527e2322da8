//go:build e2e

package install

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// guessIMAP tries wrong passwords for a user, each in a session of its own and all
// at the same time: Dovecot's penalty, which is on, slows down who does one after
// the other.
func (o *outside) guessIMAP(t *testing.T, from, user string, times int) {
	t.Helper()
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			if accepted, err := o.loginIMAP(t, from, user, fmt.Sprintf("wrong%d", i)); err != nil || accepted {
				t.Errorf("login %d of %s as %s: accepted %v, %v", i+1, from, user, accepted, err)
			}
		})
	}
	group.Wait()
}

// loginIMAP logs in once, and out again.
func (o *outside) loginIMAP(t *testing.T, from, user, password string) (accepted bool, err error) {
	t.Helper()
	conn, err := o.dial(t, from, "143")
	if err != nil {
		return false, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := in.ReadString('\n'); err != nil {
		return false, fmt.Errorf("greeting: %w", err)
	}
	auth := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	secure, in, err := startTLS(conn, in)
	if err != nil {
		return false, err
	}
	if _, err := fmt.Fprintf(secure, "a AUTHENTICATE PLAIN %s\r\n", auth); err != nil {
		return false, err
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false, fmt.Errorf("answer: %w", err)
		}
		if strings.HasPrefix(line, "a ") {
			_, _ = fmt.Fprint(secure, "b LOGOUT\r\n") // the answer is known already
			return strings.HasPrefix(line, "a OK"), nil
		}
	}
}

// guessSMTP tries wrong passwords over port 25, two at a time and those one after
// the other. It goes on when Postfix hangs up or gives up on Dovecot.
func (o *outside) guessSMTP(t *testing.T, from, user string, rounds int) {
	t.Helper()
	for round := range rounds {
		var group sync.WaitGroup
		for i := range 2 {
			group.Go(func() {
				password := fmt.Sprintf("wrong%d.%d", round, i)
				err := o.loginSMTP(t, from, user, password)
				if errors.Is(err, errNoAuth) {
					err = o.loginSMTP(t, from, user, password)
				}
				if err != nil {
					t.Errorf("guess %d of %s: %v", 2*round+i+1, from, err)
				}
			})
		}
		group.Wait()
	}
}

// errNoAuth says that smtpd offers no login. One that was started before Dovecot was
// restarted does so for the one client that it still takes.
var errNoAuth = errors.New("smtpd offers no login")

// loginSMTP tries one wrong password.
func (o *outside) loginSMTP(t *testing.T, from, user, password string) error {
	t.Helper()
	conn, err := o.dial(t, from, "25")
	if err != nil {
		return err
	}
	text := textproto.NewConn(conn)
	defer text.Close()
	for _, step := range []struct {
		line string
		code int
	}{{"", 220}, {"EHLO bot.example", 250}} {
		if step.line != "" {
			_ = text.PrintfLine("%s", step.line) // a failure shows in the answer
		}
		if _, _, err := text.ReadResponse(step.code); err != nil {
			return err
		}
	}
	_ = text.PrintfLine("AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)))
	switch code, message, _ := text.ReadResponse(0); {
	case code == 503:
		return fmt.Errorf("answered %d %s, want a refusal: %w", code, message, errNoAuth)
	case code/100 == 2:
		return fmt.Errorf("answered %d %s, want a refusal", code, message)
	}
	return nil
}
