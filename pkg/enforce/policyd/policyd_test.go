package policyd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/decision"
	"csmail/pkg/enforce"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(idleAt); path != "" {
		holdIdle(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// idleAt is the variable that makes this program hold idle connections to a socket.
const idleAt = "CSMAIL_TEST_IDLE_AT"

// holdIdle opens idleConnections that ask nothing, and keeps them until its input ends.
func holdIdle(path string) {
	for range idleConnections {
		c, err := net.Dial("unix", path)
		for errors.Is(err, syscall.EAGAIN) { // the server has yet to accept those before
			time.Sleep(time.Millisecond)
			c, err = net.Dial("unix", path)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "request=smtpd_access_policy\n") // and never more
	}
	fmt.Println("connected")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func gate(o enforce.Options) *enforce.Gate {
	table := decision.New(0)
	for i, r := range []decision.Raw{
		{Scope: "Ip", Value: "192.0.2.1", Type: "ban"},
		{Scope: "Ip", Value: "192.0.2.3", Type: "captcha"},
		{Scope: "Range", Value: "2001:db8:bad::/48", Type: "ban"},
		{Scope: "Username", Value: "bob", Type: "ban"},
	} {
		r.ID, r.Duration = int64(i+1), "1h"
		d, err := decision.Parse(r, time.Now())
		if err != nil {
			panic(err)
		}
		table.Apply([]decision.Decision{d}, nil, time.Now())
	}
	return enforce.NewGate(table, o, nil)
}

func server() *Server {
	return &Server{Gate: gate(enforce.Options{Accounts: true}), MX: Later, Submission: Never}
}

// start serves on a unix socket and returns its path.
func start(t *testing.T, s *Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := enforce.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = s.Serve(ctx, l); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return path
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// prompt is far more than an answer takes on a busy machine, and less than any wait of
// the server.
const prompt = 8 * time.Second

const asked = "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=%s\n%s\n"

func TestAnswers(t *testing.T) {
	c := dial(t, start(t, server()))
	r := bufio.NewReader(c)
	for _, q := range []struct{ address, more, want string }{
		{"192.0.2.9", "", "DUNNO"},
		{"192.0.2.1", "", "421 4.7.1 CrowdSec decision 1 on your address"},
		{"192.0.2.1", "policy_context=mx\nserver_port=587\n", "421 4.7.1 CrowdSec decision 1 on your address"},
		{"192.0.2.1", "policy_context=submission\n", "521 5.7.1 CrowdSec decision 1 on your address"},
		{"192.0.2.1", "server_port=465\n", "521 5.7.1 CrowdSec decision 1 on your address"},
		{"192.0.2.3", "policy_context=submission\n", "421 4.7.1 CrowdSec decision 2 on your address"},
		{"2001:db8:bad::7", "", "421 4.7.1 CrowdSec decision 3 on your address"},
		{"192.0.2.9", "sasl_username=Bob\n", "521 5.7.1 CrowdSec decision 4 on this account"},
		{"unknown", "", "DUNNO"},
		{"", "client_address=192.0.2.300\nhelo_name=action=521\n", "DUNNO"},
		{"192.0.2.9", "helo_name=" + strings.Repeat("x", 10_000) + "\n", "DUNNO"},
		{"192.0.2.9", "ccert_subject=a=b=c\r\n", "DUNNO"},
	} {
		fmt.Fprintf(c, asked, q.address, q.more)
		got, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s %.40q: %v", q.address, q.more, err)
		}
		if empty, _ := r.ReadString('\n'); empty != "\n" || got != "action="+q.want+"\n" {
			t.Errorf("%s %.40q: got %q and %q, want %s", q.address, q.more, got, empty, q.want)
		}
	}
}

// A question that is none is answered by closing: Postfix takes its default_action.
func TestNonsenseIsCutOff(t *testing.T) {
	s := server()
	path := start(t, s)
	for name, text := range map[string]string{
		"http":                 "GET / HTTP/1.0\r\n\r\n",
		"empty":                "\n",
		"another request":      "request=junk\n\n",
		"no equals sign":       "request=smtpd_access_policy\nclient_address\n\n",
		"a line of a megabyte": "request=smtpd_access_policy\nhelo_name=" + strings.Repeat("x", 1<<20) + "\n\n",
		"a thousand lines":     "request=smtpd_access_policy\n" + strings.Repeat("helo_name="+strings.Repeat("y", 500)+"\n", 1000) + "\n",
		"bytes":                "\x00\xff\xfe\n\n\n",
	} {
		c := dial(t, path)
		go func() { _, _ = io.WriteString(c, text) }()
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	c := dial(t, path)
	fmt.Fprintf(c, asked, "192.0.2.1", "")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "action=421") {
		t.Errorf("after all that: %q, %v", line, err)
	}
}

// More silent connections than a host has processes keep no question from its answer.
func TestManyIdleConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of connections")
	}
	path := start(t, server())
	clients := exec.Command(os.Args[0]) // a process may have too few files for both sides
	clients.Env = append(os.Environ(), idleAt+"="+path)
	hold, err := clients.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := clients.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Close(); _ = clients.Wait() }()
	if line, err := bufio.NewReader(said).ReadString('\n'); line != "connected\n" {
		t.Fatalf("the clients: got %q, %v, want that they are connected", line, err)
	}
	began := time.Now()
	c := dial(t, path)
	fmt.Fprintf(c, asked, "192.0.2.1", "")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "action=421") || time.Since(began) > prompt {
		t.Errorf("got %q, %v after %s", line, err, time.Since(began))
	}
}

func TestPIDOf(t *testing.T) {
	for in, want := range map[string]int{"1a2b.5f3e.2.0": 0x1a2b, "": 0, "zz.1": 0, "12": 0, "ffffffffff.1": 0} {
		if got := pidOf(in); got != want {
			t.Errorf("%q: got %d", in, got)
		}
	}
}

// Whatever is asked, the answer is one of the table, and one line.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(asked, "192.0.2.1", "sasl_username=bob\n")))
	f.Add([]byte("request=smtpd_access_policy\n\nrequest=smtpd_access_policy\nclient_address=::ffff:192.0.2.3\n\n"))
	s := server()
	f.Fuzz(func(t *testing.T, text []byte) {
		ours, theirs := net.Pipe()
		go func() { _, _ = theirs.Write(text); time.Sleep(time.Millisecond); theirs.Close() }()
		var out bytes.Buffer
		done := make(chan struct{})
		var once sync.Once
		go func() { _, _ = io.Copy(&out, onlyReader{theirs}); once.Do(func() { close(done) }) }()
		s.converse(ours)
		ours.Close()
		<-done
		for rest := out.String(); rest != ""; {
			answer, more, ok := strings.Cut(rest, "\n\n")
			if !ok || strings.Contains(answer, "\n") || !strings.HasPrefix(answer, "action=DUNNO") && !strings.HasPrefix(answer, "action=421 4.7.1 CrowdSec decision ") && !strings.HasPrefix(answer, "action=521 5.7.1 CrowdSec decision ") {
				t.Fatalf("got %q", rest)
			}
			rest = more
		}
	})
}

type onlyReader struct{ io.Reader }

func BenchmarkPolicy(b *testing.B) {
	dir := b.TempDir()
	l, err := enforce.Listen(filepath.Join(dir, "s"))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = server().Serve(ctx, l) }()
	b.SetParallelism(32) // 64 connections on two cores
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		q := []byte(fmt.Sprintf(asked, "192.0.2.9", "helo_name=mail.example.org\nsender=a@example.org\nrecipient=b@example.org\n"))
		for pb.Next() {
			if _, err := c.Write(q); err != nil {
				b.Error(err)
				return
			}
			for range 2 {
				if _, err := r.ReadSlice('\n'); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
}

// Postfix keeps its connections open for minutes; a stop does not wait for it, however
// often it asks meanwhile.
func TestStopDoesNotWaitForPostfix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := enforce.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = server().Serve(ctx, l); close(done) }()
	for i := range 20 {
		c := dial(t, path)
		go func() {
			r := bufio.NewReader(c)
			for i%2 == 0 {
				if _, err := fmt.Fprintf(c, asked, "192.0.2.9", ""); err != nil {
					return
				}
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	began := time.Now()
	cancel()
	if <-done; time.Since(began) > prompt {
		t.Errorf("it took %s", time.Since(began))
	}
}
