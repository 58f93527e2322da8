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
	return appendFlag(b, s.suspected)
}

func readSSH(d *decoder) sshSession {
	s := sshSession{addr: d.addr(), first: d.varint()}
	for i := range s.told {
		s.told[i] = int(d.varint())
	}
	s.counted, s.expected, s.suspected = int(d.varint()), int(d.varint()), d.flag()
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

func appendLoginKey(b []byte, k loginKey) []byte {
	return appendText(binary.LittleEndian.AppendUint64(b, k.host), k.session)
}

func readLoginKey(d *decoder) loginKey { return loginKey{host: d.uint64(), session: d.text()} }

func appendLogin(b []byte, s loginSession) []byte {
	b = appendTold(appendAddr(b, s.addr), s.told)
	return appendFlag(appendFlag(b, s.faulted), s.ended)
}

func readLogin(d *decoder) loginSession {
	return loginSession{addr: d.addr(), told: readTold(d), faulted: d.flag(), ended: d.flag()}
}

func appendSASL(b []byte, s saslClient) []byte {
	return appendTold(appendTold(appendTold(b, s.dovecot), s.postfix), s.fault)
}

func readSASL(d *decoder) saslClient {
	return saslClient{dovecot: readTold(d), postfix: readTold(d), fault: readTold(d)}
}

func appendTold(b []byte, t told) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, int64(t.attempts)), t.last)
	return appendText(b, t.user)
}

func readTold(d *decoder) told {
	return told{attempts: int(d.varint()), last: d.varint(), user: d.text()}
}

func appendEndpoint(b []byte, k endpoint) []byte { return appendText(appendAddr(b, k.addr), k.port) }

func readEndpoint(d *decoder) endpoint { return endpoint{addr: d.addr(), port: d.text()} }

func appendRefusals(b []byte, s refusals) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, s.first), s.kinds)
}

func readRefusals(d *decoder) refusals { return refusals{first: d.varint(), kinds: d.uvarint()} }

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

func (d *decoder) flag() bool { return d.byte() == 1 }
