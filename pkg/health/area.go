package health

import "csmail/pkg/event"

// Area says which part of our own an offence hangs on, and so what can excuse it.
// For example, a failed login may be due to a login service that is down.
type Area uint8

// The areas.
const (
	OwnArea       Area = iota // nothing but the client
	LoginArea                 // our login service
	ResolverArea              // our resolver
	ListArea                  // block lists
	RecipientArea             // our tables of recipients
	VisitArea                 // nothing was asked for, or our own limits ended it
)

// AreaOf sorts an event. What follows from a failed login (the connection lost
// or cut after AUTH; under stress Postfix cuts at the first error,
// smtpd_hard_error_limit) hangs on the login service like the failure itself.
func AreaOf(e *event.Event) Area {
	switch e.Kind {
	case event.AuthFailed, event.AuthAborted, event.AuthRateLimited, event.LoginRefused:
		return LoginArea
	case event.NoHostname, event.HostnameMismatch, event.HeloDeferred:
		return ResolverArea
	case event.SenderRejected:
		if e.Cause == event.Resolver {
			return ResolverArea
		}
	case event.DNSBLListed:
		return ListArea
	case event.RecipientUnknown:
		return RecipientArea
	case event.NoAuth, event.Hangup, event.TLSError, event.RateLimited, event.ErrorLimit:
		return VisitArea
	case event.LostConnection, event.TooManyErrors:
		if e.Cause == event.LoginService {
			return LoginArea
		}
		if e.Kind == event.LostConnection {
			return VisitArea
		}
	}
	return OwnArea
}
