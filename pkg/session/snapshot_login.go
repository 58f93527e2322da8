package session

import "csmail/pkg/wire"

func (c *codec) sshKey(k *sshKey) {
	c.Fixed(&k.host)
	c.SignedInts(&k.pid)
}

func (c *codec) ssh(s *sshSession) {
	c.PlainAddr(&s.addr)
	c.Int64s(&s.first)
	for i := range s.modules {
		c.Fixed(&s.modules[i])
	}
	for i := range s.reported {
		c.SignedInts(&s.reported[i])
	}
	c.SignedInts(&s.counted, &s.expected)
	c.Bools(&s.suspected)
}

func (c *codec) pamKey(k *pamKey) {
	c.clientKey(&k.clientKey)
	c.service(&k.service)
}

func (c *codec) pam(s *pamSession) {
	c.SignedInts(&s.attempts)
	c.Int64s(&s.last)
}

func (c *codec) loginKey(k *loginKey) { c.Fixed(&k.host, &k.session) }

func (c *codec) login(s *loginSession) {
	c.PlainAddr(&s.addr)
	c.reported(&s.reported)
	c.Bools(&s.faulted, &s.ended, &s.explained)
}

func (c *codec) relayed(s *relayed) {
	c.address(&s.addr)
	c.account(&s.user)
	c.SignedInts(&s.server, &s.proxy)
}

func (c *codec) sasl(s *saslClient) {
	c.reported(&s.dovecot)
	c.reported(&s.postfix)
	c.reported(&s.fault)
	c.Int64s(&s.failed)
}

func (c *codec) reported(p *reported) {
	c.SignedInts(&p.attempts)
	c.Int64s(&p.last)
	c.account(&p.user)
}

func (c *codec) connectionKey(k *connectionKey) {
	c.clientKey(&k.clientKey)
	wire.Numbers(&c.Codec, &k.port)
}

func (c *codec) screening(s *screening) {
	c.Int64s(&s.first, &s.last)
	c.kind(&s.kind)
	c.SignedInts(&s.attempts)
	c.Bools(&s.hungUp)
}

func (c *codec) modules(m *moduleReports) {
	for i := range m {
		c.account(&m[i].user)
		c.Int64s(&m[i].at)
		for n := range m[i].modules {
			c.Fixed(&m[i].modules[n])
		}
	}
}

func (c *codec) hostDaemons(h *hostDaemons) {
	c.Bools(&h.smtpd, &h.dovecot, &h.twice, &h.explains)
	c.Int64s(&h.twiceSSH)
	if c.version > 19 {
		c.Int64s(&h.twiceDovecot)
	}
}
