package syslog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// serving is a syslog receiver in the background.
type serving struct {
	*reader
	source input.Input
	addr   net.Addr
}

func serve(t *testing.T, o Options, hold chan struct{}) *serving {
	t.Helper()
	ready := make(chan net.Addr, 1)
	o.ready = func(addr net.Addr) { ready <- addr }
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	source, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{reader: newReader(), source: source}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := source.Follow(ctx, "", func(b input.Batch) error {
			if hold != nil {
				select {
				case <-hold:
				case <-ctx.Done():
				}
			}
			s.take(b)
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow: %v, want %q", err, context.Canceled)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case s.addr = <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("not listening")
	}
	return s
}

func (s *serving) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "")
}

func send(t *testing.T, addr net.Addr, packets ...string) {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, p := range packets {
		if _, err := io.WriteString(conn, p); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	old3164 = "<22>Nov 24 03:00:00 mx postfix/smtpd[7]: connect from unknown[192.0.2.1]"
	new5424 = "<22>1 2026-11-24T03:00:00Z mx postfix/smtpd 7 - - connect from unknown[192.0.2.2]"
	bare    = "2026-11-24T03:00:00Z mx postfix/smtpd[7]: connect from unknown[192.0.2.3]"
)

func counted(m string) string { return fmt.Sprintf("%d %s", len(m), m) }

func TestSyslogTransports(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		network, address string
		packets          []string
		want             string
	}{
		"udp":             {"udp", "127.0.0.1:0", []string{old3164, new5424 + "\n"}, old3164 + "\n" + new5424 + "\n"},
		"udp, two lines":  {"udp", "127.0.0.1:0", []string{old3164 + "\nNov 24 forged"}, old3164 + "#012Nov 24 forged\n"},
		"tcp, lines":      {"tcp", "127.0.0.1:0", []string{old3164 + "\r\n" + new5424[:20], new5424[20:] + "\n" + bare + "\n"}, old3164 + "\n" + new5424 + "\n" + bare + "\n"},
		"tcp, counted":    {"tcp", "127.0.0.1:0", []string{counted(old3164) + counted(new5424)}, old3164 + "\n" + new5424 + "\n"},
		"tcp, counted LF": {"tcp", "127.0.0.1:0", []string{counted(old3164 + "\nforged")}, old3164 + "#012forged\n"},
		"tcp, both kinds": {"tcp", "127.0.0.1:0", []string{counted(old3164) + new5424 + "\n" + counted(old3164)}, old3164 + "\n" + new5424 + "\n" + old3164 + "\n"},
		"unixgram":        {"unixgram", dir + "/gram", []string{old3164, new5424 + "\x00"}, old3164 + "\n" + new5424 + "\n"},
		"unix":            {"unix", dir + "/stream", []string{old3164 + "\x00" + new5424 + "\n"}, old3164 + "\n" + new5424 + "\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{Network: test.network, Address: test.address}, nil)
			send(t, s.addr, test.packets...)
			s.wait(t, strings.Count(test.want, "\n"))
			if got := s.text(); got != test.want {
				t.Errorf("got %q", got)
			}
			if st := s.source.Status(); st.State != input.Following || len(st.Drops) != 0 {
				t.Errorf("status %+v, want State %v, no Drops", st, input.Following)
			}
		})
	}
}

func TestSyslogLimits(t *testing.T) {
	tests := map[string]struct {
		packet, want, reason string
	}{
		"a long line":         {old3164 + "\n" + new5424 + "\n", old3164[:20] + "\n" + new5424[:20] + "\n", input.DropCut},
		"a long counted line": {counted(old3164) + counted(new5424), old3164[:20] + "\n" + new5424[:20] + "\n", input.DropCut},
		"a count too large":   {"<1>x\n99999999 x", "<1>x\n", input.DropBadFrame},
		"digits without end":  {"<1>x\n1234567890123", "<1>x\n", input.DropBadFrame},
		"cut in the middle":   {"<1>x\n<1>half", "<1>x\n", input.DropUnfinished},
		"cut in a count":      {"<1>x\n50 half", "<1>x\n", input.DropUnfinished},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{Network: "tcp", Address: "127.0.0.1:0", MaxLine: 20}, nil)
			send(t, s.addr, test.packet)
			s.wait(t, strings.Count(test.want, "\n"))
			if got := s.text(); got != test.want {
				t.Errorf("got %q", got)
			}
			until(t, test.reason, func() bool { return s.source.Status().Drops[test.reason] > 0 })
		})
	}
}

func TestSyslogClosesSilentAndSurplusConnections(t *testing.T) {
	s := serve(t, Options{Network: "tcp", Address: "127.0.0.1:0", MaxConnections: 1, IdleTimeout: 300 * time.Millisecond}, nil)
	first, err := net.Dial("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := io.WriteString(first, "<1>x\n"); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	second, err := net.Dial("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for name, conn := range map[string]net.Conn{"surplus": second, "silent": first} {
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) {
			t.Logf("%s: %v", name, err) // reset is an end too
		}
	}
	if n := s.source.Status().Drops[input.DropTooMany]; n != 1 {
		t.Errorf("%d connections refused, want 1", n)
	}
}

// When nobody takes the lines, datagrams are dropped and counted, and a stream
// makes its sender wait and loses nothing.
func TestSyslogBackpressure(t *testing.T) {
	const total = 2000
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			hold := make(chan struct{})
			s := serve(t, Options{Network: network, Address: "127.0.0.1:0", Queue: 10}, hold)
			var sender sync.WaitGroup
			sender.Go(func() {
				conn, err := net.Dial(network, s.addr.String())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				for n := range total {
					if _, err := io.WriteString(conn, line(n+1)); err != nil {
						t.Error(err)
					}
				}
			})
			if network == "udp" {
				sender.Wait()
				until(t, "drops", func() bool { return s.source.Status().Drops[input.DropQueueFull] >= 1 })
				close(hold)
				until(t, "every line is there or counted", func() bool {
					st := s.source.Status()
					return st.Lines+st.Drops[input.DropQueueFull]+st.Drops[input.DropKernel] == total
				})
				return
			}
			close(hold)
			sender.Wait()
			s.wait(t, total)
			s.check(t, total)
		})
	}
}

func TestStaleSocket(t *testing.T) {
	for _, network := range []string{"unix", "unixgram"} {
		path := filepath.Join(t.TempDir(), "log")
		addr := &net.UnixAddr{Name: path, Net: network}
		var live io.Closer
		if network == "unix" {
			l, err := net.ListenUnix(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			live = l
		} else {
			c, err := net.ListenUnixgram(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			live = c
		}
		for _, other := range []string{"unix", "unixgram"} {
			err := clearStale(other, path)
			if err == nil || hint.Of(err) != "`ss -lxp` tells which; name another path" {
				t.Errorf("a living %s for %s: %v, want an error, hint %q", network, other, err, "`ss -lxp` tells which; name another path")
			}
		}
		live.Close()
		if err := clearStale(network, path); err != nil {
			t.Errorf("a dead %s: %v", network, err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the dead %s is still there, want %q", network, os.ErrNotExist)
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := clearStale("unix", path); err == nil || hint.Of(err) != "name another path, or move the file away" {
		t.Errorf("a file: %v, want an error, hint \"name another path, or move the file away\"", err)
	}
}

func TestSyslogBusyPort(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	source, err := New(Options{Network: "tcp", Address: other.Addr().String(), clock: stopClock{cancel}})
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Follow(ctx, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: %v, want %q", err, context.Canceled)
	}
	s := source.Status()
	if s.State != input.Failing || hint.Of(s.Err) != "another program listens there; `ss -lnptu` tells which" {
		t.Errorf("status %+v, hint %q, want State %v, hint %q",
			s, hint.Of(s.Err), input.Failing, "another program listens there; `ss -lnptu` tells which")
	}
	if _, err := New(Options{Network: "sctp"}); err == nil || hint.Of(err) != "the networks are udp, tcp, unix and unixgram" {
		t.Errorf("sctp: %v, want an error, hint \"the networks are udp, tcp, unix and unixgram\"", err)
	}
}

type noDeadline struct{}

func (noDeadline) SetReadDeadline(time.Time) error { return nil }

// Whatever a peer sends, a frame is no longer than the limit, and how the bytes
// are cut on their way changes nothing.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{old3164 + "\n", counted(old3164), "5 <1>xx<1>y\n", "0 \n", "12345678901\n", "\x00\x00\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		read := func(r io.Reader) (all []string) {
			frames := &frames{in: newBufio(r), conn: noDeadline{}, max: 40}
			for {
				message, err := frames.next()
				if err != nil {
					return append(all, err.Error())
				}
				if len(message) > 40 {
					t.Fatalf("%d bytes, want message at most 40", len(message))
				}
				all = append(all, string(message))
			}
		}
		whole := read(bytes.NewReader(stream))
		bytewise := read(iotest.OneByteReader(bytes.NewReader(stream)))
		if fmt.Sprint(whole) != fmt.Sprint(bytewise) {
			t.Errorf("%q and %q, want whole %v", whole, bytewise, fmt.Sprint(bytewise))
		}
	})
}

func newBufio(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }
