package enforce

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// farewell is how long questions that are under way at the end may take.
const farewell = 500 * time.Millisecond

// Serve accepts connections until the context ends, each in a goroutine of its own. Then
// it closes the listener, waits half a second for the questions in progress, closes the
// connections, and returns when the last goroutine has ended. After an error of accepting
// it tries again.
func Serve(ctx context.Context, l net.Listener, handle func(net.Conn)) error {
	s := &serving{open: map[net.Conn]struct{}{}}
	ctx, cancel := context.WithCancel(ctx)
	defer s.group.Wait()
	defer cancel()
	s.group.Go(func() {
		<-ctx.Done()
		l.Close()
		s.end()
	})
	for {
		c, err := l.Accept()
		if err == nil {
			s.start(c, handle)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return ctx.Err()
		}
		pause(ctx, 50*time.Millisecond) // no file is left: others close theirs
	}
}

// serving holds the open connections of a server.
type serving struct {
	group sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]struct{}
}

func (s *serving) start(c net.Conn, handle func(net.Conn)) {
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	s.group.Go(func() {
		defer func() {
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
			c.Close()
		}()
		handle(c)
	})
}

// end closes all connections. Most wait for a question: Postfix keeps a connection for
// minutes.
func (s *serving) end() {
	for waited := time.Duration(0); waited < farewell && s.count() > 0; waited += farewell / 10 {
		s.each(func(c net.Conn) { _ = c.SetReadDeadline(time.Now()) }) // an idle one ends, an answer may still be written
		time.Sleep(farewell / 10)
	}
	s.each(func(c net.Conn) { c.Close() })
}

func (s *serving) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *serving) each(f func(net.Conn)) {
	s.mu.Lock()
	var all []net.Conn
	for c := range s.open {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
