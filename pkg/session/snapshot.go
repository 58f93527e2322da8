package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"csmail/pkg/event"
)

// snapshotVersion is the first byte of a snapshot. It changes with the layout and with
// the meaning of the fields.
const (
	snapshotVersion = 11
	oldestVersion   = 6 // the oldest that was ever stored
)

// AppendSnapshot appends the state of j to b. A Joiner that restores it goes on exactly
// as j would.
func (j *Joiner) AppendSnapshot(b []byte) []byte {
	b = append(append(b, snapshotVersion), j.key[:]...)
	b = appendMap(b, j.smtp, appendProcessKey, appendSMTP)
	b = appendMap(b, j.ends, appendProcessKey, appendSMTPEnd)
	b = appendMap(b, j.logins, appendLoginKey, appendLogin)
	b = appendMap(b, j.ended, appendLoginKey, appendLogin)
	b = appendMap(b, j.sasl, appendClientKey, appendSASL)
	b = appendMap(b, j.screened, appendConnectionKey, appendScreening)
	b = appendMessages(b, j.messages)
	b = appendMap(b, j.ssh, appendSSHKey, appendSSH)
	b = appendMap(b, j.pam, appendPAMKey, appendPAM)
	b = appendMap(b, j.modules, appendClientKey, appendModules)
	b = appendMap(b, j.hosts, binary.LittleEndian.AppendUint64, appendHostDaemons)
	b = appendMap(b, j.remote, appendAddr, binary.LittleEndian.AppendUint64)
	b = appendMap(b, j.withheld, appendWithheldKey, appendWithheld)
	return appendCopies(b, &j.copies)
}

// Restore replaces the state of j by a snapshot. b must hold nothing else. After an error
// j is unchanged. A snapshot of an older version makes an empty Joiner: sessions that
// were open then may count once more when they end.
func (j *Joiner) Restore(b []byte) error { return j.restore(b, NewJoiner(j.key)) }

func (j *Joiner) restore(b []byte, fresh *Joiner) error {
	d := &decoder{rest: b}
	switch version := d.byte(); {
	case d.err != nil:
	case oldestVersion <= version && version < snapshotVersion:
		*j = *fresh
		return nil
	case version != snapshotVersion:
		return fmt.Errorf("session snapshot of version %d, want %d", version, snapshotVersion)
	}
	copy(fresh.key[:], d.take(uint64(len(fresh.key))))
	readMap(d, fresh.smtp, readProcessKey, readSMTP)
	readMap(d, fresh.ends, readProcessKey, readSMTPEnd)
	readMap(d, fresh.logins, readLoginKey, readLogin)
	readMap(d, fresh.ended, readLoginKey, readLogin)
	readMap(d, fresh.sasl, readClientKey, readSASL)
	readMap(d, fresh.screened, readConnectionKey, readScreening)
	readMessages(d, fresh.messages)
	readMap(d, fresh.ssh, readSSHKey, readSSH)
	readMap(d, fresh.pam, readPAMKey, readPAM)
	readMap(d, fresh.modules, readClientKey, readModules)
	readMap(d, fresh.hosts, (*decoder).uint64, readHostDaemons)
	readMap(d, fresh.remote, (*decoder).addr, (*decoder).uint64)
	readMap(d, fresh.withheld, readWithheldKey, fresh.readWithheld)
	readCopies(d, &fresh.copies)
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

// appendMap writes the entries, the oldest first.
func appendMap[K comparable, V any](b []byte, m *fifoMap[K, V], key func([]byte, K) []byte, value func([]byte, V) []byte) []byte {
	b = binary.AppendUvarint(b, uint64(m.len()))
	m.each(func(k K, v V) { b = value(key(b, k), v) })
	return b
}

func readMap[K comparable, V any](d *decoder, m *fifoMap[K, V], key func(*decoder) K, value func(*decoder) V) {
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

// appendMessages writes the messages, the oldest first.
func appendMessages(b []byte, m *messages) []byte {
	b = binary.AppendUvarint(b, uint64(len(m.ring)))
	m.each(func(k messageKey, addr netip.Addr) { b = appendAddr(appendMessageKey(b, k), addr) })
	return b
}

func readMessages(d *decoder, m *messages) {
	n := d.uvarint()
	if n > uint64(m.most) {
		d.err = errDamaged
	}
	for i := uint64(0); d.err == nil && i < n; i++ {
		k, addr := readMessageKey(d), d.addr()
		if d.err == nil {
			m.put(k, addr)
		}
	}
}

// appendCopies writes the hashes; the place of each follows from it.
func appendCopies(b []byte, c *copies) []byte {
	n := 0
	for _, hash := range c {
		if hash != 0 {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for _, hash := range c {
		if hash != 0 {
			b = binary.LittleEndian.AppendUint64(b, hash)
		}
	}
	return b
}

func readCopies(d *decoder, c *copies) {
	n := d.uvarint()
	if n > maxCopies {
		d.err = errDamaged
	}
	for i := uint64(0); d.err == nil && i < n; i++ {
		hash := d.uint64()
		place := &c[hash%maxCopies]
		if hash == 0 || *place != 0 {
			d.err = errDamaged
		}
		*place = hash
	}
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
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.kinds)), s.waiting)
	return appendFlag(appendFlag(b, s.connected), s.loggedIn)
}

func readSMTP(d *decoder) smtpSession {
	return smtpSession{
		addr: d.addr(), attempts: int(d.varint()), messages: int(d.varint()),
		kinds: event.KindSet(d.uvarint()), waiting: d.uvarint(), connected: d.flag(), loggedIn: d.flag(),
	}
}

func appendSMTPEnd(b []byte, e smtpEnd) []byte {
	return binary.AppendVarint(appendAddr(b, e.addr), e.at)
}

func readSMTPEnd(d *decoder) smtpEnd { return smtpEnd{addr: d.addr(), at: d.varint()} }

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

// decoder reads values that the functions above wrote. After an error it returns zeros.
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
