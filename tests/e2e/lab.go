//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// recording is what a run of the lab leaves.
type recording struct {
	clients []*Client
	lines   []logLine // what the daemons sent to /dev/log

	postfixOwn, dovecotOwn []byte // with ownLogs
}

// lab is the server and its clients while they run.
type lab struct {
	dir     string
	setup   setup
	clients []*Client
	server  *server
	log     *syslogd
}

// record lets every client act once, all at the same time, and returns when
// the daemons have logged the end of every session.
func record(clients []*Client, what setup) (rec *recording, err error) {
	dir, err := os.MkdirTemp("", "csmail-e2e-")
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, setup: what, clients: clients}
	defer func() {
		if closeErr := l.close(rec); err == nil {
			err = closeErr
		}
	}()
	if err := l.start(); err != nil {
		return nil, err
	}
	if err := l.play(); err != nil {
		return nil, fmt.Errorf("%w\nlog:\n%s", err, l.text())
	}
	if err := l.settle(); err != nil {
		return nil, fmt.Errorf("%w\nlog:\n%s", err, l.text())
	}
	rec = &recording{clients: l.clients}
	if what.OwnLogs {
		rec.postfixOwn, rec.dovecotOwn = l.ownFile(postfixOwnLog), l.ownFile(dovecotOwnLog)
	}
	return rec, nil
}

func (l *lab) start() (err error) {
	// The daemons work under users of their own and must reach the folder.
	if err := os.Chmod(l.dir, 0o755); err != nil {
		return err
	}
	cfg := serverConfig{Dir: l.dir, Zone: newZone(), setup: l.setup}
	if l.setup.Enforce {
		cfg.Zone.Forward = map[string]string{blockListZone: "127.0.0.1:10053"}
	}
	for _, c := range l.clients {
		c.register(cfg.Zone)
	}
	if err := os.Mkdir(filepath.Join(l.dir, "dev"), 0o755); err != nil {
		return err
	}
	for _, write := range []func(serverConfig) error{writeEtc, writePostfix, writeDovecot, writeSSHD} {
		if err := write(cfg); err != nil {
			return err
		}
	}
	socket := filepath.Join(l.dir, "log.sock")
	if l.log, err = listenSyslog(socket); err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		return err
	}
	if l.server, err = startServer(cfg); err != nil {
		return fmt.Errorf("%w\nlog:\n%s", err, l.text())
	}
	for number, c := range l.clients {
		if err := c.join(l.server, number); err != nil {
			return err
		}
	}
	return nil
}

// play lets every client act.
func (l *lab) play() error {
	errs := make([]error, len(l.clients))
	var group sync.WaitGroup
	for i, c := range l.clients {
		group.Go(func() {
			if err := c.act(c); err != nil {
				errs[i] = fmt.Errorf("client %s: %w", c.Name, err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

const settleWait = 60 * time.Second

// settle waits until the end of each connection is logged, and every mail has
// left the queue.
func (l *lab) settle() error {
	if l.setup.Wide {
		return l.quieten()
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(settleWait)
	for ; ; <-tick.C {
		missing := l.unsettled()
		if missing == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v: %w", settleWait, missing)
		}
	}
}

// quieten waits until nothing has been logged for a while: that is all that the
// many services of the wide server have in common.
func (l *lab) quieten() error {
	const quiet = 4 * time.Second // longer than any timeout that the services have
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(2 * settleWait)
	size, since := 0, time.Now()
	for ; time.Since(since) < quiet; <-tick.C {
		if now := len(l.text()); now != size {
			size, since = now, time.Now()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still logging after %v", 2*settleWait)
		}
	}
	return nil
}

var (
	smtpEnd  = regexp.MustCompile(`smtpd\[\d+\]: disconnect from `)
	boxEnd   = regexp.MustCompile(`(?:imap|pop3)-login: (?:Info: )?(?:Login|Logged in|Disconnected|Aborted)`)
	boxLogin = regexp.MustCompile(`(?:imap|pop3)-login: (?:Info: )?(?:Login:|Logged in)`)
	boxLeft  = regexp.MustCompile(`(?:imap|pop3)\(.*(?:Logged out|Disconnected)`)
	queued   = regexp.MustCompile(`qmgr\[\d+\]: \w+: from=`)
	removed  = regexp.MustCompile(`qmgr\[\d+\]: \w+: removed`)
)

func (l *lab) unsettled() error {
	text, smtps, boxes := l.text(), 0, 0
	for _, c := range l.clients {
		smtps, boxes = smtps+c.smtps, boxes+c.boxes
	}
	for _, end := range []struct {
		what       string
		have, want int
	}{
		{"SMTP sessions ended", matches(text, smtpEnd), smtps},
		{"IMAP and POP3 logins ended", matches(text, boxEnd), boxes},
		{"mailboxes left", matches(text, boxLeft), matches(text, boxLogin)},
		{"mails removed", matches(text, removed), matches(text, queued)},
	} {
		if end.have != end.want {
			return fmt.Errorf("%s: %d, expected %d", end.what, end.have, end.want)
		}
	}
	return nil
}

func matches(text []byte, pattern *regexp.Regexp) int { return len(pattern.FindAllIndex(text, -1)) }

// text is all that was logged so far, wherever.
func (l *lab) text() []byte {
	var syslog []byte
	if l.log != nil {
		syslog = l.log.text()
	}
	return bytes.Join([][]byte{syslog, l.ownFile(postfixOwnLog), l.ownFile(dovecotOwnLog)}, nil)
}

// ownFile reads a daemon's own log; one that is not there yet is empty.
func (l *lab) ownFile(path func(dir string) string) []byte {
	text, _ := os.ReadFile(path(l.dir))
	return text
}

// close ends everything, and gives rec the last of the log.
func (l *lab) close(rec *recording) error {
	if l.server != nil {
		l.server.close()
	}
	for _, c := range l.clients {
		if c.ns != nil {
			c.ns.close()
		}
	}
	var logErr error
	if l.log != nil {
		var lines []logLine
		if lines, logErr = l.log.close(); rec != nil {
			rec.lines = lines
		}
	}
	return errors.Join(logErr, os.RemoveAll(l.dir))
}
