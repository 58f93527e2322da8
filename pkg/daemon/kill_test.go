package daemon

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/config"
)

// mortal names the folder of a rig, and makes this test binary a daemon in it that
// runs until it is killed.
const mortal = "CSMAIL_TEST_DAEMON"

func TestMain(m *testing.M) {
	if dir := os.Getenv(mortal); dir != "" {
		path := filepath.Join(dir, "csmail.yaml")
		signal.Ignore(syscall.SIGXFSZ) // of a disk that is full by a limit
		hangups, reload := make(chan os.Signal, 1), make(chan struct{})
		signal.Notify(hangups, syscall.SIGHUP)
		go func() {
			for range hangups {
				reload <- struct{}{}
			}
		}()
		err := Run(context.Background(), Options{
			Load: func() (config.Config, error) { return config.Load(path) },
			Path: path, Version: "test", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			Notify: func(m string) { fmt.Println(m) }, Reload: reload,
		})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	waitTogether()
	goleak.VerifyTestMain(m)
}

// waitTogether lets more tests run at once than there are processors, unless -parallel says
// how many: most of them wait for a daemon.
func waitTogether() {
	flag.Parse()
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "test.parallel" })
	if !isSet {
		_ = flag.Set("test.parallel", "6")
	}
}

// said is what a process wrote.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// live starts a daemon as a process of its own, and returns once it is ready. Who
// calls kill gets it killed as by kill -9.
func (r *rig) live() (kill func()) {
	r.t.Helper()
	return r.run(exec.Command(os.Args[0]))
}

func (r *rig) run(child *exec.Cmd) (kill func()) {
	r.t.Helper()
	child.Env = append(os.Environ(), mortal+"="+r.dir)
	child.Stderr = io.MultiWriter(r.t.Output(), &r.said)
	out, err := child.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.child = child.Process
	told := bufio.NewScanner(out)
	if !told.Scan() || told.Text() != "READY=1" {
		r.t.Fatalf("the daemon says %q", told.Text())
	}
	go func() {
		for told.Scan() { // or it would wait for somebody to read
			select {
			case r.told <- told.Text():
			default:
			}
		}
	}()
	return func() {
		_ = child.Process.Kill() // one that has ended tells with its status
		if err := child.Wait(); err == nil || child.ProcessState.Exited() {
			r.t.Fatalf("the daemon ended by itself: %v", err)
		}
	}
}

// Classic syslogd writes a line and, half a minute later, how often it came again.
// A crash between the two takes nothing from the count.
func TestKilledBeforeRepetition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kill := r.live()
	at := time.Now().UTC().Add(-time.Minute)
	r.append(at.Format(time.Stamp) + " mx1 postfix/smtpd[7]: warning: unknown[" + attacker + "]: SASL LOGIN authentication failed: x, sasl_username=bob\n")
	r.eventually("the line is stored", r.isStored)
	kill()
	r.append(at.Add(20*time.Second).Format(time.Stamp) + " mx1 last message repeated 3 times\n")
	kill = r.live()
	r.eventually("the repetition is stored", r.isStored)
	kill() // and once more, for the repetition may be repeated
	r.append(at.Add(40*time.Second).Format(time.Stamp) + " mx1 last message repeated 2 times\n")
	r.start()
	if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf " + attacker}) { // 1 + 3 + 2 attempts, 6 are enough
		t.Errorf("alerts %q, want %q", got, []string{"csmail/auth-bf " + attacker})
	}
}

// A daemon that never lives for long gets on all the same.
func TestKilledSoon(t *testing.T) {
	r := newRig(t)
	soonest := time.Hour // the machine may be busy now and then
	for range 5 {
		r.guesses(1, attacker, "bob", time.Now())
		kill := r.live()
		ready := time.Now()
		r.eventually("the line is stored", r.isStored)
		soonest = min(soonest, time.Since(ready))
		kill()
	}
	if soonest > 1500*time.Millisecond {
		t.Errorf("the first commit came after %s at the soonest, want 1.5s at most", soonest)
	}
	r.guesses(1, attacker, "bob", time.Now())
	r.start()
	if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf " + attacker}) {
		t.Errorf("alerts %q, want %q", got, []string{"csmail/auth-bf " + attacker})
	}
}

// isStored tells whether all that is in the log is in the state file.
func (r *rig) isStored() bool {
	s, err := r.ask.Status(r.t.Context())
	return err == nil && s.Lines > 0 && s.State.Unstored == 0 && s.Sources[0].Lag == 0
}

// append writes to the log.
func (r *rig) append(text string) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(r.log), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err != nil || f.Close() != nil {
		r.t.Fatal(err)
	}
}

// A repetition of a line that says nothing against anybody is stored like others.
func TestRepetitionOfNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.append(time.Now().UTC().Format(time.Stamp) + " mx1 last message repeated 3 times\n")
	r.guesses(6, attacker, "bob", time.Now())
	r.delivered(1)
}
