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
	for _, module := range s.modules {
		b = binary.LittleEndian.AppendUint64(b, module)
	}
	for _, n := range s.reported {
		b = binary.AppendVarint(b, int64(n))
	}
	b = binary.AppendVarint(binary.AppendVarint(b, int64(s.counted)), int64(s.expected))
	return appendFlag(b, s.suspected)
}

func readSSH(d *decoder) sshSession {
	s := sshSession{addr: d.addr(), first: d.varint()}
	for i := range s.modules {
		s.modules[i] = d.uint64()
	}
	for i := range s.reported {
		s.reported[i] = int(d.varint())
	}
	s.counted, s.expected, s.suspected = int(d.varint()), int(d.varint()), d.flag()
	return s
}

func appendPAMKey(b []byte, k pamKey) []byte {
	return append(appendClientKey(b, k.clientKey), byte(k.service))
}

func readPAMKey(d *decoder) pamKey {
	return pamKey{readClientKey(d), event.Service(d.byte())}
}

func appendPAM(b []byte, s pamSession) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, int64(s.attempts)), s.last)
}

func readPAM(d *decoder) pamSession {
	return pamSession{attempts: int(d.varint()), last: d.varint()}
}

func appendLoginKey(b []byte, k loginKey) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, k.host), k.session)
}

func readLoginKey(d *decoder) loginKey { return loginKey{host: d.uint64(), session: d.uint64()} }

func appendLogin(b []byte, s loginSession) []byte {
	b = appendReported(appendAddr(b, s.addr), s.reported)
	return appendFlag(appendFlag(b, s.faulted), s.ended)
}

func readLogin(d *decoder) loginSession {
	return loginSession{addr: d.addr(), reported: readReported(d), faulted: d.flag(), ended: d.flag()}
}

func appendSASL(b []byte, s saslClient) []byte {
	b = appendReported(appendReported(appendReported(b, s.dovecot), s.postfix), s.fault)
	return binary.AppendVarint(b, s.failed)
}

func readSASL(d *decoder) saslClient {
	return saslClient{dovecot: readReported(d), postfix: readReported(d), fault: readReported(d), failed: d.varint()}
}

func appendReported(b []byte, p reported) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, int64(p.attempts)), p.last)
	return appendAccount(b, p.user)
}

func readReported(d *decoder) reported {
	return reported{attempts: int(d.varint()), last: d.varint(), user: readAccount(d)}
}

func appendAccount(b []byte, a event.AccountHash) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, a.Name), a.Domain)
}

func readAccount(d *decoder) event.AccountHash {
	return event.AccountHash{Name: d.uint64(), Domain: d.uint64()}
}

func appendClientKey(b []byte, k clientKey) []byte {
	return appendAddr(binary.LittleEndian.AppendUint64(b, k.host), k.addr)
}

func readClientKey(d *decoder) clientKey { return clientKey{host: d.uint64(), addr: d.addr()} }

func appendConnectionKey(b []byte, k connectionKey) []byte {
	return binary.AppendUvarint(appendClientKey(b, k.clientKey), uint64(k.port))
}

func readConnectionKey(d *decoder) connectionKey {
	return connectionKey{readClientKey(d), uint16(d.uvarint())}
}

func appendScreening(b []byte, s screening) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, s.first), s.last)
	return appendFlag(binary.AppendVarint(append(b, byte(s.kind)), int64(s.attempts)), s.hungUp)
}

func readScreening(d *decoder) screening {
	return screening{first: d.varint(), last: d.varint(), kind: d.kind(), attempts: int(d.varint()), hungUp: d.flag()}
}

func appendModules(b []byte, m moduleReports) []byte {
	for _, p := range m {
		b = binary.AppendVarint(appendAccount(b, p.user), p.at)
		for _, module := range p.modules {
			b = binary.LittleEndian.AppendUint64(b, module)
		}
	}
	return b
}

func readModules(d *decoder) moduleReports {
	var m moduleReports
	for i := range m {
		m[i].user, m[i].at = readAccount(d), d.varint()
		for n := range m[i].modules {
			m[i].modules[n] = d.uint64()
		}
	}
	return m
}

func appendHostDaemons(b []byte, h hostDaemons) []byte {
	return appendFlag(appendFlag(b, h.smtpd), h.dovecot)
}

func readHostDaemons(d *decoder) hostDaemons { return hostDaemons{d.flag(), d.flag()} }

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

func (d *decoder) flag() bool { return d.byte() == 1 }
