package session

import (
	"fmt"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// snapshotVersion is the first byte of a snapshot. It changes with the layout and with
// the meaning of the fields.
const (
	snapshotVersion = 20
	readableVersion = 19 // it did not know that a log may hold only Dovecot's lines twice
	oldestVersion   = 6  // the oldest that was ever stored
)

// codec writes or reads the state of a Joiner with pkg/wire. Each type has one function
// that lists its fields for both.
type codec struct {
	wire.Codec
	version byte
}

// AppendSnapshot appends the state of j to b. A Joiner that restores it goes on exactly
// as j would.
func (j *Joiner) AppendSnapshot(b []byte) []byte {
	c := &codec{wire.Codec{B: append(b, snapshotVersion)}, snapshotVersion}
	j.encode(c)
	return c.B
}

// Restore replaces the state of j by a snapshot. b must hold nothing else. After an error
// j is unchanged. A snapshot of an older version makes an empty Joiner: sessions that
// were open then may count once more when they end.
func (j *Joiner) Restore(b []byte) error {
	fresh := NewJoiner(j.key)
	if err := read(b, fresh); err != nil {
		return err
	}
	*j = *fresh
	return nil
}

// read reads a snapshot into a new Joiner.
func read(b []byte, fresh *Joiner) error {
	c := &codec{Codec: wire.Codec{B: b, Reading: true}}
	switch c.version = c.Byte(0); {
	case c.Err != nil:
	case oldestVersion <= c.version && c.version < readableVersion:
		return nil
	case c.version < oldestVersion, c.version > snapshotVersion:
		return fmt.Errorf("session snapshot of version %d, want %d", c.version, snapshotVersion)
	}
	fresh.encode(c)
	if c.End(); c.Err != nil {
		return fmt.Errorf("reading a session snapshot: %w", c.Err)
	}
	return nil
}

// encode takes the whole state. A Joiner that is read must be new.
func (j *Joiner) encode(c *codec) {
	c.Bytes(j.key[:])
	entries(c, j.smtp, c.processKey, c.smtp)
	entries(c, j.ends, c.processKey, c.smtpEnd)
	entries(c, j.logins, c.loginKey, c.login)
	entries(c, j.ended, c.loginKey, c.login)
	entries(c, j.relayed, c.fixed, c.relayed)
	entries(c, j.sasl, c.clientKey, c.sasl)
	entries(c, j.screened, c.connectionKey, c.screening)
	c.messages(j.messages)
	entries(c, j.ssh, c.sshKey, c.ssh)
	entries(c, j.pam.fifoMap, c.pamKey, c.pam)
	entries(c, j.modules.fifoMap, c.clientKey, c.modules)
	entries(c, j.hosts, c.fixed, c.hostDaemons)
	c.Bools(&j.anyTwice)
	entries(c, j.remote, c.PlainAddr, c.fixed)
	entries(c, j.withheld, c.withheldKey, func(w *withheld) {
		c.withheld(w)
		if c.Reading { // they are stored in the order of the log
			j.withholdings++
			w.number = j.withholdings
		}
	})
	entries(c, j.crossed.fifoMap, c.loginKey, c.crossed)
	entries(c, j.doubted.open, c.sshKey, c.doubted)
	entries(c, j.doubted.ended, c.sshKey, c.doubted)
	c.copies(&j.copies)
}

// entries takes the entries of a map, the oldest first.
func entries[K comparable, V any](c *codec, m *fifoMap[K, V], key func(*K), value func(*V)) {
	n := c.Count(m.len())
	if !c.Reading {
		var k K
		var v V
		m.each(func(k0 K, v0 V) {
			k, v = k0, v0
			key(&k)
			value(&v)
		})
		return
	}
	if n > m.most {
		c.Failf("%d entries where %d are the most", n, m.most)
	}
	for ; c.Err == nil && n > 0; n-- {
		var k K
		var v V
		key(&k)
		if value(&v); m.get(k) != nil {
			c.Failf("the same key twice")
		}
		*m.put(k) = v
	}
}

// messages takes the messages, the oldest first.
func (c *codec) messages(m *messages) {
	n := c.Count(m.len())
	if !c.Reading {
		m.each(c.message)
		return
	}
	if n > m.most {
		c.Failf("%d messages where %d are the most", n, m.most)
	}
	for ; c.Err == nil && n > 0; n-- {
		var found message
		if c.message(&found); c.Err == nil {
			m.put(found.key, found.addr.addr(), found.process)
		}
	}
}

func (c *codec) message(m *message) {
	c.Fixed(&m.key.host)
	c.Bytes(m.key.queueID[:])
	c.address(&m.addr)
	c.processKey(&m.process)
}

// copies takes the hashes of the copies; the place of each follows from it.
func (c *codec) copies(all *copies) {
	var hashes []uint64
	for _, hash := range all {
		if hash != 0 {
			hashes = append(hashes, hash)
		}
	}
	wire.List(&c.Codec, &hashes, c.fixed)
	if !c.Reading {
		return
	}
	for _, hash := range hashes {
		place := &all[hash%maxCopies]
		if hash == 0 || *place != 0 {
			c.Failf("the same copy twice")
		}
		*place = hash
	}
}

func (c *codec) fixed(v *uint64) { c.Fixed(v) }

func (c *codec) kind(k *event.Kind) { wire.Enum(&c.Codec, k, event.Kind(len(event.Kinds()))) }

func (c *codec) service(s *event.Service) {
	wire.Enum(&c.Codec, s, event.Service(event.ServiceCount-1))
}

func (c *codec) account(a *event.AccountHash) { c.Fixed(&a.Name, &a.Domain) }

func (c *codec) processKey(k *processKey) {
	c.Fixed(&k.name)
	c.SignedInts(&k.pid)
}

// address takes an address in the form of a netip.Addr.
func (c *codec) address(a *address) {
	addr := a.addr()
	if c.PlainAddr(&addr); c.Reading {
		*a = addressOf(addr)
	}
}

func (c *codec) clientKey(k *clientKey) {
	c.Fixed(&k.host)
	c.address(&k.addr)
}

func (c *codec) smtp(s *smtpSession) {
	c.address(&s.addr)
	c.SignedInts(&s.attempts, &s.messages)
	wire.Numbers(&c.Codec, &s.kinds)
	wire.Numbers(&c.Codec, &s.waiting)
	c.Int64s(&s.begun)
	c.Bools(&s.twice, &s.loggedIn, &s.aside)
}

func (c *codec) smtpEnd(e *smtpEnd) {
	c.address(&e.addr)
	c.Int64s(&e.at)
}
