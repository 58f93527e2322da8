//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	siegeGuesses = 7               // of each attacker; six are enough for a ban
	visitEach    = 4 * time.Second // an honest user
)

// siege is a brute force by several attackers, and honest users who log in as long as
// it lasts.
type siege struct {
	attackers atomic.Int32  // that have not made all their guesses
	over      chan struct{} // closed when there are none
}

// newSiege makes the clients: two that guess by SMTP AUTH and two over IMAP, one user
// who always knows his password, and one who mistypes it once.
func newSiege() []*Client {
	s := &siege{over: make(chan struct{})}
	players := cast([]scenario{
		{"siege-smtp", "203.0.113.81", "2001:db8:81::81", true, unnamed, s.attack(guessAtPostfix)},
		{"siege-imap", "198.51.100.82", "2001:db8:82::82", true, unnamed, s.attack(guessAtDovecot)},
		{"user", "203.0.113.83", "2001:db8:83::83", false, unnamed, s.comeAndGo},
		{"typist", "198.51.100.84", "2001:db8:84::84", false, verified, s.mistypeOnce},
	})
	for _, c := range players {
		if c.Hostile {
			s.attackers.Add(1)
		}
	}
	return players
}

// attack has a client make his guesses, each with another password: Dovecot raises its
// penalty only for those.
func (s *siege) attack(guess func(c *Client, password string) error) func(*Client) error {
	return func(c *Client) error {
		defer func() {
			if s.attackers.Add(-1) == 0 {
				close(s.over)
			}
		}()
		for i := range siegeGuesses {
			if err := guess(c, fmt.Sprintf("summer%d", i)); err != nil {
				return fmt.Errorf("guess %d: %w", i, err)
			}
		}
		return nil
	}
}

// guessAtPostfix takes any refusal: Postfix refuses as well when Dovecot keeps it
// waiting for too long.
func guessAtPostfix(c *Client, password string) error {
	s, err := c.smtp("25", "ylmf-pc")
	if err != nil {
		return err
	}
	defer s.drop()
	if err := s.text.PrintfLine("AUTH PLAIN %s", b64("\x00info\x00"+password)); err != nil {
		return err
	}
	_, _, err = s.text.ReadResponse(235)
	answer, err := refusal(err)
	if err != nil {
		return err
	}
	if !answer.refused {
		return errors.New("SMTP AUTH took a wrong password")
	}
	return s.command(221, "QUIT")
}

func guessAtDovecot(c *Client, password string) error {
	m, err := c.mailbox(portIMAP)
	if err != nil {
		return err
	}
	if err := m.login(false, account("bob"), password); err != nil {
		m.drop()
		return err
	}
	return m.logout()
}

// comeAndGo reads mail now and then, and sends one each third time.
func (s *siege) comeAndGo(c *Client) error {
	tick := time.NewTicker(visitEach)
	defer tick.Stop()
	for i := 0; ; i++ {
		err := c.visit(portIMAP, "alice")
		if err == nil && i%3 == 1 {
			err = c.submit("alice", "friend@elsewhere.example")
		}
		if err != nil {
			return fmt.Errorf("visit %d: %w", i, err)
		}
		select {
		case <-s.over:
			return nil
		case <-tick.C:
		}
	}
}

func (s *siege) mistypeOnce(c *Client) error {
	if err := c.visit(portIMAP, "carol", "quiet-medow"); err != nil {
		return err
	}
	return s.comeAndGo(c)
}

// switchPenaltyOff does what an administrator does who has no use for Dovecot's penalty,
// on a host where a Dovecot that was killed has left its socket behind: each start of the
// auth process then finds the socket, and nobody who listens. (Without it, Dovecot logs
// nothing.)
func (l *lab) switchPenaltyOff() error {
	conf, err := os.OpenFile(filepath.Join(l.dir, "etc", "dovecot", "dovecot.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(penaltyOff)
	if err := errors.Join(err, conf.Close()); err != nil {
		return err
	}
	if err := l.server.reloadDovecot(); err != nil {
		return err
	}
	return leaveSocket(fmt.Sprintf("/proc/%d/root/run/dovecot/anvil-auth-penalty", l.server.cmd.Process.Pid))
}

// leaveSocket waits until Dovecot has removed its socket, and puts a dead one there.
func leaveSocket(path string) error {
	for deadline := time.Now().Add(startWait); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v Dovecot still has %s", startWait, path)
		}
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	socket.SetUnlinkOnClose(false)
	return errors.Join(os.Chmod(path, 0o666), socket.Close())
}

// reloadDovecot has Dovecot read its configuration again: its auth process ends, and
// the next login starts a new one.
func (s *server) reloadDovecot() error {
	out, err := exec.Command("nsenter", "--target", strconv.Itoa(s.cmd.Process.Pid), "--mount", "--pid", "doveadm", "reload").CombinedOutput()
	if err != nil {
		return fmt.Errorf("doveadm reload: %w: %s", err, out)
	}
	return nil
}
