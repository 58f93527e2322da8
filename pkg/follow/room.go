package follow

import (
	"context"
	"sync"
)

// room is how many bytes may wait. Its methods are safe for concurrent use.
type room struct {
	mu    sync.Mutex
	freed sync.Cond
	used  int
	most  int
}

func newRoom(most int) *room {
	r := &room{most: most}
	r.freed.L = &r.mu
	return r
}

// try takes n bytes if they are there. One of any size has room alone.
func (r *room) try(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.take(n)
}

func (r *room) take(n int) bool {
	if r.used > 0 && r.used+n > r.most {
		return false
	}
	r.used += n
	return true
}

// wait takes n bytes once they are there; false if ctx ends before.
func (r *room) wait(ctx context.Context, n int) bool {
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.freed.Broadcast()
	})()
	r.mu.Lock()
	defer r.mu.Unlock()
	for ctx.Err() == nil {
		if r.take(n) {
			return true
		}
		r.freed.Wait()
	}
	return false
}

// give gives n bytes back.
func (r *room) give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	r.freed.Broadcast()
}
