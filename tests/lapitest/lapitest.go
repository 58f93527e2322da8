// Package lapitest runs a real CrowdSec Local API for tests and the demo: the
// crowdsec and cscli binaries that it is given, with a SQLite database and a
// configuration of its own, on loopback, without CrowdSec's central API. It
// speaks to the LAPI only through cscli. It never touches the CrowdSec of the
// host and leaves no process behind, even when its own process is killed.
//
// It works with CrowdSec 1.4 (Debian 12) and 1.7 alike.
package lapitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
	pollInterval = 20 * time.Millisecond
	startTries   = 3
)

// Options says what to start. Crowdsec and Cscli are required; see [Find].
type Options struct {
	Crowdsec string // path of the crowdsec binary
	Cscli    string // path of the cscli binary

	// Dir holds the configuration and the database; it is created, and kept by
	// Stop, so that a later Start goes on with it. Empty: a temporary folder
	// that Stop removes.
	Dir string

	// Listen is the address of the LAPI. Empty: a free port of 127.0.0.1.
	Listen string

	// Profiles is the text of profiles.yaml. Empty: a ban of four hours for Ip
	// and Range alerts that ask for a remediation, as CrowdSec ships it.
	Profiles string

	// AutoRegistration is the token (at least 32 characters) with which a machine
	// on loopback may register itself. Empty: none may. CrowdSec 1.7 only.
	AutoRegistration string

	// Socket has the LAPI listen on a unix socket in Dir as well; see
	// [Server.Socket]. CrowdSec 1.7 only.
	Socket bool

	// TLS has the LAPI speak TLS only, and take client certificates. cscli can then
	// do no more than what goes past the LAPI: machines, bouncers.
	TLS *TLS
}

// TLS are the paths of PEM files. A client certificate is an agent's if its OU is
// AgentOU.
type TLS struct {
	Cert, Key, CA string
	AgentOU       string
}

// Server is a running LAPI. Its methods are safe for concurrent use.
type Server struct {
	URL string // with a slash at the end
	Dir string

	cscli     string
	temporary bool
	process   *process
	stop      sync.Once
	stopErr   error
}

// Start starts a LAPI and returns when it answers. The process lives until
// Stop, or until ctx is done. The caller calls Stop in any case.
func Start(ctx context.Context, o Options) (*Server, error) {
	for _, path := range []string{o.Crowdsec, o.Cscli} {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("crowdsec binary: %w", err)
		}
	}
	s := &Server{Dir: o.Dir, cscli: o.Cscli}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	err := s.start(ctx, o)
	for try := 1; err != nil && o.Listen == "" && try < startTries && isPortTaken(err); try++ {
		err = s.start(ctx, o) // somebody took the port between our look and crowdsec's
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) makeDir() error {
	if s.Dir == "" {
		dir, err := os.MkdirTemp("", "lapitest-")
		if err != nil {
			return err
		}
		s.Dir, s.temporary = dir, true
		return nil
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return err
	}
	s.Dir = dir
	return os.MkdirAll(dir, 0o700)
}

func (s *Server) start(ctx context.Context, o Options) error {
	listen := o.Listen
	if listen == "" {
		var err error
		if listen, err = freeAddress(); err != nil {
			return err
		}
	}
	s.URL = "http://" + listen + "/"
	if err := writeConfig(s.Dir, listen, o); err != nil {
		return err
	}
	if _, err := s.Cscli(ctx, "machines", "add", "cscli", "--auto", "--force", "--url", s.URL,
		"-f", filepath.Join(s.Dir, cscliCredentials)); err != nil {
		return err
	}
	p, err := startProcess(ctx, o.Crowdsec, "-c", filepath.Join(s.Dir, configFile), "-no-cs")
	if err != nil {
		return fmt.Errorf("crowdsec: %w", err)
	}
	s.process = p
	return s.waitReady(ctx)
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.process.done:
			return fmt.Errorf("crowdsec ended while starting: %s", s.process.tail())
		case <-ctx.Done():
			return fmt.Errorf("crowdsec does not answer: %w: %s", ctx.Err(), s.process.tail())
		case <-tick.C:
			if answers(ctx, s.URL) {
				return nil
			}
		}
	}
}

// answers tells whether a web server is there; any answer will do, for the LAPI
// refuses us without a token.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"v1/heartbeat", nil)
	if err != nil {
		return false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

// Stop ends the LAPI (SIGTERM, after five seconds SIGKILL), waits for it, and
// removes a temporary folder. Further calls return the first one's error.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		if s.process != nil {
			s.process.end()
		}
		if s.temporary {
			s.stopErr = os.RemoveAll(s.Dir)
		}
	})
	return s.stopErr
}

// Socket is the path of the LAPI's unix socket.
func (s *Server) Socket() string { return filepath.Join(s.Dir, socketName) }

// Log returns what crowdsec has written so far, standard output and error.
func (s *Server) Log() string { return s.process.out.String() }

// PID returns the process ID of crowdsec.
func (s *Server) PID() int { return s.process.cmd.Process.Pid }

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func isPortTaken(err error) bool {
	return strings.Contains(err.Error(), "address already in use")
}

// process is a child that dies with us.
type process struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

func startProcess(ctx context.Context, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = endsWithParent()
	started := make(chan error)
	go func() {
		// Pdeathsig is about the thread that started the child, so that thread
		// has to live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = p.cmd.Wait() // how it ended does not matter; tail shows why
		close(p.done)
	}()
	return p, <-started
}

func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an ended process is what we want
	select {
	case <-p.done:
		return
	case <-time.After(stopTimeout):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// tail returns the last lines of what the process wrote.
func (p *process) tail() string {
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// output is a buffer that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
