package enforce

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"csmail/pkg/hint"
)

// Listen opens a stream socket: HOST:PORT, or unix:/PATH or /PATH. The socket of a path is
// for its folder's group: /var/spool/postfix/csmail belongs to csmail and to the group
// postfix. One that a dead csmail left behind is replaced.
func Listen(place string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(place, "unix:")
	if !isUnix && !strings.HasPrefix(place, "/") {
		l, err := net.Listen("tcp", place)
		if err != nil {
			return nil, hint.Wrap(fmt.Errorf("listening on %q: %w", place, err), "the listen keys below enforce name the places; [] opens none")
		}
		return l, nil
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, hint.Wrap(fmt.Errorf("listening on %q: %w", place, syscall.EADDRINUSE), "another csmail runs: csmail status")
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listening on %q: %w", place, err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("listening on %q: %w", place, err), "the folder must be csmail's: install -d -o csmail -g postfix -m 0710 %s", filepath.Dir(path))
	}
	if err := openToGroup(path); err != nil {
		l.Close()
		return nil, fmt.Errorf("listening on %q: %w", place, err)
	}
	return l, nil
}

// openToGroup opens the socket to the group of the folder. If all users may enter the
// folder and it has no group of its own, the mode stays.
func openToGroup(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if folder, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(path, -1, int(folder.Gid)); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
	}
	return os.Chmod(path, 0o660)
}

// MaxConnections bounds those of a door. Postfix keeps one for each smtpd process, Dovecot
// a few.
const MaxConnections = 1024

// Bounded bounds the open connections of a listener. At the limit the connection that has
// been silent longest is closed, so that a client with ten thousand open connections
// keeps no other out. Each closed one is counted at the door.
func Bounded(l net.Listener, most int, count func(change int)) net.Listener {
	return &bounded{Listener: l, most: most, count: count, open: map[*conn]struct{}{}}
}

type bounded struct {
	net.Listener
	most  int
	count func(int)

	mu   sync.Mutex
	open map[*conn]struct{}
}

type conn struct {
	net.Conn
	owner *bounded
	last  atomic.Int64
	once  sync.Once
}

func (b *bounded) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ours := &conn{Conn: c, owner: b}
	ours.last.Store(time.Now().UnixNano())
	b.mu.Lock()
	var silent *conn
	if len(b.open) >= b.most {
		silent = b.mostSilent()
		delete(b.open, silent)
	}
	b.open[ours] = struct{}{}
	b.mu.Unlock()
	b.count(1)
	if silent != nil {
		silent.Close()
	}
	return ours, nil
}

func (b *bounded) mostSilent() *conn {
	var silent *conn
	for c := range b.open {
		if silent == nil || c.last.Load() < silent.last.Load() {
			silent = c
		}
	}
	return silent
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.last.Store(time.Now().UnixNano())
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.owner.mu.Lock()
		delete(c.owner.open, c)
		c.owner.mu.Unlock()
		c.owner.count(-1)
	})
	return c.Conn.Close()
}
