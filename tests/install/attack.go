//go:build e2e

package install

import (
	"bufio"
	"encoding/base64"
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

// guessSMTP tries wrong passwords over port 25, one after the other, as a bot
// does. It goes on when Postfix hangs up or gives up on Dovecot.
func (o *outside) guessSMTP(t *testing.T, from, user string, times int) {
	t.Helper()
	for i := range times {
		conn, err := o.dial(t, from, "25")
		if err != nil {
			t.Errorf("guess %d of %s: %v", i+1, from, err)
			return
		}
		text := textproto.NewConn(conn)
		_, _, _ = text.ReadResponse(220)
		_ = text.PrintfLine("EHLO bot.example")
		_, _, _ = text.ReadResponse(250)
		_ = text.PrintfLine("AUTH PLAIN %s", base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x00%s\x00wrong%d", user, i)))
		if code, _, err := text.ReadResponse(0); code/100 == 2 {
			t.Errorf("guess %d of %s is accepted: %v", i+1, from, err)
		}
		_ = text.Close()
	}
}

// relay asks for a relay so many times, in one session each.
func (o *outside) relay(t *testing.T, from string, times int) {
	t.Helper()
	for i := range times {
		conn, err := o.dial(t, from, "25")
		if err != nil {
			t.Errorf("session %d of %s: %v", i+1, from, err)
			return
		}
		text := textproto.NewConn(conn)
		_, _, _ = text.ReadResponse(220)
		for _, line := range []string{"EHLO bot.example", "MAIL FROM:<a@bot.example>", "RCPT TO:<victim@elsewhere.example>", "QUIT"} {
			_ = text.PrintfLine("%s", line)
			code, _, _ := text.ReadResponse(0)
			if strings.HasPrefix(line, "RCPT") && code/100 == 2 {
				t.Errorf("the host relays for %s", from)
			}
		}
		_ = text.Close()
	}
}
