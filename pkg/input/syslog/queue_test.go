package syslog

import (
	"runtime"
	"strings"
	"testing"
)

// However long the lines are that come while reading waits: few of them are kept,
// a datagram more is counted as lost, and a stream waits.
func TestSyslogQueueIsBoundedInBytes(t *testing.T) {
	const n, size = 400, 60_000
	line := strings.Repeat("x", size)
	t.Run("udp", func(t *testing.T) {
		source, err := New(Options{Network: "udp"})
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
		s := serve(t, Options{Network: "tcp", Address: "127.0.0.1:0"}, hold)
		queue := s.source.(*syslogServer)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			send(t, s.addr, strings.Repeat(line+"\n", n))
		}()
		for queue.room.TryAcquire(size + 1) { // until there is no room for one more
			queue.room.Release(size + 1)
			runtime.Gosched()
		}
		if waits := len(queue.queue) * size; waits == 0 || waits > maxQueued {
			t.Errorf("%d bytes wait", waits)
		}
		close(hold)
		<-sent
		s.wait(t, n)
		if lost := s.source.Status().Drops; len(lost) != 0 {
			t.Errorf("lost %v, want no lost", lost)
		}
	})
}
