package guard

import "csmail/pkg/event"

// NeedOf reports whether a record tells a Guard, or the scenarios behind it, anything
// but the time. It mirrors [Guard.Observe] for a Guard that knows no address of its own,
// so that a host whose records are judged elsewhere can leave the others out. For
// example, the end of a session and a connection without a verified name are left out.
//
// What [Guard.Gateway] counts is not among it: that is a question of one host.
func NeedOf(r *event.Record, folded bool) bool {
	class := r.Kind.Class()
	isConnect := r.Testimony == event.Connected
	switch {
	case !r.Addr.IsValid():
		return class == event.Fault
	case isConnect && r.ClientName != "" && r.ClientName != "unknown":
		return true
	case class == event.Hostile || class == event.Suspect:
		return !folded || r.Kind == event.AuthFailed && r.User != "" || r.Withdrawn > 0
	case isConnect:
		return false
	}
	return class == event.Success || class == event.Fault || r.Testimony == event.MailAccepted || r.Withdrawn > 0
}
