package session

import (
	"encoding/binary"

	"csmail/pkg/event"
)

func appendSSHKey(b []byte, k sshKey) []byte {
	return binary.AppendVarint(binary.LittleEndian.AppendUint64(b, k.host), int64(k.pid))
}

func readSSHKey(d *decoder) sshKey { return sshKey{host: d.uint64(), pid: int(d.varint())} }

func appendSSH(b []byte, s sshSession) []byte {
	b = binary.AppendVarint(appendAddr(b, s.addr), s.first)
	for _, n := range s.told {
		b = binary.AppendVarint(b, int64(n))
	}
	b = binary.AppendVarint(binary.AppendVarint(b, int64(s.counted)), int64(s.expected))
	if s.suspected {
		return append(b, 1)
	}
	return append(b, 0)
}

func readSSH(d *decoder) sshSession {
	s := sshSession{addr: d.addr(), first: d.varint()}
	for i := range s.told {
		s.told[i] = int(d.varint())
	}
	s.counted, s.expected, s.suspected = int(d.varint()), int(d.varint()), d.byte() == 1
	return s
}

func appendPAMKey(b []byte, k pamKey) []byte { return append(appendAddr(b, k.addr), byte(k.service)) }

func readPAMKey(d *decoder) pamKey {
	return pamKey{addr: d.addr(), service: event.Service(d.byte())}
}

func appendPAM(b []byte, s pamSession) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, int64(s.attempts)), s.last)
}

func readPAM(d *decoder) pamSession {
	return pamSession{attempts: int(d.varint()), last: d.varint()}
}
