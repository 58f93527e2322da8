package daemon

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

func TestLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := limit(socket, 2)
	accepted := make(chan net.Conn)
	failed := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				failed <- err
				return
			}
			accepted <- conn
		}
	}()
	var open []net.Conn
	for range 4 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for range 2 {
		open = append(open, <-accepted)
	}
	if n := len(l.(*limited).slots); n != 2 {
		t.Errorf("%d of 2 slots taken", n)
	}
	select {
	case <-accepted:
		t.Error("a third was accepted")
	default:
	}
	open[0].Close()
	open[0].Close() // a second time frees nothing
	third := <-accepted
	select {
	case <-accepted:
		t.Error("a fourth was accepted")
	default:
	}
	l.Close() // while Accept waits for a slot
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	third.Close()
	open[1].Close()
}
