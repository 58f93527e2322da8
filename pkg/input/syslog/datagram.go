package syslog

import (
	"context"
	"net"

	"csmail/pkg/input"
)

// receiveBuffer is the size that csmail requests from the kernel for bursts of
// datagrams. The kernel grants at most net.core.rmem_max.
const receiveBuffer = 4 << 20

// servePackets receives one message a datagram. When the queue is full the line is
// counted and lost, because a sender of datagrams cannot be slowed down.
func (s *syslogServer) servePackets(ctx context.Context) error {
	config := net.ListenConfig{Control: countKernelDrops}
	conn, err := config.ListenPacket(ctx, s.Network, s.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := s.opened(conn.LocalAddr()); err != nil {
		return err
	}
	if sized, ok := conn.(interface{ SetReadBuffer(int) error }); ok {
		_ = sized.SetReadBuffer(receiveBuffer) // less is enough for most
	}
	buffer := make([]byte, 64<<10)
	control := make([]byte, 256)
	lost := uint32(0)
	for {
		n, oob, err := readPacket(conn, buffer, control)
		if err != nil {
			return err
		}
		if total, ok := kernelDrops(control[:oob]); ok && total != lost {
			s.Drop(input.DropKernel, int64(total-lost))
			lost = total
		}
		line := s.lineOf(buffer[:n])
		if line != "" && !s.offer(line) {
			s.Drop(input.DropQueueFull, 1)
		}
	}
}

func readPacket(conn net.PacketConn, buffer, control []byte) (n, oob int, err error) {
	switch c := conn.(type) {
	case *net.UDPConn:
		n, oob, _, _, err = c.ReadMsgUDP(buffer, control)
	case *net.UnixConn:
		n, oob, _, _, err = c.ReadMsgUnix(buffer, control)
	default:
		n, _, err = conn.ReadFrom(buffer)
	}
	return n, oob, err
}
