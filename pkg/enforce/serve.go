package enforce

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Serve accepts connections until the context ends, and hands each to a goroutine of its
// own. Then it closes the listener first and the connections after it, and returns when
// the last has ended. Trouble with accepting is waited out.
func Serve(ctx context.Context, l net.Listener, handle func(net.Conn)) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]struct{}{}
	stop := context.AfterFunc(ctx, func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for c := range open {
			_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond)) // what is under way is answered
		}
	})
	defer stop()
	defer group.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			pause(ctx, 50*time.Millisecond) // no file left: others close theirs
			continue
		}
		mu.Lock()
		open[c] = struct{}{}
		mu.Unlock()
		group.Go(func() {
			defer func() {
				mu.Lock()
				delete(open, c)
				mu.Unlock()
				c.Close()
			}()
			if ctx.Err() == nil {
				handle(c)
			}
		})
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
