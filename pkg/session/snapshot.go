package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// snapshotVersion is the first byte of a snapshot. It changes with the layout and
// with the meaning of what is in it. Version 6 had the logins that ended among the
// others, and is read.
const (
	snapshotVersion = 7
	version6        = 6
)

// AppendSnapshot appends all that j remembers to b. A Joiner that restores it
// goes on exactly as j would.
func (j *Joiner) AppendSnapshot(b []byte) []byte {
	b = append(b, snapshotVersion)
	b = appendMemory(b, j.smtp, appendProcessKey, appendSMTP)
	b = appendMemory(b, j.logins, appendLoginKey, appendLogin)
	b = appendMemory(b, j.sasl, appendAddr, appendSASL)
	b = appendMemory(b, j.screened, appendAddr, binary.AppendVarint)
	b = appendMemory(b, j.refused, appendEndpoint, appendRefusals)
	b = appendRecent(b, j.messages)
	b = appendMemory(b, j.ssh, appendSSHKey, appendSSH)
	b = appendMemory(b, j.pam, appendPAMKey, appendPAM)
	return appendMemory(b, j.ended, appendLoginKey, appendLogin)
}

// Restore takes a snapshot for what j remembers; b must hold nothing else. After
// an error j is as it was.
func (j *Joiner) Restore(b []byte) error { return j.restore(b, New()) }

func (j *Joiner) restore(b []byte, fresh *Joiner) error {
	d := &decoder{rest: b}
	version := d.byte()
	if d.err == nil && version != snapshotVersion && version != version6 {
		return fmt.Errorf("session snapshot of version %d, want %d", version, snapshotVersion)
	}
	readMemory(d, fresh.smtp, readProcessKey, readSMTP)
	readMemory(d, fresh.logins, readLoginKey, readLogin)
	readMemory(d, fresh.sasl, (*decoder).addr, readSASL)
	readMemory(d, fresh.screened, (*decoder).addr, (*decoder).varint)
	readMemory(d, fresh.refused, readEndpoint, readRefusals)
	readRecent(d, fresh.messages)
	readMemory(d, fresh.ssh, readSSHKey, readSSH)
	readMemory(d, fresh.pam, readPAMKey, readPAM)
	if version != version6 {
		readMemory(d, fresh.ended, readLoginKey, readLogin)
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = errDamaged
	}
	if d.err != nil {
		return fmt.Errorf("reading a session snapshot: %w", d.err)
	}
	*j = *fresh
	return nil
}

var errDamaged = errors.New("it is damaged")

// appendMemory writes what is remembered, the oldest first.
func appendMemory[K comparable, V any](b []byte, m *memory[K, V], key func([]byte, K) []byte, value func([]byte, V) []byte) []byte {
	b = binary.AppendUvarint(b, uint64(m.len()))
	m.each(func(k K, v V) { b = value(key(b, k), v) })
	return b
}

func readMemory[K comparable, V any](d *decoder, m *memory[K, V], key func(*decoder) K, value func(*decoder) V) {
	n := d.uvarint()
	if n > uint64(m.most) {
		d.err = errDamaged
	}
	for i := uint64(0); d.err == nil && i < n; i++ {
		k := key(d)
		if m.get(k) != nil {
			d.err = errDamaged
			return
		}
		v := value(d)
		*m.put(k) = v
	}
}

func appendRecent(b []byte, m *recent) []byte {
	b = binary.AppendUvarint(b, uint64(len(m.messages)))
	b = binary.AppendUvarint(b, uint64(m.next))
	for i := range m.messages {
		b = appendAddr(appendMessageKey(b, m.messages[i].key), m.messages[i].addr)
	}
	return b
}

func readRecent(d *decoder, m *recent) {
	messages, next := d.ring(m.most)
	for d.err == nil && len(m.messages) < messages {
		m.messages = append(m.messages, message{readMessageKey(d), d.addr()})
	}
	m.next = next
}

func appendProcessKey(b []byte, k processKey) []byte {
	return binary.AppendVarint(binary.LittleEndian.AppendUint64(b, k.name), int64(k.pid))
}

func readProcessKey(d *decoder) processKey {
	return processKey{name: d.uint64(), pid: int(d.varint())}
}

func appendSMTP(b []byte, s smtpSession) []byte {
	b = binary.AppendVarint(appendAddr(b, s.addr), int64(s.attempts))
	b = binary.AppendVarint(b, int64(s.messages))
	return binary.AppendUvarint(b, s.kinds)
}

func readSMTP(d *decoder) smtpSession {
	return smtpSession{addr: d.addr(), attempts: int(d.varint()), messages: int(d.varint()), kinds: d.uvarint()}
}

func appendMessageKey(b []byte, k messageKey) []byte {
	return append(binary.LittleEndian.AppendUint64(b, k.host), k.queueID[:]...)
}

func readMessageKey(d *decoder) messageKey {
	k := messageKey{host: d.uint64()}
	copy(k.queueID[:], d.take(maxQueueID))
	return k
}

// appendAddr writes the length of an address, 0 for none, and its bytes.
func appendAddr(b []byte, addr netip.Addr) []byte {
	raw := addr.AsSlice()
	return append(append(b, byte(len(raw))), raw...)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decoder reads what the functions above wrote. After an error it reads zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.rest)) {
		d.err = errDamaged
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.err != nil || size <= 0 {
		d.err = errDamaged
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	if d.err != nil || size <= 0 {
		d.err = errDamaged
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// ring reads how many places of a ring are taken and which is written next.
func (d *decoder) ring(most int) (taken, next int) {
	n, at := d.uvarint(), d.uvarint()
	if n > uint64(most) || at >= uint64(most) || n < uint64(most) && at != n {
		d.err = errDamaged
		return 0, 0
	}
	return int(n), int(at)
}

func (d *decoder) text() string { return string(d.take(d.uvarint())) }

func (d *decoder) addr() netip.Addr {
	raw := d.take(uint64(d.byte()))
	if len(raw) == 0 {
		return netip.Addr{}
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		d.err = errDamaged
	}
	return addr
}
