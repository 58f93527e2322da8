package daemon

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// twoLogs gives the rig's daemon two logs, each in a folder of its own, and its
// metrics a port.
func (r *rig) twoLogs() {
	r.t.Helper()
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(r.path(name), 0o755); err != nil {
			r.t.Fatal(err)
		}
		r.log = filepath.Join(name, "mail.log")
		r.write(r.log, "")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer listener.Close()
	r.port = listener.Addr().(*net.TCPAddr).Port
	r.configure(fmt.Sprintf("prometheus: {enabled: true, listen_port: %d}\nsources:\n- {source: file, filenames: [%s], timezone: UTC}\n- {source: file, filenames: [%s], timezone: UTC}\n",
		r.port, r.path("one/mail.log"), r.path("two/mail.log")))
}

// mustFail waits until status, metrics and log tell what is wrong with the first
// of two sources, while the second is followed.
func (r *rig) mustFail(words, advice string) {
	r.t.Helper()
	r.eventually("status says "+words, func() bool {
		s, err := r.ask.Status(r.t.Context())
		return err == nil && s.Sources[0].State == "failing" && strings.Contains(s.Sources[0].Error, words) &&
			strings.Contains(s.Sources[0].Hint, advice) && s.Sources[1].State == "following"
	})
	r.eventually("the metrics say so", func() bool { return strings.Contains(r.metrics(), r.up("one", 0)) })
	r.eventually("the log says so", func() bool {
		said := r.said.String()
		return strings.Contains(said, "source fails") && strings.Contains(said, words) && strings.Contains(said, advice)
	})
}

func (r *rig) mustWork() {
	r.t.Helper()
	r.eventually("status says that the source works", func() bool {
		s, err := r.ask.Status(r.t.Context())
		return err == nil && s.Sources[0].State == "following" && s.Sources[0].Error == "" && s.Sources[0].Lag == 0
	})
	r.eventually("the metrics say so", func() bool { return strings.Contains(r.metrics(), r.up("one", 1)) })
}

func (r *rig) up(name string, n int) string {
	return fmt.Sprintf("csmail_source_up{source=%q} %d\n", r.path(name+"/mail.log"), n)
}

func (r *rig) metricsURL() string { return fmt.Sprintf("http://127.0.0.1:%d/metrics", r.port) }

func (r *rig) metrics() string {
	r.t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	answer, err := http.Get(r.metricsURL())
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// unprivileged starts the daemon as somebody who may not read every file.
func (r *rig) unprivileged() (kill func()) {
	r.t.Helper()
	if os.Geteuid() != 0 {
		return r.live()
	}
	const nobody = 65534
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("daemon", string(program))
	for path, mode := range map[string]os.FileMode{filepath.Dir(r.dir): 0o755, r.dir: 0o755, r.path("daemon"): 0o755, r.path("csmail.yaml"): 0o644, r.path("creds.yaml"): 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := os.Chown(r.dir, nobody, nobody); err != nil {
		r.t.Fatal(err)
	}
	child := exec.Command(r.path("daemon"))
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return r.run(child)
}

func (r *rig) mode(name string, mode os.FileMode) {
	r.t.Helper()
	if err := os.Chmod(r.path(name), mode); err != nil {
		r.t.Fatal(err)
	}
}

// guessesIn writes to a log whatever its mode, which it keeps.
func (r *rig) guessesIn(name string, mode os.FileMode, n int, addr string) {
	r.t.Helper()
	if mode == 0 && os.Geteuid() != 0 {
		r.mode(name, 0o200)
		defer r.mode(name, 0)
	}
	r.log = name
	r.guesses(n, addr, "bob", time.Now())
}

const (
	noPermission = "permission denied"
	joinGroup    = "let csmail's user join the group that may read the log"
)

// A log that csmail may not read: it says so, the other log goes on, and once the
// log is readable no line of it is missing.
func TestLogWithoutPermission(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const other, later = "203.0.113.8", "203.0.113.9"
	r := newRig(t)
	r.twoLogs()
	r.mode("one/mail.log", 0)
	r.mode("two/mail.log", 0o644)
	r.guessesIn("one/mail.log", 0, 3, attacker)
	kill := r.unprivileged()
	defer kill()
	r.mustFail(noPermission, joinGroup)
	r.guessesIn("two/mail.log", 0o644, 6, other)
	r.delivered(1)
	r.guessesIn("one/mail.log", 0, 3, attacker)
	r.mode("one/mail.log", 0o644)
	r.delivered(1)
	r.mustWork()

	// Rotation creates the next one with a wrong mode.
	r.guessesIn("one/mail.log", 0o644, 3, later)
	if err := os.Rename(r.path("one/mail.log"), r.path("one/mail.log.1")); err != nil {
		t.Fatal(err)
	}
	r.write("one/mail.log", "")
	r.mode("one/mail.log", 0)
	r.guessesIn("one/mail.log", 0, 3, later)
	r.mustFail(noPermission, joinGroup)
	r.mode("one/mail.log", 0o644)
	want := []string{"csmail/auth-bf " + other, "csmail/auth-bf " + attacker, "csmail/auth-bf " + later}
	if got := r.delivered(1); !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
	r.mustWork()
}

// The folder of a log goes away and comes back, as a file system does: csmail says
// so, goes on, and misses and repeats no line.
func TestLogFolderVanishes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const later, last = "203.0.113.8", "203.0.113.9"
	r := newRig(t)
	r.twoLogs()
	kill := r.live()
	defer kill()
	r.mustWork()
	r.log = "one/mail.log"
	r.guesses(3, attacker, "bob", time.Now())
	r.eventually("three lines are read", func() bool { return r.lines() == 3 })
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(r.path(from), r.path(to)); err != nil {
			t.Fatal(err)
		}
	}
	move("one", "away")
	r.mustFail("the directory of", "is its file system mounted? csmail goes on as soon as it is there")
	r.log = "away/mail.log"
	r.guesses(2, attacker, "bob", time.Now())
	move("away", "one")
	r.mustWork()
	r.log = "one/mail.log"
	r.guesses(1, attacker, "bob", time.Now())
	r.delivered(1)

	// Another folder comes in its place.
	r.guesses(3, later, "bob", time.Now())
	r.eventually("nine lines are read", func() bool { return r.lines() == 9 })
	move("one", "gone")
	r.mustFail("the directory of", "is its file system mounted?")
	if err := os.Mkdir(r.path("one"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("one/mail.log", "")
	r.guesses(3, later, "bob", time.Now())
	r.guesses(6, last, "bob", time.Now())
	want := []string{"csmail/auth-bf " + attacker, "csmail/auth-bf " + later, "csmail/auth-bf " + last}
	if got := r.delivered(2); !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
	r.mustWork()
}

// A log that gets another name in the configuration is the log that it was: three typos
// stay three, and nobody is banned for six. The attacker who goes on is.
func TestLogRenamedInTheConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const honest = "198.51.100.7"
	for name, sources := range map[string]func(r *rig) string{
		"another glob": func(r *rig) string { return "{source: file, filenames: [" + r.path("mail*.log") + "], timezone: UTC}" },
		"a link": func(r *rig) string {
			if err := os.Symlink(r.path("mail.log"), r.path("link.log")); err != nil {
				r.t.Fatal(err)
			}
			return "{source: file, filenames: [" + r.path("link.log") + "], timezone: UTC}"
		},
		"a rotation in between": func(r *rig) string {
			if err := os.Rename(r.path("mail.log"), r.path("mail.log.1")); err != nil {
				r.t.Fatal(err)
			}
			r.write("mail.log", "")
			return "{source: file, filenames: [" + r.path("mail.log*") + "], timezone: UTC}"
		},
		"the journal instead": func(r *rig) string {
			r.journal = r.path("journalctl")
			r.write("journalctl", journalOf(r.path("mail.log"), r.path("more")))
			r.mode("journalctl", 0o700)
			r.log = "more"
			r.write("more", "")
			return "{source: journalctl}"
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.journal = "/nonexistent/journalctl"
			r.start()
			r.guesses(3, honest, "alice", time.Now())
			r.guesses(3, attacker, "bob", time.Now())
			r.eventually("six lines are read", func() bool { return r.lines() == 6 })
			r.stop()
			r.configure("sources: [" + sources(r) + "]\n")
			r.start()
			time.Sleep(100 * time.Millisecond)
			r.guesses(3, attacker, "bob", time.Now())
			want := []string{"csmail/auth-bf " + attacker}
			if got := r.delivered(1); !slices.Equal(got, want) {
				t.Errorf("alerts %q, want %q", got, want)
			}
			why, err := r.ask.Why(t.Context(), netip.MustParseAddr(honest))
			if err != nil {
				t.Fatal(err)
			}
			if len(why.Alerts) > 0 || len(why.Evidence) != 3 {
				t.Errorf("%d alerts and %d pieces of evidence against the honest user, want 0 and 3", len(why.Alerts), len(why.Evidence))
			}
		})
	}
}

// journalOf is a journalctl that shows the lines of two files, of which the second
// grows, as entries.
func journalOf(first, second string) string {
	return `#!/bin/sh
case "$*" in *--follow*) ;; *) exit 0 ;; esac
tail --pid=$$ -n +1 -q -F ` + first + ` ` + second + ` 2>/dev/null | sed -u -E 's/^([^ ]+) ([^ ]+) ([^[]+)\[([0-9]+)\]: (.*)$/\1|{"__CURSOR":"c","_HOSTNAME":"\2","SYSLOG_IDENTIFIER":"\3","_PID":"\4","MESSAGE":"\5",/' |
while IFS='|' read -r at rest; do
	echo "$rest\"__REALTIME_TIMESTAMP\":\"$(date -u -d "$at" +%s%6N)\"}"
done
`
}
