package syslog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"csmail/pkg/input"
)

// serveStream accepts connections. A full queue makes the senders wait.
func (s *syslogServer) serveStream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var config net.ListenConfig
	listener, err := config.Listen(ctx, s.Network, s.Address)
	if err != nil {
		return err
	}
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	if err := s.opened(listener.Addr()); err != nil {
		return err
	}
	var connections sync.WaitGroup
	defer connections.Wait()
	defer cancel()
	slots := make(chan struct{}, s.MaxConnections)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		select {
		case slots <- struct{}{}:
		default:
			s.Drop(input.DropTooMany, 1)
			conn.Close()
			continue
		}
		connections.Go(func() {
			defer func() { <-slots }()
			s.serveConnection(ctx, conn)
		})
	}
}

// serveConnection reads the frames of one client until it ends or is silent for too long.
func (s *syslogServer) serveConnection(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	f := &frames{in: bufio.NewReaderSize(conn, 64<<10), conn: conn, idle: s.IdleTimeout, rest: s.FrameTimeout, max: s.MaxLine}
	for {
		message, err := f.next()
		switch {
		case errors.Is(err, errBadFrame):
			s.Drop(input.DropBadFrame, 1)
			s.Log.Warn("closing a connection", "peer", conn.RemoteAddr().String(), "error", err)
			return
		case err != nil:
			if f.unfinished {
				s.Drop(input.DropUnfinished, 1)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.Log.Info("closing a silent connection", "peer", conn.RemoteAddr().String())
			}
			return
		}
		if f.cut {
			s.Drop(input.DropCut, 1)
		}
		line := s.lineOf(message)
		if line != "" && !s.put(ctx, line) {
			return
		}
	}
}

var errBadFrame = errors.New("an octet count that no message can have (RFC 6587 section 3.4.1)")

// maxFrame bounds an octet count; the message itself is cut at the line limit.
const maxFrame = 1 << 20

// frames takes messages from a stream (RFC 6587): with an octet count (section
// 3.4.1), or each ended by LF or NUL (3.4.2). Every message may choose.
type frames struct {
	in         *bufio.Reader
	conn       interface{ SetReadDeadline(time.Time) error }
	idle, rest time.Duration
	max        int
	cut        bool // the last message lost its end
	unfinished bool // the stream ended inside a message
}

func (f *frames) deadline(d time.Duration) error { return f.conn.SetReadDeadline(time.Now().Add(d)) }

// next returns the next message, which is valid until the call after it.
func (f *frames) next() ([]byte, error) {
	f.cut = false
	if err := f.deadline(f.idle); err != nil {
		return nil, err
	}
	first, err := f.in.Peek(1)
	if err != nil {
		return nil, err
	}
	f.unfinished = true
	if err := f.deadline(f.rest); err != nil {
		return nil, err
	}
	var message []byte
	count, counted, err := 0, false, error(nil)
	if first[0] >= '1' && first[0] <= '9' {
		count, counted, err = f.count()
	}
	switch {
	case err != nil:
	case counted:
		message, err = f.counted(count)
	default:
		message, err = f.delimited()
	}
	f.unfinished = err != nil
	return message, err
}

// count takes MSG-LEN SP from the stream. Digits without a space begin a line:
// an RFC 3339 stamp without <PRI>.
func (f *frames) count() (n int, ok bool, err error) {
	for length := 2; length <= 9; length++ {
		start, err := f.in.Peek(length)
		if err != nil {
			return 0, false, err
		}
		switch c := start[length-1]; {
		case c == ' ':
			n, err := strconv.Atoi(string(start[:length-1]))
			if err != nil || n > maxFrame {
				return 0, false, errBadFrame
			}
			_, err = f.in.Discard(length)
			return n, true, err
		case c < '0' || c > '9':
			return 0, false, nil
		}
	}
	return 0, false, errBadFrame
}

// counted reads a frame with its length in front (RFC 6587, octet counting).
func (f *frames) counted(n int) ([]byte, error) {
	message := make([]byte, min(n, f.max))
	if _, err := io.ReadFull(f.in, message); err != nil {
		return nil, err
	}
	f.cut = n > f.max
	_, err := f.in.Discard(n - len(message))
	return message, err
}

// delimited reads to LF or NUL, and keeps no more than max bytes of it.
func (f *frames) delimited() ([]byte, error) {
	var message []byte
	for {
		if _, err := f.in.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := f.in.Peek(f.in.Buffered())
		end := bytes.IndexAny(chunk, "\n\x00")
		if end >= 0 {
			chunk = chunk[:end]
		}
		kept := chunk[:min(len(chunk), f.max-len(message))]
		f.cut = f.cut || len(kept) < len(chunk)
		message = append(message, kept...)
		if end >= 0 {
			_, err := f.in.Discard(end + 1)
			return message, err
		}
		if _, err := f.in.Discard(len(chunk)); err != nil {
			return nil, err
		}
	}
}
