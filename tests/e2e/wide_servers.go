//go:build e2e

package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// serveHangup is a login service for Postfix that offers PLAIN and LOGIN, and
// hangs up when it is asked: a Dovecot that dies.
func serveHangup(died chan<- error) error {
	_ = os.Remove(authSocket)
	listener, err := net.Listen("unix", authSocket)
	if err != nil {
		return fmt.Errorf("login service: %w", err)
	}
	if err := os.Chmod(authSocket, 0o666); err != nil {
		return err
	}
	go accept(listener, died, func(conn net.Conn) {
		fmt.Fprintf(conn, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00112233445566778899aabbccddeeff\nDONE\n")
		lines := bufio.NewScanner(conn)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "AUTH\t") {
		}
	})
	return nil
}

func accept(listener net.Listener, died chan<- error, serve func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			died <- err
			return
		}
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}

// serveMilter refuses the sender refused@ for good, delayed@ for now, and every
// message that reaches its end.
func serveMilter(died chan<- error) error {
	listener, err := net.Listen("tcp", milterAddress)
	if err != nil {
		return fmt.Errorf("milter: %w", err)
	}
	go accept(listener, died, func(conn net.Conn) {
		for {
			command, data, err := readMilter(conn)
			if err != nil || command == 'Q' {
				return
			}
			if reply := milterReply(command, data); reply != "" {
				writeMilter(conn, reply)
			}
		}
	})
	return nil
}

// milterReply answers one command of the milter protocol, version 6; macros (D)
// and the end of a transaction (A) get no answer.
func milterReply(command byte, data string) string {
	switch command {
	case 'O':
		return "O\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00"
	case 'D', 'A':
		return ""
	case 'M':
		switch {
		case strings.Contains(data, "refused@"):
			return "y550 5.7.1 We do not want this\x00"
		case strings.Contains(data, "delayed@"):
			return "y451 4.7.1 Try again later\x00"
		}
	case 'E':
		return "y554 5.7.1 Spam message rejected\x00"
	}
	return "c"
}

func readMilter(conn net.Conn) (command byte, data string, err error) {
	var size uint32
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		return 0, "", err
	}
	if size == 0 || size > 1<<20 {
		return 0, "", fmt.Errorf("milter packet of %d bytes", size)
	}
	packet := make([]byte, size)
	if _, err := io.ReadFull(conn, packet); err != nil {
		return 0, "", err
	}
	return packet[0], string(packet[1:]), nil
}

func writeMilter(conn net.Conn, packet string) {
	_, _ = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...))
}
