// Command memory measures what csmail run takes of memory on the logs that cost it
// the most: failed logins whose names are long and never the same twice. It writes
// such a log, has the daemon read it under a limit of memory, has it reload its
// configuration, kills it, and measures how long the next start takes until it answers
// again. The LAPI is away meanwhile.
//
// With -limit and as root the daemon runs in a memory cgroup (cgroup v2) of that
// size, as under MemoryMax of csmail.service: a daemon that needs more is killed.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"csmail/pkg/control"
)

func main() {
	csmail := flag.String("csmail", "bin/csmail", "the csmail binary")
	limit := flag.Int("limit", 0, "memory in MB that the daemon's cgroup gives it; 0: no cgroup")
	only := flag.String("only", "", "the one log to try, by its name")
	flag.Parse()
	if err := measure(*csmail, *limit, *only); err != nil {
		fmt.Fprintf(os.Stderr, "memory: error: %v\n", err)
		os.Exit(1)
	}
}

// flood is a log of failed logins.
type flood struct {
	name  string
	lines int
	bytes int // of each name
	line  func(at time.Time, pid, addr int, name string) string
}

// floods are those of an independent attack on csmail: names of a length that a Postfix
// logs which does not cut them, as Postfix 3.7 cuts them, and longer.
var floods = []flood{
	{"postfix-660", 234_000, 660, saslLine},
	{"postfix-92", 440_000, 92, saslLine},
	{"postfix-2000", 120_000, 2000, saslLine},
}

func saslLine(at time.Time, pid, addr int, name string) string {
	return fmt.Sprintf("%s mx1 postfix/smtpd[%d]: warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=%s\n",
		at.Format(time.RFC3339), pid, address(addr), name)
}

func address(n int) string { return fmt.Sprintf("198.18.%d.%d", n>>8&255, n&255) }

// write writes the flood over the last eight hours.
func (f flood) write(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	began := time.Now().UTC().Add(-8 * time.Hour)
	name := make([]byte, f.bytes)
	for n := range f.lines {
		for i := range name {
			name[i] = 'a' + byte(random.IntN(26))
		}
		at := began.Add(time.Duration(n) * 8 * time.Hour / time.Duration(f.lines))
		if _, err := out.WriteString(f.line(at, 1000+n%500, random.IntN(2000), string(name))); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return file.Close()
}

func measure(csmail string, limit int, only string) error {
	program, err := filepath.Abs(csmail)
	if err != nil {
		return err
	}
	fmt.Printf("%-14s %9s %10s %10s %10s %10s %11s %10s %10s\n", "log", "lines", "read in s", "own MB", "mapped MB", "reload MB", "up again s", "own MB", "mapped MB")
	for _, f := range floods {
		if only != "" && only != f.name {
			continue
		}
		if err := f.try(program, limit); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func (f flood) try(program string, limit int) error {
	dir, err := os.MkdirTemp("", "csmail-memory")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &daemon{dir: dir, program: program, limit: limit, ask: control.NewClient(filepath.Join(dir, "sock"))}
	if err := f.write(filepath.Join(dir, "mail.log")); err != nil {
		return err
	}
	if err := d.configure(); err != nil {
		return err
	}
	read, err := d.run(func(s control.Status) bool { return s.Lines >= int64(f.lines) && s.State.Unstored == 0 })
	if err != nil {
		return err
	}
	first := d.most
	if err := d.reload(); err != nil {
		return err
	}
	reloaded := d.most
	d.kill()
	again, err := d.run(func(control.Status) bool { return true })
	if err != nil {
		return fmt.Errorf("at the start after: %w", err)
	}
	d.settle()
	fmt.Printf("%-14s %9d %10.1f %10.0f %10.0f %10.0f %11.1f %10.0f %10.0f\n",
		f.name, f.lines, read.Seconds(), first.own, first.mapped, reloaded.own, again.Seconds(), d.most.own, d.most.mapped)
	d.kill()
	return nil
}

// daemon is one csmail run.
type daemon struct {
	dir, program string
	limit        int
	cgroup       string
	ask          *control.Client
	process      *exec.Cmd
	ended        chan error
	most         memory
}

// lookEvery is how often the memory is looked at.
const lookEvery = 10 * time.Millisecond

func (d *daemon) configure() error {
	files := map[string]string{
		"creds.yaml": "url: http://127.0.0.1:1/\nlogin: x\npassword: x\n",
		"csmail.yaml": fmt.Sprintf("lapi: {credentials: %[1]s/creds.yaml}\nstate: %[1]s/state.db\nsocket: %[1]s/sock\nprometheus: {enabled: false}\n"+
			"sources: [{source: file, filenames: [%[1]s/mail.log], timezone: UTC}]\n", d.dir),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if d.limit == 0 {
		return nil
	}
	d.cgroup = fmt.Sprintf("/sys/fs/cgroup/csmail-memory-%d", os.Getpid())
	if err := os.MkdirAll(d.cgroup, 0o755); err != nil {
		return err
	}
	for file, value := range map[string]int{"memory.max": d.limit << 20, "memory.swap.max": 0} {
		if err := os.WriteFile(filepath.Join(d.cgroup, file), []byte(strconv.Itoa(value)), 0o644); err != nil {
			return fmt.Errorf("limiting the memory: %w", err)
		}
	}
	return nil
}

// run starts it, and returns how long it took until its status was as wanted.
func (d *daemon) run(wanted func(control.Status) bool) (time.Duration, error) {
	const enter = `[ -z "$1" ] || echo $$ >"$1/cgroup.procs"; exec "$2" run -c "$3"`
	d.process = exec.Command("sh", "-c", enter, "sh", d.cgroup, d.program, filepath.Join(d.dir, "csmail.yaml"))
	said, err := os.Create(filepath.Join(d.dir, "said"))
	if err != nil {
		return 0, err
	}
	defer said.Close()
	d.process.Stderr = said
	began := time.Now()
	if err := d.process.Start(); err != nil {
		return 0, err
	}
	d.ended = make(chan error, 1)
	go func() { d.ended <- d.process.Wait() }()
	d.most = memory{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	looks := 0
	for {
		select {
		case err := <-d.ended:
			return 0, fmt.Errorf("the daemon ended after %s: %w\n%s", time.Since(began).Round(time.Second), err, d.said())
		case <-tick.C:
			d.look()
		}
		if looks++; looks%20 != 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		status, err := d.ask.Status(ctx)
		cancel()
		if err == nil && wanted(status) {
			return time.Since(began), nil
		}
		if time.Since(began) > 10*time.Minute {
			return 0, fmt.Errorf("not ready after ten minutes: %w\n%s", err, d.said())
		}
	}
}

func (d *daemon) said() string {
	text, err := os.ReadFile(filepath.Join(d.dir, "said"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// memory is what a process has of it, in MB (proc(5), RssAnon and RssFile): its own,
// and pages of files, which the kernel takes back when it needs them.
type memory struct{ own, mapped float64 }

// look notes the most that the process was seen to have.
func (d *daemon) look() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.Process.Pid))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		var kilobytes float64
		if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
			continue
		}
		switch mb := kilobytes * 1024 / 1e6; name {
		case "RssAnon":
			d.most.own = max(d.most.own, mb)
		case "RssFile":
			d.most.mapped = max(d.most.mapped, mb)
		}
	}
}

// settle goes on looking while the daemon does what it does after a start or a reload.
func (d *daemon) settle() {
	for range 300 {
		d.look()
		time.Sleep(lookEvery)
	}
}

// reload has it read its configuration anew, and looks how much memory that takes.
func (d *daemon) reload() error {
	d.most = memory{}
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("asking for a reload: %w", err)
	}
	for range 20 {
		d.settle()
		text, err := os.ReadFile(filepath.Join(d.dir, "said"))
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "configuration reloaded") {
			return nil
		}
	}
	return fmt.Errorf("it did not reload\n%s", d.said())
}

// kill ends it as a crash does.
func (d *daemon) kill() {
	_ = d.process.Process.Kill() // it may have ended
	<-d.ended
}
