package health

// service is one of our services that clients get in by: a login service, or the
// tables of recipients, where a mail that is taken is a client that got in.
//
// What the log says of its trouble, clients may have brought about. So there are two
// verdicts. An outage is certain if regulars speak for it, clients that got in until
// now: it excuses whoever fails meanwhile, though others get in, as where one of two
// databases is down. A doubt is all that strangers or faults without a client say: it
// excuses as long as nobody is seen to get in shortly before and after.
type service struct {
	sure  outage
	doubt doubt
	flow  evidence // clients that got in

	lastIn, otherIn uint32 // when somebody got in last, and when somebody other than that one did
	lastInBy        uint64
}

// configure sets the numbers: how many regulars that fail without a word in the log
// make an outage.
func (s *service) configure(l Limits, witnesses int) {
	s.sure.lasts, s.sure.silence, s.sure.witnesses = l.FaultLasts, l.FaultSilence, witnesses
	s.doubt.lasts, s.doubt.silence = 0, l.FaultSilence
	s.flow.least, s.flow.most = leastFlow, l.FaultSilence
	if len(s.flow.spans) == 0 {
		s.flow.usual = newEvidence(l.FaultSilence).usual
	}
}

// leastFlow is the gap between two logins that is no sign of an outage on the
// busiest host.
const leastFlow = 30

// works notes that a client got in.
func (s *service) works(key uint64, at uint32) {
	if key != s.lastInBy {
		s.otherIn, s.lastInBy = s.lastIn, key
	}
	s.lastIn = max(s.lastIn, at)
	s.sure.works(at)
	s.doubt.ends(at)
	s.flow.seen(key, at)
}

// othersIn returns when somebody other than key got in last; 0: never.
func (s *service) othersIn(key uint64) uint32 {
	if s.lastInBy != key {
		return s.lastIn
	}
	return s.otherIn
}

// fault notes a fault that a client met. othersIn is when somebody else got in last.
// It reports whether the fault may excuse that client.
func (s *service) fault(c Client, at, othersIn uint32) bool {
	believed := s.doubt.hear(c, at, othersIn)
	regulars, strangers, unnamed, since := s.doubt.witnesses()
	if c.Key != 0 && !believed {
		return false
	}
	if c.isRegular() { // between two logins of one user it did not work, then
		s.flow.broken = true
	}
	if regulars >= 2 || regulars == 1 && unnamed {
		s.sure.fault(since)
		s.sure.fault(at)
	}
	second := regulars+strangers >= 2 || unnamed && regulars+strangers >= 1
	if c.Key == 0 && believed || second {
		s.doubt.fault(since)
		s.doubt.fault(at)
	}
	return believed && c.Key != 0
}

// isRefuted reports whether others than key got in shortly before and after a time.
func (s *service) isRefuted(key uint64, at, now uint32) bool { return s.flow.at(key, at, now) == Works }
