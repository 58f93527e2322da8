package health

// service is one of the host's services by which clients get in. A login service is one.
// The tables of recipients are another: there a mail that is taken is a client that got
// in.
//
// A client may have caused the trouble that the log reports. So there are two verdicts.
// An outage (sure) is certain if regular clients met it: it excuses each failure in that
// time, even if others get in, for example while one of two databases is down. A doubt
// rests on strangers and on faults without a client: it excuses only if no other client
// got in shortly before and after.
type service struct {
	sure  outage
	doubt doubt
	flow  evidence // observations of clients that got in

	lastIn, otherIn uint32 // times of the last client that got in, and of the last other than that one
	lastInBy        uint64 // source of the last one
}

// configure sets the limits. witnesses is the number of failing regulars that make an
// outage without a fault in the log.
func (s *service) configure(l Limits, witnesses int) {
	s.sure.lasts, s.sure.silence, s.sure.witnesses = l.FaultLasts, l.FaultSilence, witnesses
	s.doubt.lasts, s.doubt.silence = 0, l.FaultSilence
	s.flow.least, s.flow.most = leastFlow, l.FaultSilence
	if len(s.flow.spans) == 0 {
		s.flow.usual = newEvidence(l.FaultSilence).usual
	}
}

// leastFlow is the gap between two logins, in seconds, that never counts as an outage,
// however busy the host is.
const leastFlow = 30

// works adds a client that got in.
func (s *service) works(key uint64, at uint32) {
	if key != s.lastInBy {
		s.otherIn, s.lastInBy = s.lastIn, key
	}
	s.lastIn = max(s.lastIn, at)
	s.sure.works(at)
	s.doubt.ends(at)
	s.flow.seen(key, at)
}

// othersIn returns the time of the last client other than key that got in; 0 if there was
// none.
func (s *service) othersIn(key uint64) uint32 {
	if s.lastInBy != key {
		return s.lastIn
	}
	return s.otherIn
}

// fault adds a fault that a client met. othersIn is the time of the last other client
// that got in. fault reports whether it may excuse that client.
func (s *service) fault(c Client, at, othersIn uint32) bool {
	believed := s.doubt.hear(c, at, othersIn)
	regulars, strangers, unnamed, since := s.doubt.witnesses()
	if c.Key != 0 && !believed {
		return false
	}
	if c.isRegular() { // the service failed between two logins of one user
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

// isRefuted reports whether clients other than key got in shortly before and after a
// time, so that the service worked then.
func (s *service) isRefuted(key uint64, at, now uint32) bool { return s.flow.at(key, at, now) == Works }
