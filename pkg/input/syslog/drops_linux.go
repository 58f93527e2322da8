package syslog

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// countKernelDrops asks for the number of lost datagrams with each one that
// comes (socket(7), SO_RXQ_OVFL).
func countKernelDrops(network, _ string, raw syscall.RawConn) error {
	if network == "unixgram" {
		return nil // the sender of a unix datagram is made to wait
	}
	var inner error
	err := raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	})
	if err != nil {
		return err
	}
	return inner
}

func kernelDrops(control []byte) (uint32, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
