//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// server is the mail host: a process that is pid 1 of its own PID, mount,
// network, UTS and IPC namespaces, with Postfix and Dovecot under it.
type server struct {
	cmd    *exec.Cmd
	stdin  io.Closer // closed: pid 1 exits, and all that is in its namespaces with it
	stderr bytes.Buffer
}

// serverConfig is what the server process is told, as JSON in its folder.
type serverConfig struct {
	Dir  string
	Zone *zone
	setup
}

func (s *server) netnsPath() string { return fmt.Sprintf("/proc/%d/ns/net", s.cmd.Process.Pid) }

// startServer runs this test binary again as the server; see [TestMain].
func startServer(cfg serverConfig) (*server, error) {
	raw, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("server configuration: %w", err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "server.json"), raw, 0o644); err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command("/proc/self/exe")}
	s.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "LC_ALL=C", serverEnv + "=" + cfg.Dir}
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS |
		syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != serverReady+"\n" {
		s.close()
		return nil, fmt.Errorf("server did not start: %w\n%s", err, s.stderr.Bytes())
	}
	return s, nil
}

// close ends the server and everything in it.
func (s *server) close() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait() // says only that it was told to stop
}

// ip runs a batch of ip(8) commands in the server's network.
func (s *server) ip(commands ...string) error { return runIPAt(s.netnsPath(), commands) }
