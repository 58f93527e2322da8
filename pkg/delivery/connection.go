package delivery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

// connection is what pusher and watcher share: the options, the client of the LAPI, and the
// figures. Run alone uses the client.
type connection struct {
	options Options

	lapi      LAPI // nil: not connected
	reconnect atomic.Bool

	mu    sync.Mutex
	stats Stats
}

// Stats returns the figures.
func (c *connection) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

func (c *connection) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// logTrouble logs when trouble begins, changes or ends, not each time.
func (c *connection) logTrouble(err error) {
	now := time.Now()
	c.mu.Lock()
	before, since := c.stats.LastError, c.stats.FailingSince
	if err == nil {
		c.stats.LastError, c.stats.FailingSince = "", time.Time{}
	} else {
		c.stats.Failures++
		c.stats.LastError = err.Error()
		if since.IsZero() {
			c.stats.FailingSince = now
		}
	}
	c.mu.Unlock()
	if err == nil && !since.IsZero() {
		c.options.Log.Info("alerts are delivered again", "after", now.Sub(since).Round(time.Second))
	}
	if err != nil && err.Error() != before {
		c.options.Log.Warn("alerts are not delivered now; they are kept", "error", err, "hint", hint.Of(err))
	}
}

func (c *connection) connect(ctx context.Context) error {
	if c.reconnect.Swap(false) {
		c.disconnect()
	}
	if c.lapi != nil {
		return nil
	}
	client, err := c.options.Connect(ctx)
	if err != nil {
		return err
	}
	c.lapi = client
	return nil
}

func (c *connection) disconnect() {
	if c.lapi != nil {
		c.lapi.Close()
		c.lapi = nil
	}
}

// isRefusal reports whether the credentials must be read again after the error.
func isRefusal(err error) bool { return errors.Is(err, lapi.ErrRefused) }
