package guard

import "csmail/pkg/event"

// NeedOf reports whether a Guard, or the scenarios after it, need a record for anything
// but the time. It mirrors [Guard.Observe] for a Guard without own addresses, so that a
// host whose records are judged elsewhere can leave out the others. For example, it
// leaves out the end of a session and a connection without a verified name.
//
// Counts of [Guard.Gateway] are not included, because they concern one host only.
func NeedOf(r *event.Record, folded bool) bool {
	class := r.Kind.Class()
	isConnect := r.Testimony == event.Connected
	switch {
	case !r.Addr.IsValid():
		return class == event.Fault
	case isConnect && r.ClientName != "" && r.ClientName != "unknown":
		return true
	case r.Testimony == event.OwnAddress:
		return true
	case class == event.Hostile || class == event.Suspect:
		return !folded || r.Kind == event.AuthFailed && r.User != "" || r.Withdrawn > 0
	case isConnect:
		return false
	}
	return class == event.Success || class == event.Fault || r.Testimony == event.MailAccepted || r.Withdrawn > 0
}
