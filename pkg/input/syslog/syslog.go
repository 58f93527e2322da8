// Package syslog receives syslog over UDP, TCP and unix sockets (RFC 3164, RFC 5424, RFC
// 5426, RFC 6587).
//
// The protocol has no acknowledgement, so messages that are under way when the process
// ends are lost. Messages that are dropped because the queue is full are counted, and so
// are those that the kernel dropped on Linux (SO_RXQ_OVFL). For example, csmail status
// shows "12 queue full" beside the input. The package sends no answer.
package syslog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// Options say where syslog messages are received.
type Options struct {
	// Network is udp (RFC 5426), tcp (RFC 6587), unixgram or unix (as /dev/log).
	Network string
	// Address is host:port, or the path of a socket.
	Address string
	// SocketMode of a unix socket, 0660 if 0.
	SocketMode     fs.FileMode
	MaxLine        int           // bytes; 64 KiB if 0
	MaxConnections int           // 256 if 0
	FrameTimeout   time.Duration // for the rest of a message that has begun; 30 s if 0
	IdleTimeout    time.Duration // between two messages of a connection; an hour if 0
	Queue          int           // lines between receiver and emit; 10,000 if 0
	Logger         *slog.Logger  // nil logs nothing

	clock input.Clock
	ready func(net.Addr) // for tests: called when the socket is bound
}

// syslogServer receives syslog. Messages in the queue are lost when the process ends,
// because the protocol has no acknowledgement.
type syslogServer struct {
	Options
	*input.Meter
	queue chan arrival
	room  *semaphore.Weighted // bytes of the lines in queue
}

// maxQueued bounds the lines between receiver and emit in bytes: a sender of long
// ones must not fill the memory while reading waits.
const maxQueued = 8 << 20

// arrival is one line and when it came.
type arrival struct {
	line string
	at   time.Time
}

var _ input.Input = (*syslogServer)(nil)

// New returns a syslog receiver as an input. The lines come as they were
// sent, with their <PRI>, each with a newline; control characters in a message
// that would end a line are written as rsyslog writes them (#012).
func New(o Options) (input.Input, error) {
	switch o.Network {
	case "udp", "tcp", "unix", "unixgram":
	default:
		return nil, hint.Wrap(fmt.Errorf("syslog over %q", o.Network), "the networks are udp, tcp, unix and unixgram")
	}
	if o.clock == nil {
		o.clock = input.WallClock{}
	}
	orDefault(&o.SocketMode, 0o660)
	orDefault(&o.MaxLine, input.MaxLine)
	orDefault(&o.MaxConnections, 256)
	orDefault(&o.FrameTimeout, 30*time.Second)
	orDefault(&o.IdleTimeout, time.Hour)
	orDefault(&o.Queue, 10_000)
	s := &syslogServer{Options: o, queue: make(chan arrival, o.Queue), room: semaphore.NewWeighted(maxQueued)}
	s.Meter = input.NewMeter(s.Name(), o.Logger)
	s.SetLag(-1)
	return s, nil
}

func orDefault[V comparable](v *V, fallback V) {
	if *v == *new(V) {
		*v = fallback
	}
}

func (s *syslogServer) Name() string { return s.Network + ":" + s.Address }

// Follow takes no cursor: messages sent while csmail was not listening are gone.
func (s *syslogServer) Follow(ctx context.Context, _ input.Cursor, emit func(input.Batch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var receivers sync.WaitGroup
	receivers.Go(func() { s.listen(ctx) })
	err := s.forward(ctx, emit)
	cancel(err)
	receivers.Wait()
	return err
}

// listen binds the socket and serves it, again and again.
func (s *syslogServer) listen(ctx context.Context) {
	var retry input.Backoff
	for ctx.Err() == nil {
		begun := s.clock.Now()
		err := s.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if s.clock.Now().Sub(begun) > input.LastRetry {
			retry.Succeed()
		}
		s.Set(input.Failing, s.explain(err))
		s.Restarted()
		if input.Pause(ctx, s.clock, retry.Fail(), nil) != nil {
			return
		}
	}
}

// explain adds a hint to an error of listening.
func (s *syslogServer) explain(err error) error {
	err = fmt.Errorf("receiving syslog on %s: %w", s.Name(), err)
	switch {
	case hint.Of(err) != "":
		return err
	case errors.Is(err, syscall.EADDRINUSE):
		return hint.Wrap(err, "another program listens there; `ss -lnptu` tells which")
	case errors.Is(err, fs.ErrPermission):
		return hint.Wrap(err, "a port below 1024 needs CAP_NET_BIND_SERVICE, a socket a folder that csmail may write; take another port or path")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return hint.Wrap(err, "no interface has that address")
	}
	return err
}

// serve receives until the context ends.
func (s *syslogServer) serve(ctx context.Context) error {
	if strings.HasPrefix(s.Network, "unix") {
		if err := clearStale(s.Network, s.Address); err != nil {
			return err
		}
		defer os.Remove(s.Address)
	}
	if s.Network == "udp" || s.Network == "unixgram" {
		return s.servePackets(ctx)
	}
	return s.serveStream(ctx)
}

// opened is called with each socket once it is bound.
func (s *syslogServer) opened(addr net.Addr) error {
	if strings.HasPrefix(s.Network, "unix") {
		if err := os.Chmod(s.Address, s.SocketMode); err != nil {
			return err
		}
	}
	s.Set(input.Following, nil)
	if s.ready != nil {
		s.ready(addr)
	}
	return nil
}

// clearStale removes a socket without a listener.
func clearStale(network, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return hint.Wrap(fmt.Errorf("%q is there and is no socket", path), "name another path, or move the file away")
	}
	for _, kind := range []string{network, "unix", "unixgram"} {
		conn, err := net.Dial(kind, path)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EPROTOTYPE) {
			return hint.Wrap(fmt.Errorf("another program listens on %q", path), "`ss -lxp` tells which; name another path")
		}
	}
	return os.Remove(path)
}

// forward collects queued messages in batches.
func (s *syslogServer) forward(ctx context.Context, emit func(input.Batch) error) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case first := <-s.queue:
			b := s.collect(first)
			s.Count(&b)
			if err := emit(b); err != nil {
				return err
			}
		}
	}
}

// collect makes a batch of first and the messages that are queued already.
func (s *syslogServer) collect(first arrival) input.Batch {
	var text strings.Builder
	last := first
	text.WriteString(first.line)
	defer func() { s.room.Release(int64(text.Len())) }()
	for text.Len() < input.MaxBatch {
		select {
		case last = <-s.queue:
			text.WriteString(last.line)
			continue
		default:
		}
		break
	}
	return input.Batch{Log: s.Name(), Text: text.String(), Received: last.at, Read: s.clock.Now(), Lag: -1}
}

// offer queues a line if there is room.
func (s *syslogServer) offer(line string) bool {
	if !s.room.TryAcquire(int64(len(line))) {
		return false
	}
	select {
	case s.queue <- arrival{line, s.clock.Now()}:
		return true
	default:
		s.room.Release(int64(len(line)))
		return false
	}
}

// put queues a line as soon as there is room; false if ctx ends before.
func (s *syslogServer) put(ctx context.Context, line string) bool {
	if s.room.Acquire(ctx, int64(len(line))) != nil {
		return false
	}
	select {
	case s.queue <- arrival{line, s.clock.Now()}:
		return true
	case <-ctx.Done():
		s.room.Release(int64(len(line)))
		return false
	}
}

// lineOf makes one line of a message, "" of an empty one.
func (s *syslogServer) lineOf(message []byte) string {
	text := strings.TrimRight(string(message), "\r\n\x00")
	if text == "" {
		return ""
	}
	if len(text) > s.MaxLine {
		text = text[:s.MaxLine]
		s.Drop(input.DropCut, 1)
	}
	return escape.Replace(text) + "\n"
}

// escape keeps a message one line. A client's text in it must not begin a second.
var escape = strings.NewReplacer("\n", "#012", "\r", "#015", "\x00", "#000")
