package socketmap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/decision"
	"csmail/pkg/enforce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func server() *Server {
	table := decision.New(0)
	for i, r := range []decision.Raw{
		{Scope: "Ip", Value: "192.0.2.1", Type: "ban"}, {Scope: "Ip", Value: "192.0.2.3", Type: "captcha"}, {Scope: "Range", Value: "2001:db8:bad::/48", Type: "ban"},
	} {
		r.ID, r.Duration = int64(i+1), "1h"
		d, err := decision.Parse(r, time.Now())
		if err != nil {
			panic(err)
		}
		table.Apply([]decision.Decision{d}, nil, time.Now())
	}
	return &Server{enforce.NewGate(table, enforce.Options{}, nil)}
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func start(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := enforce.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = server().Serve(ctx, l); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return path
}

func TestAnswers(t *testing.T) {
	c := dial(t, start(t))
	r := bufio.NewReader(c)
	for question, want := range map[string]string{
		"psc 192.0.2.1": "OK reject", "psc 192.0.2.9": "NOTFOUND ", "psc 192.0.2.3": "NOTFOUND ", "psc 2001:db8:bad::7": "OK reject",
		"psc 192.0.2": "NOTFOUND ", "psc ": "NOTFOUND ", "": "NOTFOUND ", "psc 127.0.0.1": "NOTFOUND ", "192.0.2.1": "NOTFOUND ",
	} {
		fmt.Fprintf(c, "%d:%s,", len(question), question)
		full := fmt.Sprintf("%d:%s,", len(want), want)
		got := make([]byte, len(full))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != full {
			t.Errorf("%q: got %q, %v", question, got, err)
		}
	}
}

func TestNonsenseIsCutOff(t *testing.T) {
	path := start(t)
	for name, text := range map[string]string{
		"no netstring": "get psc 192.0.2.1\n:", "negative": "-5:hello,", "huge": "99999999:x", "too long": "2000:" + strings.Repeat("x", 2000) + ",", "no comma": "3:abc;",
	} {
		c := dial(t, path)
		_, _ = io.WriteString(c, text)
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("13:psc 192.0.2.1,")
	f.Add("0:,")
	s := server()
	f.Fuzz(func(t *testing.T, text string) {
		question, err := read(bufio.NewReaderSize(strings.NewReader(text), maxQuestion+16))
		if err != nil {
			return
		}
		if answer := s.answer(question); answer != "OK reject" && answer != "NOTFOUND " {
			t.Errorf("%q: got %q", question, answer)
		}
	})
}
