package follow

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(10)
		if !r.try(6) || r.try(5) || !r.try(4) {
			t.Fatal("10 bytes are not 6 and 4")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		got := make([]bool, 3)
		for i, n := range []int{6, 6, 60} {
			waiting.Go(func() { got[i] = r.wait(ctx, n) })
			synctest.Wait()
		}
		r.give(6)
		synctest.Wait()
		if fmt.Sprint(got) != "[true false false]" && fmt.Sprint(got) != "[false true false]" {
			t.Errorf("after 6 bytes were freed: %v", got)
		}
		r.give(4)
		r.give(6)
		synctest.Wait()
		cancel()
		waiting.Wait()
		if r.used != 6 && r.used != 60 {
			t.Errorf("%d bytes used; %v", r.used, got)
		}
	})
}

// However long the lines are that come while reading waits: few of them are kept,
// a datagram more is counted as lost, and a stream waits.
func TestSyslogQueueIsBoundedInBytes(t *testing.T) {
	const n, size = 400, 60_000
	line := strings.Repeat("x", size)
	t.Run("udp", func(t *testing.T) {
		source, err := Syslog(SyslogOptions{Network: "udp"})
		if err != nil {
			t.Fatal(err)
		}
		s := source.(*syslogServer)
		kept := 0
		for range n {
			if s.offer(line) {
				kept++
			}
		}
		if kept == 0 || kept*size > maxQueued {
			t.Errorf("%d lines of %d bytes kept", kept, size)
		}
	})
	t.Run("tcp", func(t *testing.T) {
		hold := make(chan struct{})
		s := serve(t, SyslogOptions{Network: "tcp", Address: "127.0.0.1:0"}, hold)
		queue := s.source.(*syslogServer)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			send(t, s.addr, strings.Repeat(line+"\n", n))
		}()
		for last := -1; ; runtime.Gosched() { // until it grows no more
			queue.room.mu.Lock()
			used := queue.room.used
			queue.room.mu.Unlock()
			if used > maxQueued {
				t.Fatalf("%d bytes wait", used)
			}
			if used == last && used+size+1 > maxQueued {
				break
			}
			last = used
		}
		close(hold)
		<-sent
		s.wait(t, n)
		if lost := s.source.Status().Drops; len(lost) != 0 {
			t.Errorf("lost %v", lost)
		}
	})
}
